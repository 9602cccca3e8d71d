import type { RoutedEvent } from '../machines/index.ts'
import type { Issue } from './schema.ts'

/** What every error of the engine has: a `code` to branch on, and a message that says where, what was expected, and what helps. */
export class BlazenError extends Error {
  override name = 'BlazenError'
  /** Where in the run it arose, if in a run inside it: the steps, stages and branches that lead there. */
  declare runPath?: readonly string[]

  constructor(
    /** Stable, in snake case: `step_failed`, `run_timeout`, … */
    readonly code: string,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options)
  }
}

/** A workflow, a step or an event is defined in a way that cannot work. Lists every problem that was found. */
export class DefinitionError extends BlazenError {
  override name = 'DefinitionError'

  constructor(
    where: string,
    /** One sentence each, with its repair. */
    readonly problems: readonly string[],
  ) {
    super('definition', `${where} cannot be built:\n${problems.map((problem) => `- ${problem}`).join('\n')}`)
  }
}

/** The data of an event, an input or an answer does not fit its schema. */
export class EventValidationError extends BlazenError {
  override name = 'EventValidationError'
  /** The step that made or returned the event; `undefined` for one from outside. */
  step: string | undefined

  constructor(
    message: string,
    readonly eventType: string,
    readonly issues: readonly Issue[] = [],
    options?: ErrorOptions,
  ) {
    super('event_validation', message, options)
  }
}

/** `ctx.state` does not fit the schema that the workflow declares for it. */
export class StateValidationError extends BlazenError {
  override name = 'StateValidationError'
  /** The step that returned a `StopEvent` while state was so; `undefined` when a run starts or resumes. */
  step: string | undefined

  constructor(
    message: string,
    readonly issues: readonly Issue[],
  ) {
    super('state_validation', message)
  }
}

/** An event that no step accepts. */
export class UnhandledEventError extends BlazenError {
  override name = 'UnhandledEventError'

  constructor(
    readonly event: RoutedEvent,
    /** The step that emitted it; `undefined` for an event from outside. */
    readonly step: string | undefined,
    accepted: readonly string[],
  ) {
    super(
      'unhandled_event',
      `${step === undefined ? 'An event' : `Step "${step}" emitted an event`} of type "${event.type}"${step === undefined ? ' came from outside' : ''}, which no step accepts. Name it in the \`accepts\` of a step; accepted are: ${accepted.map((type) => `"${type}"`).join(', ')}.`,
    )
  }
}

/** A step's function threw, and no attempt was left. `cause` is the very thing that it threw. */
export class StepFailedError extends BlazenError {
  override name = 'StepFailedError'

  constructor(
    readonly step: string,
    /** The event that the step was handling. */
    readonly event: RoutedEvent,
    /** The number of the last attempt, from 1. */
    readonly attempt: number,
    cause: unknown,
  ) {
    super(
      'step_failed',
      `Step "${step}" failed on "${event.type}"${attempt > 1 ? ` at attempt ${attempt}` : ''}: ${describeThrown(cause)}`,
      { cause },
    )
  }
}

/** A step's function returned something that is no event, no array of events and not nothing. */
export class StepReturnError extends BlazenError {
  override name = 'StepReturnError'

  constructor(
    readonly step: string,
    readonly event: RoutedEvent,
    got: string,
  ) {
    super(
      'step_return',
      `Step "${step}" returned ${got} for "${event.type}": expected an event (an object with a string \`type\`), an array of events, or nothing. Make events with their creator, as in Greet({ name }).`,
    )
  }
}

/** An attempt of a step took longer than the step's `timeout`. */
export class StepTimeoutError extends BlazenError {
  override name = 'StepTimeoutError'

  constructor(
    readonly step: string,
    readonly event: RoutedEvent,
    readonly attempt: number,
    readonly timeoutMs: number,
  ) {
    super(
      'step_timeout',
      `Step "${step}" timed out after ${timeoutMs} ms on "${event.type}" (attempt ${attempt}). Raise the step's \`timeout\`, or have its function stop on \`ctx.signal\`.`,
    )
  }
}

