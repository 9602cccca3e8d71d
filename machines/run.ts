import { addTo, type Collected, type Collecting, type Collections, uncollectAll } from './collect.ts'
import {
  type ChildRun,
  copyExecution,
  Execution,
  isAsleep,
  isPaused,
  type RoutedEvent,
  responseType,
} from './execution.ts'
import type { Journal } from './journal.ts'
import { type Failed, type Failure, fail, type InputRequest, type Settled } from './record.ts'
import type { RetryPolicy } from './retry.ts'
import { StateLog } from './state-log.ts'

/** An event that is sent later, or a request that is given up. */
export interface Timer {
  readonly id: string
  /** Milliseconds since the epoch. */
  readonly dueAt: number
  /** The event to route; `undefined` for the end of a request. */
  readonly event: RoutedEvent | undefined
  readonly requestId: string | undefined
}

/** What is known of a run and survives its process. */
export interface RunData {
  readonly id: string
  /** Executions that have not settled, in the order in which they were routed. */
  readonly open: readonly Execution[]
  /** The number of the last execution. */
  readonly executions: number
  /** What came while the run was not routing. */
  readonly queue: readonly RoutedEvent[]
  readonly requests: readonly InputRequest[]
  readonly timers: readonly Timer[]
  /** The number of the last timer. */
  readonly timersMade: number
  readonly collections: ReadonlyMap<string, readonly Collected[]>
  /** What settled executions have written. */
  readonly state: ReadonlyMap<string, unknown>
  readonly timeoutMs: number | undefined
  readonly timeLeftMs: number | undefined
  readonly result: unknown
  readonly failure: Failure | undefined
}

/**
 * All that is known of a run. It has one owner, the actor that runs it, which changes it in place: a burst of 100,000
 * events costs 100,000 times one event. Anybody else (a pure `transition`, a model checker) changes a copy.
 */
export class Run {
  readonly open = new Map<number, Execution>()
  /** How many open executions have children. */
  nesting = 0
  executions = 0
  queue: RoutedEvent[] = []
  readonly requests = new Map<string, InputRequest>()
  readonly timers = new Map<string, Timer>()
  timersMade = 0
  readonly collections: Collections = new Map()
  readonly state: StateLog
  timeoutMs: number | undefined
  /** What is left of the run's time, as of `runningSince`; `undefined` for no limit. */
  timeLeftMs: number | undefined
  result: unknown
  failure: Failure | undefined

  // What follows belongs to the process that the run is in.

  /** What the API keeps beside the run. */
  local: unknown
  /** The step that settled last. */
  lastStep: string | undefined
  /** Requests are answered by a function in this process: the run is at work then, not waiting. */
  inline = false
  /** Since when its time runs; `undefined` while that stands still. */
  runningSince: number | undefined
  /** Up to when its time is counted, while it is folded. */
  foldedUntil: number | undefined
  /** How many functions of steps are at work. */
  active = 0
  /** Whether the step actors have the open executions; they get them when the run starts to run. */
  delivered = false
  /** Whether what has to be done before any step runs was begun. */
  prepared = false
  /** Whether it is still being done: executions wait in the queues of their steps. */
  preparing = false
  /** The run is about to leave this process: what is at work goes on, and nothing more is begun. */
  halted = false
  /** Where what happens is written down before it counts; `undefined` where nothing is. */
  journal: Journal | undefined
  /** The run whose state the executions of this one share. */
  sharing: Run | undefined
  /** For steps that have no policy of their own, and begin no runs. */
  retry: RetryPolicy | undefined
  /** What is to be done with the runs inside, once the event that is being taken has been. */
  later: (() => void)[] | undefined
  /** By execution, what attempts have collected that have not settled. */
  readonly collecting = new Map<number, readonly Collecting[]>()

  constructor(
    readonly id: string,
    /** The actor that may change this object. */
    readonly owner: unknown,
    state: Iterable<readonly [string, unknown]> = [],
  ) {
    this.state = new StateLog(state)
  }

  /** For inspectors and logs: what is going on, without the users' values. */
  toJSON(): object {
    const open = [...this.open.values()].map(({ id, step, type, attempt }) => ({ id, step, type, attempt }))
    return { id: this.id, open, requests: [...this.requests.keys()], state: [...this.state.keys()] }
  }
}

/** The run as it is written down: without what has not settled. */
export function toData(run: Run): RunData {
  const collections = new Map([...run.collections].map(([type, collected]) => [type, [...collected]]))
  uncollectAll(collections, run)
  return {
    ...run,
    open: run.nesting === 0 ? [...run.open.values()] : Array.from(run.open.values(), copyExecution),
    requests: [...run.requests.values()],
    timers: [...run.timers.values()],
    collections,
    state: run.state.committed,
  }
}

/** A run as it was written down, for `owner` to go on with. */
export function fromData(data: RunData, owner: unknown): Run {
  const run = new Run(data.id, owner, data.state)
  for (const execution of data.open) {
    run.open.set(execution.id, copyExecution(execution))
    if (execution.children !== undefined) run.nesting++
  }
  for (const request of data.requests) run.requests.set(request.requestId, request)
  for (const timer of data.timers) run.timers.set(timer.id, timer)
  for (const [type, collected] of data.collections) run.collections.set(type, [...collected])
  const { executions, timersMade, timeoutMs, timeLeftMs, result, failure } = data
  return Object.assign(run, { queue: [...data.queue], executions, timersMade, timeoutMs, timeLeftMs, result, failure })
}

