import type { Collections } from './collect.ts'
import { copyExecution, Execution, type RoutedEvent } from './execution.ts'
import { StateLog, type Writes } from './state-log.ts'

/** A question to a person that has no answer yet. */
export interface InputRequest extends RoutedEvent {
  readonly requestId: string
}

/** Why a run ends without a result. */
export type Failure =
  | { kind: 'step'; step: string; event: RoutedEvent; attempt: number; cause: unknown }
  | { kind: 'stepTimeout'; step: string; event: RoutedEvent; attempt: number; timeoutMs: number }
  | { kind: 'runTimeout'; timeoutMs: number }
  | { kind: 'unhandled'; event: RoutedEvent; step: string | undefined }
  | { kind: 'duplicateRequest'; requestId: string }
  | { kind: 'stalled' }
  | { kind: 'aborted'; reason: unknown }
  /** An error that is complete as it is. */
  | { kind: 'error'; error: unknown }

/**
 * All that is known of a run. It has one owner, the actor that runs it, which changes it in place: a burst of 100,000
 * events costs 100,000 times one event. Anybody else (a pure `transition`, a model checker) changes a copy.
 */
export interface Run {
  readonly id: string
  /** The actor that may change this object; not part of a snapshot. */
  readonly owner: unknown
  /** What the API keeps beside the run in this process; not part of a snapshot. */
  local: unknown
  /** Executions that have not settled, in the order in which they were routed. */
  readonly open: Map<number, Execution>
  /** The number of the last execution. */
  executions: number
  /** What came while the run was not routing. */
  queue: RoutedEvent[]
  readonly requests: Map<string, InputRequest>
  /** Requests are answered by a function in this process: the run is at work then, not waiting. */
  inline: boolean
  readonly collections: Collections
  readonly state: StateLog
  /** What is left of the run's time, as of when it last began to run; `undefined` for no limit. */
  timeLeftMs: number | undefined
  timeoutMs: number | undefined
  runningSince: number
  result: unknown
  failure: Failure | undefined
}

/** Which steps accept an event type, in the order of their definition. */
export type Routes = ReadonlyMap<string, readonly string[]>

export function createRun(id: string, owner: unknown): Run {
  return {
    id,
    owner,
    local: undefined,
    open: new Map(),
    executions: 0,
    queue: [],
    requests: new Map(),
    inline: false,
    collections: new Map(),
    state: new StateLog(),
    timeLeftMs: undefined,
    timeoutMs: undefined,
    runningSince: 0,
    result: undefined,
    failure: undefined,
  }
}

/** The run for `owner` to change: itself if it owns it, else a copy. */
export function ownedBy(run: Run, owner: unknown): Run {
  if (run.owner === owner) return run
  return {
    ...run,
    owner,
    open: new Map([...run.open].map(([id, execution]) => [id, copyExecution(execution)])),
    queue: [...run.queue],
    requests: new Map(run.requests),
    collections: new Map([...run.collections].map(([type, collected]) => [type, [...collected]])),
    state: new StateLog(run.state.committed),
  }
}

/** Opens an execution in every step that accepts the event, and adds them to `opened`. */
export function route(run: Run, routes: Routes, event: RoutedEvent, opened: Execution[]): void {
  for (const step of routes.get(event.type) ?? []) {
    const execution = new Execution(++run.executions, step, event)
    run.open.set(execution.id, execution)
    opened.push(execution)
  }
}

/** An execution has settled: what it wrote and took becomes part of the run. */
export function settle(run: Run, settled: Settled): void {
  run.open.delete(settled.execution)
  if (settled.writes !== undefined) run.state.commit(settled.writes)
  for (const by of settled.collected ?? []) {
    const other = run.open.get(by)
    if (other !== undefined) other.spent = true
  }
}

/** Nothing is under way and nothing will come by itself. */
export function isIdle(run: Run): boolean {
  return run.open.size === 0 && !(run.inline && run.requests.size > 0)
}

/** A step's function has returned: the one event in which a step reports an execution. */
export interface Settled {
  readonly type: 'blazen.settled'
  readonly step: string
  readonly execution: number
  readonly events: readonly RoutedEvent[]
  readonly writes: Writes | undefined
  /** The executions whose events this one collected. */
  readonly collected: readonly number[] | undefined
}

/** An attempt failed and another follows. */
export interface Retried {
  readonly type: 'blazen.retried'
  readonly execution: number
  readonly attempt: number
  readonly delayMs: number
  readonly error: unknown
}

/** A step sent an event while it goes on. */
export interface Sent {
  readonly type: 'blazen.sent'
  readonly execution: number
  readonly event: RoutedEvent
}

export interface Failed {
  readonly type: 'blazen.failed'
  readonly failure: Failure
}

export interface Answered {
  readonly type: 'blazen.answered'
  readonly requestId: string
  readonly response: RoutedEvent
}

/** All that can happen to a run, beside the events that its steps accept. */
export type RunEvent = Settled | Retried | Sent | Failed | Answered | Check

/** Something has been routed or settled: is there anything left to do? */
export interface Check {
  readonly type: 'blazen.check'
}

export function fail(failure: Failure): Failed {
  return { type: 'blazen.failed', failure }
}

export function timedOut(run: Run): Failed {
  return fail({ kind: 'runTimeout', timeoutMs: run.timeoutMs ?? 0 })
}
