import type { ChildRun, RoutedEvent } from './execution.ts'
import type { Writes } from './state-log.ts'

/** Why a run ends without a result. */
export type Failure =
  | { kind: 'step'; step: string; event: RoutedEvent; attempt: number; cause: unknown }
  | { kind: 'runTimeout'; timeoutMs: number }
  | { kind: 'unhandled'; event: RoutedEvent; step: string | undefined }
  | { kind: 'duplicateRequest'; requestId: string }
  | { kind: 'requestTimeout'; request: InputRequest }
  /** `step` is the one that settled last. */
  | { kind: 'stalled'; step: string | undefined }
  | { kind: 'aborted'; reason: unknown }
  /** An error that is complete as it is. */
  | { kind: 'error'; error: unknown }

/** A question to a person that has no answer yet. */
export interface InputRequest extends RoutedEvent {
  readonly requestId: string
  /** When it is given up, in milliseconds since the epoch. */
  readonly dueAt?: number | undefined
}

/** What one execution did to the collection of a type. */
export interface Collection {
  readonly type: string
  /** Whether it added its own event, unless that was taken before. */
  readonly added: boolean
  /** The executions whose events it took. */
  readonly taken: readonly number[]
}

/** A step's function has returned: the one event in which a step reports an execution. */
export interface Settled {
  readonly type: 'blazen.settled'
  readonly step: string
  readonly execution: number
  readonly events: readonly RoutedEvent[]
  readonly writes: Writes | undefined
  /** What it wrote to the state that it shares with the runs around its own. */
  readonly shared?: Writes | undefined
  /** What it did to collections. */
  readonly collected: readonly Collection[] | undefined
  /** The collections have changed already: this is the process in which it happened. */
  readonly isApplied?: boolean
  /** How long the last attempt took; known where records are kept. */
  readonly durationMs: number | undefined
}

/** An attempt failed and another follows. */
export interface Retried {
  readonly type: 'blazen.retried'
  readonly execution: number
  /** The number of the attempt that follows. */
  readonly attempt: number
  /** When it follows; `undefined` for at once. */
  readonly dueAt: number | undefined
  readonly error: unknown
}

/** An event is sent: by a step that goes on, or (without `execution`) from outside; at once, or later. */
export interface Sent {
  readonly type: 'blazen.sent'
  readonly execution: number | undefined
  readonly event: RoutedEvent
  readonly dueAt: number | undefined
}

/** The time of a delayed event, or of a request, has come. */
export interface Fired {
  readonly type: 'blazen.fired'
  readonly timer: string
}

/** An execution begins a run of its own. */
export interface Begun {
  readonly type: 'blazen.begun'
  readonly step: string
  readonly execution: number
  readonly child: ChildRun
  /** The names of children that are no longer needed. */
  readonly drop: readonly string[]
  /** What the execution has written so far, which counts from now on. */
  readonly writes: Writes | undefined
}

/** Something has happened to a run inside this one. */
export interface OfChild {
  readonly type: 'blazen.child'
  readonly execution: number
  readonly name: string
  readonly event: RoutedEvent
}

/** A person has answered a request, or its time has run out and its default is the answer. */
export interface Answered {
  readonly type: 'blazen.answered'
  readonly requestId: string
  readonly response: RoutedEvent
}

/** The run has failed, or was aborted. */
export interface Failed {
  readonly type: 'blazen.failed'
  readonly failure: Failure
}

/** The run is to be paused. */
export interface Paused {
  readonly type: 'blazen.pause'
  /** Whether functions that run are waited for, or aborted and run again after the resume. */
  readonly inFlight: 'wait' | 'abort'
}

/** All that can happen to a run, beside the events that its steps accept. */
export type RunEvent =
  | Settled
  | Retried
  | Begun
  | OfChild
  | Sent
  | Fired
  | Answered
  | Failed
  | Paused
  | { readonly type: 'blazen.resume' }
  /** Something has been routed or settled: is there anything left to do? */
  | { readonly type: 'blazen.check' }

/** The record that a run has failed. */
export function fail(failure: Failure): Failed {
  return { type: 'blazen.failed', failure }
}
