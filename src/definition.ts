import type { ChildLogic } from '../machines/index.ts'
import type { Class } from './class-codec.ts'
import type { Duration } from './duration.ts'
import type { AnyEventType } from './event.ts'
import type { OnInput } from './live-run.ts'
import type { Migration } from './migration.ts'
import type { Resource } from './resource.ts'
import type { Schema } from './schema.ts'
import type { SessionPausePolicy } from './session.ts'

/** One event type, or several. */
export type OneOrMore<Type> = Type | readonly Type[]

/** How a failed attempt is made again. */
export interface RetryOptions {
  /** All tries, the first included: a whole number from 1. */
  readonly attempts: number
  /**
   * How long to wait after the first failed attempt.
   *
   * @default 0
   */
  readonly delay?: Duration
  /**
   * By how much each wait is longer than the one before.
   *
   * @default 2
   */
  readonly factor?: number
  /** The longest wait. No limit when left out. */
  readonly maxDelay?: Duration
  /**
   * The share of a wait, from 0 to 1, by which it may be shorter or longer, at random.
   *
   * @default 0
   */
  readonly jitter?: number
  /** Whether this error is worth another attempt. A `FatalError` never is. */
  readonly when?: (error: unknown, attempt: number) => boolean
}

/** What a step accepts and emits, and how its function is called. */
export interface StepOptions<Accepts extends AnyEventType = AnyEventType, Emits extends AnyEventType = AnyEventType> {
  /** What the step is called for. */
  readonly accepts: OneOrMore<Accepts>
  /** What it returns or sends. When all steps say so, building the workflow checks the wiring whole. */
  readonly emits?: OneOrMore<Emits>
  /**
   * How many events of one run it may work on at once; the others wait, in order. At least 1.
   *
   * @default Infinity
   */
  readonly concurrency?: number
  /** How long one attempt may take, from when it starts. */
  readonly timeout?: Duration
  /** Goes before the workflow's. */
  readonly retry?: RetryOptions
}

/**
 * A step that was defined apart from its workflow; `.step(name, theStep)` puts it in.
 * `Step` alone is the type of any step, as in `const steps: Record<string, Step> = {}`.
 */
export interface Step<
  Accepts extends AnyEventType = AnyEventType,
  Emits extends AnyEventType = AnyEventType,
  Returned = unknown,
  Event = never,
  Context = never,
> {
  readonly options: StepOptions<Accepts, Emits>
  /** The step's function. */
  readonly run: (event: Event, ctx: Context) => Returned | Promise<Returned>
  /** Of a step that begins runs of its own: the workflow of the one that it calls `name`. */
  readonly child?: (name: string) => ChildLogic | undefined
  /** The workflows of all of them. */
  readonly children?: readonly ChildLogic[]
}

/** What holds for all steps and runs of a workflow. */
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
  /** The kinds of input requests, and the schema of the answers to each. */
  readonly requests?: Readonly<Record<string, { readonly response: Schema }>>
  /** Live resources: `ctx.session.get('db')` opens them, the end of the run closes them. */
  readonly session?: Readonly<Record<string, Resource>>
  /**
   * What happens to live values when a run leaves its process: they are encoded, or the pause is refused and says what
   * is in the way; they are dropped with a warning; or any session entry at all refuses the pause.
   *
   * @default 'pickle_or_error'
   */
  readonly sessionPausePolicy?: SessionPausePolicy
  /** Classes whose instances survive in this workflow's runs, beside those of `registerClass`. */
  readonly classes?: readonly Class[]
  /** Changes a snapshot of one version into one of the next; the keys are the versions, in order, without the current one. */
  readonly migrate?: Readonly<Record<string, Migration>>
}

/** What a builder has gathered. */
export interface WorkflowDefinition {
  readonly name: string
  readonly options: WorkflowOptions
  readonly steps: readonly NamedStep[]
  /** The input stands whole on the `StartEvent`, as `input`, also where it is a plain object. */
  readonly isInputWhole?: boolean
  /** Of a pipeline: its stages, in order. */
  readonly stages?: readonly string[]
  /** What was found wrong with it before its wiring is looked at. */
  readonly problems?: readonly string[]
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
