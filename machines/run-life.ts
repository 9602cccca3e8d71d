import type { AnyActorRef, AnyActorScope, AnyEventObject, Snapshot } from 'xstate'
import { clockOf, keepErrorLocal, keepInspectionApart, now } from './actor-scope.ts'
import { type ChildRun, type Execution, responseType } from './execution.ts'
import { deliver, isStop, moved } from './fast-path.ts'
import { isFact } from './journal.ts'
import type { RunPicture, WorkflowMachine, WorkflowMachineSnapshot } from './machine.ts'
import { prepare } from './preparing.ts'
import type { Fired } from './record.ts'
import { clearWork, fromData, type Routes, Run, route, toData } from './run.ts'
import { createStepActor } from './step-actor.ts'
import type { StepLogic } from './step-logic.ts'
import { arm, armAll, startClock, timeLeft } from './timers.ts'
import type { WorkflowConfig } from './workflow-config.ts'

type RunSnapshot = WorkflowMachineSnapshot<unknown>

/**
 * From logic to logic: ties a run to the process that it lives in. A new run is built as a restored one is, so there is
 * one way to start: it opens, its timeout is armed, and every open execution is delivered. It closes once, when it ends
 * or its actor is stopped. A run that ended in `failed` or `aborted` is an actor with an error, as a failed promise is.
 */
export function withRunLife(
  machine: WorkflowMachine,
  config: WorkflowConfig,
  routes: Routes,
  logics: ReadonlyMap<string, StepLogic>,
  revive: (run: Run, execution: Execution, child: ChildRun, step: AnyActorRef) => ChildRun,
): WorkflowMachine {
  const { transition, restoreSnapshot } = machine

  /** A snapshot in which `value` is the state: what XState works out of it is the same for every run. */
  const templates = new Map<string, RunSnapshot>()
  const begin = (picture: Pick<RunPicture, 'status' | 'value'>, run: Run, scope: AnyActorScope): RunSnapshot => {
    if (scope.self._parent === undefined) keepInspectionApart(scope.system)
    const { status, value } = picture
    const key = `${status} ${String(value)}`
    let template = templates.get(key)
    if (template === undefined) {
      const bare = { status, value, output: undefined, error: undefined, context: {}, children: {} }
      template = restoreSnapshot(bare as unknown as Snapshot<unknown>, scope)
      templates.set(key, template)
    }
    const snapshot = moved(template, run)
    snapshot.children = {}
    if (status === 'active') {
      for (const [name, logic] of logics) snapshot.children[name] = createStepActor(logic, name, scope.self)
    }
    return snapshot
  }

  machine.getInitialSnapshot = (scope, input) => {
    const { runId, event, timeoutMs, state, ...here } = config.begin(input)
    const run = new Run(runId, scope.self, state)
    run.timeoutMs = timeoutMs
    run.timeLeftMs = timeoutMs
    Object.assign(run, here)
    route(run, routes, event, [])
    return begin({ status: 'active', value: 'running' }, run, scope)
  }

  machine.getPersistedSnapshot = ({ status, value, context: { run } }) =>
    config.persist(
      { status, value, data: { ...toData(run), timeLeftMs: timeLeft(run.owner as AnyActorRef, run) } },
      run,
    )

  machine.restoreSnapshot = (persisted, scope) => {
    const { status, value, data, inline, local, journal, sharing, retry } = config.restore(persisted)
    const run = Object.assign(fromData(data, scope.self), { inline, local, journal, sharing, retry })
    const snapshot = begin({ status, value }, run, scope)
    if (status === 'active' && run.nesting > 0) reviveChildren(run, snapshot, revive)
    if (status !== 'active') {
      run.local = config.open(run, scope)
      config.close(run)
      keepErrorLocal(scope.self)
    }
    if (status === 'done') return Object.assign(snapshot, { output: run.result })
    return status === 'error' && run.failure !== undefined
      ? Object.assign(snapshot, { error: config.toError(run.failure, run) })
      : snapshot
  }

  const start = (snapshot: RunSnapshot, scope: AnyActorScope): void => {
    if (snapshot.status !== 'active') return
    const { run } = snapshot.context
    run.local = config.open(run, scope)
    clockOf(scope).began?.(scope.self)
    for (const child of Object.values(snapshot.children)) child?.start()
    if (run.nesting > 0) startChildren(run)
    // Whoever asked before the restart asks again.
    for (const request of run.requests.values()) config.ask(run, request)
    if (snapshot.value === 'paused') return
    armAll(scope.self, run)
    prepare(scope.self, run, config)
    run.delivered = true
    if (snapshot.value !== 'waiting') startClock(scope.self, run)
    else if (run.nesting === 0) return
    if (run.open.size > 0) deliver(scope, snapshot.children, [...run.open.values()])
    else if (!run.preparing) scope.self.send({ type: 'blazen.check' })
  }

  machine.transition = (snapshot, event, scope) => {
    if (snapshot.status !== 'active') return transition(snapshot, event, scope)
    const { run } = snapshot.context
    const { journal: own, owner } = run
    // Whoever else looks at the run, such as a pure transition, writes nothing down.
    const journal = owner === scope.self ? own : undefined
    const isKept = journal?.folding === event
    if (event.type === 'blazen.fired' && !isKept && isEarly(scope, run, event as Fired)) return snapshot
    const isFromOutside = routes.has(event.type) || event.type === responseType
    const admitted = isFromOutside && !isKept ? config.admit(run, event) : event
    if (admitted === undefined) return snapshot
    if (journal !== undefined && !isKept && isFact(event)) {
      scope.defer(() => journal.submit(admitted, event))
      return snapshot
    }
    const next = isLast(admitted)
      ? withoutChildren(transition, snapshot, admitted, scope)
      : transition(snapshot, admitted, scope)
    const last = next.status === 'active' ? next : ended(next, config, scope)
    if (run.later !== undefined) scope.defer(() => doLater(run))
    return last
  }

  return Object.assign(machine, { start })
}