/** A run took longer than its `timeout`, not counting the time in which it waited for a person. */
export class RunTimeoutError extends BlazenError {
  override name = 'RunTimeoutError'

  constructor(
    readonly runId: string,
    readonly timeoutMs: number,
  ) {
    super(
      'run_timeout',
      `Run ${runId} timed out after ${timeoutMs} ms. Raise its \`timeout\`, or leave it out for none.`,
    )
  }
}

/** A run was aborted. `cause` is the reason that was given. */
export class RunAbortedError extends BlazenError {
  override name = 'RunAbortedError'

  constructor(
    readonly runId: string,
    /** What `abort` was called with. */
    readonly reason: unknown,
  ) {
    super('run_aborted', `Run ${runId} was aborted${reason === undefined ? '' : `: ${describeThrown(reason)}`}.`, {
      cause: reason,
    })
  }
}

/** A run has nothing left to do and has not reached a `StopEvent`. */
export class StalledError extends BlazenError {
  override name = 'StalledError'

  constructor(
    readonly runId: string,
    workflow: string,
    /** The step that settled last. */
    readonly step: string | undefined,
    collecting: readonly string[],
  ) {
    const last = step === undefined ? '' : ` The last step was "${step}".`
    super(
      'stalled',
      `Run ${runId} of workflow "${workflow}" has stalled: nothing is queued, running or awaited, and no step returned a StopEvent.${last}${collecting.length > 0 ? ` ${collecting.join(' ')}` : ''} Return StopEvent({ result }) where the work is done, or build the workflow with idle: 'wait' if events come from outside.`,
    )
  }
}

/** A request for input, or an answer to one, that cannot be taken. */
export class InputRequestError extends BlazenError {
  override name = 'InputRequestError'

  constructor(
    message: string,
    readonly requestId: string,
    options?: ErrorOptions,
  ) {
    super('input_request', message, options)
  }
}

/** A live value was left out of the snapshot that this run came from. */
export class SessionEntryLostError extends BlazenError {
  override name = 'SessionEntryLostError'
  readonly key: string
  /** The step that had set it. */
  readonly step: string
  /** When it was set, in milliseconds since the epoch. */
  readonly at: number

  constructor(where: 'session' | 'state', { key, step, at }: { key: string; step: string; at: number }) {
    super(
      'session_entry_lost',
      `ctx.${where} has lost "${key}", a live value that step "${step}" set at ${new Date(at).toISOString()}: it was left out of the snapshot that this run came from. Set it again, or declare it as a resource of the workflow's \`session\`.`,
    )
    this.key = key
    this.step = step
    this.at = at
  }
}

/** On what occasion something was to be kept: the run paused, begun on a store, told something, or at work there. */
export type KeepOccasion = 'pause' | 'start' | 'message' | 'record'

/** What cannot be kept on that occasion, and what comes of it. */
const occasions: Readonly<Record<KeepOccasion, readonly [what: (run: string) => string, outcome: string]>> = {
  pause: [(run) => `Run ${run} cannot leave this process`, 'The run goes on undisturbed.'],
  start: [(run) => `The beginning of run ${run} cannot be written down`, 'It was not started.'],
  message: [
    (run) => `What was sent to run ${run} cannot be written down`,
    'It was refused, and the run goes on undisturbed.',
  ],
  record: [(run) => `What a step of run ${run} has done cannot be written down`, 'So the run fails.'],
}

/** A run holds live values that its pause policy does not let go. */
export class SessionNotSerializableError extends BlazenError {
  override name = 'SessionNotSerializableError'

  constructor(
    runId: string,
    policy: string,
    /** Every entry in the way: where it is, and what it holds. */
    readonly entries: readonly { readonly where: string; readonly holds: string }[],
    occasion: KeepOccasion = 'pause',
  ) {
    const [what, outcome] = occasions[occasion]
    super(
      'session_not_serializable',
      `${what(runId)} (sessionPausePolicy "${policy}"):\n${entries.map(({ where, holds }) => `- ${where} holds ${holds}`).join('\n')}\nRegister the class (registerClass), declare the value as a resource of the workflow's \`session\`, or choose sessionPausePolicy: 'warn_drop'. ${outcome}`,
    )
  }
}

