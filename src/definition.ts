import type { Duration } from './duration.ts'
import type { AnyEventType, InputRequestEvent } from './event.ts'
import type { Schema } from './schema.ts'
import type { OneOrMore, RetryOptions, Step } from './step.ts'

/** Answers an input request in this process. What it returns, or resolves to, is the response. */
export type OnInput = (request: InputRequestEvent) => unknown

export interface WorkflowOptions<
  Input extends Schema = Schema,
  State extends Schema<unknown, object> = Schema<unknown, object>,
  External extends AnyEventType = AnyEventType,
> {
  /** The schema of the input: checked, and completed with defaults, before a run starts. */
  readonly input?: Input
  /** The schema of `ctx.state`: its type, and its defaults. */
  readonly state?: State
  /** The author's version, a part of every snapshot. */
  readonly version?: string
  /** How long a run may take, not counting the time in which it waits for a person. No limit when left out. */
  readonly timeout?: Duration
  /** For steps that have no `retry` of their own. */
  readonly retry?: RetryOptions
  /**
   * What a run does in which nothing is left to do: fail with a `StalledError`, or wait for events from outside.
   *
   * @default 'fail'
   */
  readonly idle?: 'fail' | 'wait'
  /**
   * How many written events are kept for readers of the stream.
   *
   * @default 65536
   */
  readonly streamBuffer?: number
  /** Event types that come from outside, so that no step has to emit them. */
  readonly external?: OneOrMore<External>
  /** Answers input requests in this process. */
  readonly onInput?: OnInput
}

/** What a builder has gathered. */
export interface WorkflowDefinition {
  readonly name: string
  readonly options: WorkflowOptions
  readonly steps: readonly NamedStep[]
}

export interface NamedStep extends Step {
  readonly name: string
}

/** The types of one or several event types. */
export function typesOf(types: OneOrMore<AnyEventType> | undefined): string[] {
  return eventTypesOf(types).map(({ type }) => type)
}

/** One or several event types, without what only stands in the place of one; building the workflow tells of that. */
export function eventTypesOf(types: OneOrMore<AnyEventType> | undefined): AnyEventType[] {
  return types === undefined ? [] : toArray(types).filter(isEventType)
}

/** Whether `value` came from `defineEvent`, or is a type of the engine. */
export function isEventType(value: unknown): value is AnyEventType {
  return typeof value === 'function' || (typeof value === 'object' && value !== null)
    ? 'is' in value && 'type' in value && typeof value.type === 'string'
    : false
}

export function toArray<Item>(items: Item | readonly Item[]): readonly Item[] {
  return Array.isArray(items) ? items : [items as Item]
}
