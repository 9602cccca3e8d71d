/**
 * What an inspector is shown, in the words of `@statelyai/inspect`, whose own types for it are not exported whole.
 * Everything in it is plain JSON data.
 */
export type Message = ActorMessage | EventMessage | SnapshotMessage

/** There is a new actor: a run, a step, or the chart of a flow. */
export interface ActorMessage {
  readonly type: '@xstate.actor'
  readonly sessionId: string
  readonly rootId: string
  readonly parentId: string | undefined
  readonly name: string
  /** The machine's config, as a chart is drawn from it. */
  readonly definition: object
  readonly snapshot: ShownSnapshot
}

/** An actor was sent an event. */
export interface EventMessage {
  readonly type: '@xstate.event'
  readonly sessionId: string
  readonly rootId: string
  /** Who has sent it; `undefined` for outside. */
  readonly sourceId: string | undefined
  readonly event: ShownEvent
}

/** Where an actor stands after an event. */
export interface SnapshotMessage {
  readonly type: '@xstate.snapshot'
  readonly sessionId: string
  readonly rootId: string
  readonly event: ShownEvent
  readonly snapshot: ShownSnapshot
}

/** An event, shortened and without secrets. */
export interface ShownEvent {
  readonly type: string
  readonly [field: string]: unknown
}

/** What is shown of where an actor stands. */
export interface ShownSnapshot {
  readonly status: string
  readonly value?: unknown
  readonly context?: unknown
  readonly output?: unknown
  readonly error?: unknown
}