/** The run for `owner` to change: itself if it owns it, else a copy. */
export function ownedBy(run: Run, owner: unknown): Run {
  if (run.owner === owner) return run
  const { local, inline, runningSince, active, delivered, prepared, preparing, sharing } = run
  const ofProcess = { local, inline, runningSince, active, delivered, prepared, preparing, sharing }
  return Object.assign(fromData(toData(run), owner), ofProcess)
}

/** Which steps accept an event type, in the order of their definition. */
export type Routes = ReadonlyMap<string, readonly string[]>

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
  const execution = run.open.get(settled.execution)
  run.open.delete(settled.execution)
  if (execution?.children !== undefined) dropChildren(run, execution)
  run.lastStep = settled.step
  if (settled.writes !== undefined) run.state.commit(settled.writes)
  if (settled.shared !== undefined) run.sharing?.state.commit(settled.shared)
  if (settled.collected === undefined) return
  run.collecting.delete(settled.execution)
  for (const { type, added, taken } of settled.collected) {
    if (!settled.isApplied && execution !== undefined) applyCollection(run, execution, type, added, taken)
    for (const by of taken) {
      const other = run.open.get(by)
      if (other !== undefined) other.spent = true
    }
  }
}

function applyCollection(run: Run, execution: Execution, type: string, added: boolean, taken: readonly number[]): void {
  const waiting = [...(run.collections.get(type) ?? [])]
  if (added && !execution.spent) addTo(waiting, { by: execution.id, event: execution.event })
  const left = waiting.filter(({ by }) => !taken.includes(by))
  if (left.length > 0) run.collections.set(type, left)
  else run.collections.delete(type)
}

/** An execution has begun a run. */
export function addChild(run: Run, execution: Execution, child: ChildRun, drop: readonly string[]): void {
  if (execution.children === undefined) {
    execution.children = new Map()
    run.nesting++
  }
  for (const name of drop) execution.children.delete(name)
  execution.children.set(child.name, child)
}

/** Has something done with the runs inside: not by this event's own actions, in which nothing else may be sent. */
export function later(run: Run, fn: () => void): void {
  run.later ??= []
  run.later.push(fn)
}

/** Ends what an execution has begun and nobody waits for: also what begins only now, its attempt being over. */
function abortChildren(run: Run, { children = new Map() }: Execution): void {
  for (const child of children.values())
    if (!child.hasEnded) later(run, () => child.abort('The step that it belongs to is over.'))
}

/** What an execution has begun counts for nothing any more. */
export function dropChildren(run: Run, execution: Execution): void {
  if (execution.children === undefined) return
  abortChildren(run, execution)
  execution.children = undefined
  run.nesting--
}

/** Sets a timer; gives its id. */
export function setTimer(run: Run, dueAt: number, what: { event: RoutedEvent } | { requestId: string }): Timer {
  const timer = { id: `timer ${++run.timersMade}`, dueAt, event: undefined, requestId: undefined, ...what }
  run.timers.set(timer.id, timer)
  return timer
}

/** Takes a request, with its timer, out of the run. */
export function closeRequest(run: Run, requestId: string): Timer | undefined {
  run.requests.delete(requestId)
  for (const timer of run.timers.values()) {
    if (timer.requestId !== requestId) continue
    run.timers.delete(timer.id)
    return timer
  }
  return undefined
}

/** An event of the run itself may be the answer to a request too; gives the request's timer. */
export function closeAnswered(run: Run, event: RoutedEvent & { readonly requestId?: unknown }): Timer | undefined {
  const { type, requestId } = event
  return type === responseType && typeof requestId === 'string' ? closeRequest(run, requestId) : undefined
}

/** Nothing is under way, and nothing will come by itself but the end of a request. */
export function isIdle(run: Run): boolean {
  if (run.open.size > run.nesting || (run.inline && run.requests.size > 0)) return false
  if (run.nesting > 0 && (run.active > 0 || ![...run.open.values()].every(isAsleep))) return false
  for (const { requestId } of run.timers.values()) if (requestId === undefined) return false
  return true
}

/** Nothing is at work, also not in the runs inside. */
export function isAtRest(run: Run): boolean {
  if (run.active > 0 || run.journal?.isBusy) return false
  if (run.nesting > 0) for (const execution of run.open.values()) if (!isPaused(execution)) return false
  return true
}

/** The error with which a run ends that took too long. */
export function timedOut(run: Run): Failed {
  return fail({ kind: 'runTimeout', timeoutMs: run.timeoutMs ?? 0 })
}

/** Takes out all that was still to be done; what was collected stays where an error tells of it. */
export function clearWork(run: Run): void {
  if (run.nesting > 0) for (const execution of run.open.values()) abortChildren(run, execution)
  run.open.clear()
  run.nesting = 0
  run.queue = []
  run.requests.clear()
  run.timers.clear()
  if (run.failure === undefined) run.collections.clear()
}
