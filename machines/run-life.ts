import type { AnyActorRef, AnyActorScope, AnyEventObject, Snapshot } from 'xstate'
import { clockOf, keepErrorLocal, now } from './actor-scope.ts'
import { deliver, isStop, moved } from './fast-path.ts'
import { createRun, type Routes, type Run, route, timedOut } from './run.ts'
import { createStepActor } from './step-actor.ts'
import type { StepLogic } from './step-logic.ts'
import type { WorkflowConfig, WorkflowMachine, WorkflowMachineSnapshot } from './workflow-config.ts'

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
): WorkflowMachine {
  const { transition, restoreSnapshot } = machine
  const running = { status: 'active', value: 'running', output: undefined, error: undefined, context: {}, children: {} }

  let initial: RunSnapshot | undefined

  machine.getInitialSnapshot = (scope, input) => {
    const { runId, event, timeoutMs, inline, local } = config.begin(input)
    const run: Run = { ...createRun(runId, scope.self), timeoutMs, timeLeftMs: timeoutMs, inline, local }
    route(run, routes, event, [])
    // The same for every run but for the run itself: XState works it out once.
    initial ??= restoreSnapshot(running as unknown as Snapshot<unknown>, scope)
    const snapshot = moved(initial, run)
    snapshot.children = {}
    for (const [name, logic] of logics) snapshot.children[name] = createStepActor(logic, name, scope.self)
    return snapshot
  }

  const start = (snapshot: RunSnapshot, scope: AnyActorScope): void => {
    const { run } = snapshot.context
    run.local = config.open(run, scope)
    for (const child of Object.values(snapshot.children)) child?.start()
    if (run.timeLeftMs !== undefined) {
      run.runningSince = now(clockOf(scope))
      scope.system.scheduler.schedule(scope.self, scope.self, timedOut(run), run.timeLeftMs, 'timeout')
    }
    deliver(scope, snapshot, [...run.open.values()])
  }

  machine.transition = (snapshot, event, scope) => {
    if (snapshot.status !== 'active') return transition(snapshot, event, scope)
    const admitted = routes.has(event.type) ? config.admit(snapshot.context.run, event) : event
    if (admitted === undefined) return snapshot
    const next = isLast(admitted)
      ? withoutChildren(transition, snapshot, admitted, scope)
      : transition(snapshot, admitted, scope)
    return next.status === 'active' ? next : ended(next, config, scope)
  }

  return Object.assign(machine, { start })
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
  for (const child of Object.values(children)) if (child !== undefined) scope.stopChild(child)
  return next
}

function ended(snapshot: RunSnapshot, config: WorkflowConfig, scope: AnyActorScope): RunSnapshot {
  const { run } = snapshot.context
  scope.defer(() => config.close(run))
  if (snapshot.status !== 'done' || run.failure === undefined) return snapshot
  // Whoever wants to know asks the handler, or observes; that nobody does is no fault of the process.
  keepErrorLocal(scope.self)
  return { ...snapshot, status: 'error', output: undefined, error: config.toError(run.failure, run) } as RunSnapshot
}