function doLater(run: Run): void {
  const fns = run.later ?? []
  run.later = undefined
  for (const fn of fns) fn()
}

/** Gives the children that came with a run the actors that they had. */
function reviveChildren(
  run: Run,
  { children: steps }: RunSnapshot,
  revive: (run: Run, execution: Execution, child: ChildRun, step: AnyActorRef) => ChildRun,
): void {
  for (const execution of run.open.values()) {
    const step = steps[execution.step]
    if (execution.children === undefined || step === undefined) continue
    const revived = Array.from(execution.children.values(), (child) => revive(run, execution, child, step))
    execution.children = new Map(revived.map((child) => [child.name, child]))
  }
}

function startChildren(run: Run): void {
  for (const { children } of run.open.values()) for (const child of children?.values() ?? []) child.start()
}

/** Whether a timer went off because it is further away than JavaScript can count; it is armed again then. */
function isEarly(scope: AnyActorScope, run: Run, { timer: id }: Fired): boolean {
  const timer = run.timers.get(id)
  if (timer === undefined || timer.dueAt - now(clockOf(scope)) < 1) return false
  arm(scope.self, timer)
  return true
}

/** Whether the event is about to end the run, and does nothing else. */
function isLast(event: AnyEventObject): boolean {
  return event.type === 'blazen.failed' || event.type === 'xstate.stop' || isStop(event)
}

/** XState copies all children for each that it stops: a quadratic end for a workflow of many steps. So they are stopped here. */
function withoutChildren(
  transition: WorkflowMachine['transition'],
  snapshot: RunSnapshot,
  event: AnyEventObject,
  scope: AnyActorScope,
): RunSnapshot {
  const { children } = snapshot
  const next = transition({ ...snapshot, children: {} }, event, scope)
  if (next.status === 'active') return { ...next, children }
  scope.defer(() => {
    for (const child of Object.values(children)) if (child !== undefined) scope.stopChild(child)
  })
  return next
}

function ended(snapshot: RunSnapshot, config: WorkflowConfig, scope: AnyActorScope): RunSnapshot {
  const { run } = snapshot.context
  scope.defer(() => config.close(run))
  // A stopped actor leaves its run where it was; a run that has ended has nothing left to do.
  if (snapshot.status === 'done') clearWork(run)
  if (snapshot.status !== 'done' || run.failure === undefined) return snapshot
  // Whoever wants to know asks the handler, or observes; that nobody does is no fault of the process.
  keepErrorLocal(scope.self)
  return { ...snapshot, status: 'error', output: undefined, error: config.toError(run.failure, run) } as RunSnapshot
}
