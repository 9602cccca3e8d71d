import type { AnyActorScope, AnyEventObject } from 'xstate'
import { relay } from './actor-scope.ts'
import { type Execution, type RoutedEvent, responseType, stopType } from './execution.ts'
import type { WorkflowMachine, WorkflowMachineSnapshot } from './machine.ts'
import type { Sent, Settled } from './record.ts'
import { type Routes, type Run, route, settle } from './run.ts'

type Snapshot = WorkflowMachineSnapshot<unknown>

/**
 * From logic to logic: while a run is running, events that only open executions are folded and handed to the step
 * actors at once, without a macrostep, which costs several times as much. Everything else goes to the statechart, and
 * what it declares stays the meaning: both ways lead to the same run (`test/fast-path.test.ts` holds them equal).
 * So does what comes from anybody but the owner of the run: a pure `transition` gets the actions that the chart names.
 */
export function withFastPath(machine: WorkflowMachine, routes: Routes): WorkflowMachine {
  const chart = machine.transition
  machine.transition = (snapshot, event, scope) => {
    const { run } = snapshot.context
    if (snapshot.value !== 'running' || snapshot.status !== 'active' || run.owner !== scope.self) {
      return chart(snapshot, event, scope)
    }
    const opened: Execution[] = []
    if (!fold(run, routes, event, opened)) return chart(snapshot, event, scope)
    const next = moved(snapshot, run)
    if (isStop(event)) return chart(next, event.events[0], scope)
    if (run.open.size === run.nesting) return chart(next, { type: 'blazen.check' }, scope)
    if (opened.length > 0) scope.defer(() => deliver(scope, next.children, opened))
    return next
  }
  return machine
}

/** The next snapshot, so that observers see a new one. Written out, since a spread costs as much as the rest of a step. */
export function moved(snapshot: Snapshot, run: Run): Snapshot {
  const next: { [Field in keyof Snapshot]: unknown } = {
    status: snapshot.status,
    output: snapshot.output,
    error: snapshot.error,
    machine: snapshot.machine,
    context: run === snapshot.context.run ? snapshot.context : { run },
    _nodes: snapshot._nodes,
    value: snapshot.value,
    tags: snapshot.tags,
    children: snapshot.children,
    historyValue: snapshot.historyValue,
    matches: snapshot.matches,
    hasTag: snapshot.hasTag,
    can: snapshot.can,
    getMeta: snapshot.getMeta,
    toJSON: snapshot.toJSON,
  }
  return next as Snapshot
}

/** Sends each execution to the actor of its step. */
export function deliver(scope: AnyActorScope, children: Snapshot['children'], executions: Iterable<Execution>): void {
  for (const execution of executions) {
    const step = children[execution.step]
    if (step !== undefined) relay(scope, step, execution)
  }
}

/** Changes the run by the event; false, with nothing changed, for an event that is not only routing. */
function fold(run: Run, routes: Routes, event: AnyEventObject, opened: Execution[]): boolean {
  switch (event.type) {
    case 'blazen.settled': {
      const settled = event as Settled
      if (!run.open.has(settled.execution)) return false
      if (!isStop(settled) && !areRouted(routes, settled.events)) return false
      settle(run, settled)
      if (!isStop(settled)) for (const each of settled.events) route(run, routes, each, opened)
      return true
    }
    case 'blazen.sent': {
      const sent = event as Sent
      if (sent.dueAt !== undefined || sent.execution === undefined) return false
      const execution = run.open.get(sent.execution)
      if (execution === undefined || !areRouted(routes, [sent.event])) return false
      execution.sent++
      route(run, routes, sent.event, opened)
      return true
    }
    default: {
      if (!routes.has(event.type)) return false
      route(run, routes, event, opened)
      return true
    }
  }
}

/** Whether a step has returned the one event that ends the run. */
export function isStop(event: AnyEventObject): event is Settled & { events: readonly [RoutedEvent] } {
  if (event.type !== 'blazen.settled') return false
  const { events } = event as Settled
  return events.length === 1 && events[0]?.type === stopType
}

/** Whether they do nothing but open executions; an answer closes its request. */
function areRouted(routes: Routes, events: readonly RoutedEvent[]): boolean {
  for (const { type } of events) if (!routes.has(type) || type === responseType) return false
  return true
}
