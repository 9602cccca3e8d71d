import {
  type AnyActorLogic,
  type AnyEventObject,
  type AnyStateMachine,
  assign,
  type EventObject,
  enqueueActions,
  setup,
} from 'xstate'
import type { StepConfig } from './activity.ts'
import { clockOf, now } from './actor-scope.ts'
import { type Execution, type RoutedEvent, requestType, stopType } from './execution.ts'
import { withFastPath } from './fast-path.ts'
import {
  type Answered,
  createRun,
  type Failed,
  fail,
  type InputRequest,
  isIdle,
  ownedBy,
  type Retried,
  type Routes,
  route,
  type Sent,
  type Settled,
  settle,
  timedOut,
} from './run.ts'
import { withRunLife } from './run-life.ts'
import { createStepLogic } from './step-logic.ts'
import type { WorkflowConfig, WorkflowContext, WorkflowMachine } from './workflow-config.ts'

/**
 * The life of a run. Every step is an actor that is invoked for the whole run; every event type that a step accepts
 * has one transition, which opens an execution in each accepting step and sends it to that step's actor.
 *
 * ```
 *            Greet, …: open executions          blazen.settled: route what the step returned
 *           ┌────────┐
 *           ▼        │      check: idle, and a request is open
 *        running ────┴──────────────────────────────────────────▶ waiting
 *           │  ▲                 answered, or an event from outside  │
 *           │  └─────────────────────────────────────────────────────┘
 *           ├─ StopEvent ───────────────▶ completed
 *           ├─ blazen.failed ───────────▶ failed
 *           └─ blazen.failed (aborted) ─▶ aborted
 * ```
 *
 * What must always hold: an execution is open from when its event was routed until it settles, fails or the run ends;
 * it settles once; in `waiting` nothing is open; nothing is routed after the end.
 */