/** What went wrong with a `BlazenState`. */
export type BlazenStateErrorCode =
  /** A field, or the object, is such that it cannot be kept. */
  | 'state_invalid'
  /** A field store failed to save. */
  | 'field_save'
  /** A field store failed to load. */
  | 'field_load'
  /** The value of a field cannot be read. */
  | 'field_unreadable'
  /** `restore()` threw. */
  | 'state_restore'
  /** The class is not registered in this process. */
  | 'state_class_missing'
  /** The class cannot be constructed without arguments. */
  | 'state_constructor'

/** A `BlazenState` that cannot be set, saved or rebuilt. */
export class BlazenStateError extends BlazenError {
  override name = 'BlazenStateError'
  /** Where it is in `ctx.state`. */
  readonly key: string
  readonly className: string
  /** The field, by its path in the object: `weights`, `inner.weights`; `undefined` if it is about no single one. */
  readonly field: string | undefined

  constructor(
    override readonly code: BlazenStateErrorCode,
    message: string,
    { key, className, field }: { key: string; className: string; field?: string | undefined },
    options?: ErrorOptions,
  ) {
    super(code, message, options)
    this.key = key
    this.className = className
    this.field = field
  }
}

/** A snapshot that cannot be resumed. Nothing of it has run. */
export class SnapshotError extends BlazenError {
  override name = 'SnapshotError'

  constructor(
    message: string,
    /** Where in the snapshot: `context.executions[2].step`; empty for all of it. */
    readonly path = '',
    options?: ErrorOptions,
  ) {
    super('snapshot', message, options)
  }
}

/** The run goes on elsewhere: what this process has of it counts for nothing. */
export class RunOwnershipLostError extends BlazenError {
  override name = 'RunOwnershipLostError'

  constructor(
    readonly runId: string,
    /** What has become of the run, as in `was deleted`; and what helps. */
    fate = 'goes on elsewhere: this handler has lost it. Use the handler that resumed it.',
  ) {
    super('run_ownership_lost', `Run ${runId} ${fate}`)
  }
}

/** The run has ended, so nothing can be sent to it any more. */
export class RunFinishedError extends BlazenError {
  override name = 'RunFinishedError'

  constructor(
    readonly runId: string,
    status: string,
  ) {
    super('run_finished', `Run ${runId} has ended (${status}) and takes nothing more. Start another one with run().`)
  }
}

/** What a store has to say about a failure. */
export type StoreErrorCode =
  /** The run has another owner by now, or other records. */
  | 'conflict'
  /** The database takes no writes. */
  | 'store_read_only'
  /** The disk, or the database's share of it, is full. */
  | 'store_full'
  /** What is stored cannot be read: damaged, or no database of this kind. */
  | 'store_corrupt'
  /** The tables were made by a newer version of the library. */
  | 'store_newer'
  /** The store was closed. */
  | 'store_closed'
  /** Others hold the database locked. */
  | 'store_busy'
  /** The database cannot be reached, or is starting or stopping. */
  | 'store_unavailable'
  /** The database does not let this user in, or not this far. */
  | 'store_refused'
  /** The package that speaks to the database is not installed. */
  | 'store_driver'
  /** Anything else: `cause` says what. */
  | 'store_failed'

/** A store cannot do what was asked of it. `cause` is the error of its database, if it is one. */
export class StoreError extends BlazenError {
  override name = 'StoreError'

  constructor(
    override readonly code: StoreErrorCode,
    message: string,
    /** Whether trying again is in vain until somebody repairs something. */
    readonly permanent: boolean,
    options?: ErrorOptions,
  ) {
    super(code, message, options)
  }
}

/** Thrown by a step's function, or wrapped around what it throws: never retried. */
export class FatalError extends Error {
  override name = 'FatalError'
}

/** A thrown value in a few words. */
function describeThrown(thrown: unknown): string {
  try {
    if (thrown instanceof Error) return thrown.message || thrown.name
    return typeof thrown === 'string' ? thrown : (JSON.stringify(thrown) ?? String(thrown))
  } catch {
    return 'a value that cannot be read'
  }
}