export function createWorkflowMachine(config: WorkflowConfig): WorkflowMachine {
  const routes = computeRoutes(config.steps)
  const types = [...routes.keys()]
  const logics = new Map(config.steps.map((step) => [step.name, createStepLogic(step)]))

  const machine = setup({
    types: { context: {} as WorkflowContext, events: {} as AnyEventObject, input: {} as unknown },
    actors: Object.fromEntries<AnyActorLogic>(logics),
    guards: {
      aborted: ({ event }) => (event as Failed).failure.kind === 'aborted',
      asked: ({ context }) => isIdle(context.run) && (context.run.requests.size > 0 || config.idle === 'wait'),
      stalled: ({ context }) => isIdle(context.run),
      open: ({ event, context }) => context.run.open.has((event as Settled).execution),
      pending: ({ event, context }) => context.run.requests.has((event as Answered).requestId),
    },
    actions: {
      /** Opens an execution in every step that accepts the event. */
      route: enqueueActions(({ context, event, self, enqueue }) => {
        const run = ownedBy(context.run, self)
        const opened: Execution[] = []
        route(run, routes, event, opened)
        enqueue.assign({ run })
        for (const execution of opened) enqueue.sendTo(execution.step, execution)
      }),
      settle: enqueueActions(({ context, event, self, enqueue }) => {
        const settled = event as Settled
        const run = ownedBy(context.run, self)
        settle(run, settled)
        enqueue.assign({ run })
        for (const each of settled.events) enqueue.raise(routable(each, settled.step))
        enqueue.raise({ type: 'blazen.check' })
      }),
      send: enqueueActions(({ context, event, self, enqueue }) => {
        const sent = event as Sent
        const run = ownedBy(context.run, self)
        const execution = run.open.get(sent.execution)
        if (execution === undefined) return
        execution.sent++
        enqueue.assign({ run })
        enqueue.raise(routable(sent.event, execution.step))
      }),
      retry: assign(({ context, event, self }) => {
        const run = ownedBy(context.run, self)
        const execution = run.open.get((event as Retried).execution)
        if (execution !== undefined) execution.attempt = (event as Retried).attempt
        return { run }
      }),
      ask: enqueueActions(({ context, event, self, enqueue }) => {
        const request = event as InputRequest
        if (context.run.requests.has(request.requestId)) {
          enqueue.raise(fail({ kind: 'duplicateRequest', requestId: request.requestId }))
          return
        }
        const run = ownedBy(context.run, self)
        run.requests.set(request.requestId, request)
        enqueue.assign({ run })
        enqueue(() => config.ask(run, request))
      }),
      answer: enqueueActions(({ context, event, self, enqueue }) => {
        const { requestId, response } = event as Answered
        const run = ownedBy(context.run, self)
        run.requests.delete(requestId)
        enqueue.assign({ run })
        enqueue.raise(routable(response, undefined))
        enqueue.raise({ type: 'blazen.check' })
      }),
      complete: assign(({ context, event, self }) => {
        const run = ownedBy(context.run, self)
        run.result = (event as RoutedEvent & { result?: unknown }).result
        return { run }
      }),
      fail: assign(({ context, event, self }) => {
        const run = ownedBy(context.run, self)
        run.failure = (event as Failed).failure
        return { run }
      }),
      stall: assign(({ context, self }) => {
        const run = ownedBy(context.run, self)
        run.failure = { kind: 'stalled' }
        return { run }
      }),
      /** The run's own timeout counts only while the run is at work. */
      startClock: enqueueActions(({ context, self, enqueue }) => {
        if (context.run.timeLeftMs === undefined) return
        const run = ownedBy(context.run, self)
        run.runningSince = now(clockOf(self))
        enqueue.assign({ run })
        enqueue.raise(timedOut(run), { id: 'timeout', delay: Math.max(0, context.run.timeLeftMs) })
      }),
      stopClock: enqueueActions(({ context, self, enqueue }) => {
        if (context.run.timeLeftMs === undefined) return
        const run = ownedBy(context.run, self)
        run.timeLeftMs = context.run.timeLeftMs - (now(clockOf(self)) - run.runningSince)
        enqueue.assign({ run })
        enqueue.cancel('timeout')
      }),
    },
  }).createMachine({
    id: config.name,
    ...(config.version === undefined ? {} : { version: config.version }),
    context: ({ self }) => ({ run: createRun('', self) }),
    invoke: config.steps.map(({ name }) => ({ id: name, src: name })),
    initial: 'running',
    on: {
      'blazen.settled': { guard: 'open', actions: 'settle' },
      'blazen.sent': { actions: 'send' },
      'blazen.retried': { actions: 'retry' },
      'blazen.answered': { guard: 'pending', actions: 'answer' },
      'blazen.failed': [
        { guard: 'aborted', target: '.aborted', actions: 'fail' },
        { target: '.failed', actions: 'fail' },
      ],
      [requestType]: { actions: 'ask' },
      [stopType]: { target: '.completed', actions: 'complete' },
    },
    states: {
      running: {
        entry: 'startClock',
        exit: 'stopClock',
        on: {
          'blazen.check': [
            { guard: 'asked', target: 'waiting' },
            { guard: 'stalled', target: 'failed', actions: 'stall' },
          ],
          ...Object.fromEntries(types.map((type) => [type, { actions: 'route' }])),
        },
      },
      waiting: {
        on: {
          'blazen.answered': { guard: 'pending', target: 'running', actions: 'answer' },
          ...Object.fromEntries(types.map((type) => [type, { target: 'running', actions: 'route' }])),
        },
      },
      completed: { type: 'final' },
      failed: { type: 'final' },
      aborted: { type: 'final' },
    },
    output: ({ context }) => context.run.result,
  })

  /** The event to raise for one that a step gave: itself, or the failure that nobody accepts it. */
  function routable(event: RoutedEvent, step: string | undefined): EventObject {
    if (routes.has(event.type) || event.type === stopType || event.type === requestType) return event
    return fail({ kind: 'unhandled', event, step })
  }

  return withRunLife(withFastPath(asWorkflowMachine(machine), routes), config, routes, logics)
}

function computeRoutes(steps: readonly StepConfig[]): Routes {
  const routes = new Map<string, string[]>()
  for (const { name, accepts } of steps) {
    for (const type of new Set(accepts)) {
      const accepting = routes.get(type)
      if (accepting === undefined) routes.set(type, [name])
      else accepting.push(name)
    }
  }
  return routes
}

/** `setup` infers fifteen types from names that exist only at run time; this says which of them matter outside. */
function asWorkflowMachine(machine: AnyStateMachine): WorkflowMachine {
  return machine as WorkflowMachine
}
