import {
  type AnyActorLogic,
  type AnyActorRef,
  type AnyEventObject,
  type AnyStateMachine,
  assign,
  type EventObject,
  enqueueActions,
  setup,
} from 'xstate'
import type { StepConfig } from './activity.ts'
import { Child } from './child.ts'
import { type ChildRun, type Execution, type RoutedEvent, requestType, stopType } from './execution.ts'
import { withFastPath } from './fast-path.ts'
import type { Flow } from './flow-chart.ts'
import { type Fact, fold } from './fold.ts'
import type { RunPicture, WorkflowContext, WorkflowMachine } from './machine.ts'
import { prepare } from './preparing.ts'
import {
  type Answered,
  type Begun,
  type Failed,
  type Fired,
  fail,
  type InputRequest,
  type OfChild,
  type Paused,
  type Retried,
  type Sent,
  type Settled,
} from './record.ts'
import {
  addChild,
  closeAnswered,
  closeRequest,
  dropChildren,
  isAtRest,
  isIdle,
  later,
  ownedBy,
  type Routes,
  Run,
  route,
  setTimer,
  settle,
} from './run.ts'
import { withRunLife } from './run-life.ts'
import { createStepLogic } from './step-logic.ts'
import { arm, armAll, disarm, disarmAll, startClock, stopClock } from './timers.ts'
import type { WorkflowConfig } from './workflow-config.ts'

/** A workflow's machine, and the same transitions as a fold over what was written down. */
export interface WorkflowLogic {
  readonly machine: WorkflowMachine
  /** The transitions alone, of which nothing is called, sent or armed. */
  readonly transition: WorkflowMachine['transition']
  /**
   * Where a run is after `facts`, from where the snapshot of `actor` says, which was made and never started: nothing is
   * called, sent or armed.
   */
  readonly fold: (actor: AnyActorRef, facts: Iterable<Fact>, since?: number) => RunPicture
}

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
 *           │  ├─────────────────────────────────────────────────────┘
 *           │  └── blazen.resume ── paused ◀──(nothing at work)── pausing ◀── blazen.pause
 *           ├─ StopEvent ───────────────▶ completed
 *           ├─ blazen.failed ───────────▶ failed
 *           └─ blazen.failed (aborted) ─▶ aborted
 * ```
 *
 * What must always hold: an execution is open from when its event was routed until it settles, fails or the run ends;
 * it settles once; in `waiting` nothing is open but what has begun runs that wait too; in `pausing` and `paused` nothing
 * is routed, what comes is queued, but a person is asked at once; nothing is routed after the end.
 */
export function createWorkflowMachine(config: WorkflowConfig): WorkflowLogic {
  const routes = computeRoutes(config.steps)
  const logics = new Map(config.steps.map((step) => [step.name, createStepLogic(step)]))
  const children = new Map(config.steps.map(({ name, child }) => [name, child]))
  const on = <Transition>(transition: Transition) =>
    Object.fromEntries([...routes.keys()].map((type) => [type, transition]))

  const machine = setup({
    types: { context: {} as WorkflowContext, events: {} as AnyEventObject, input: {} as unknown },
    actors: Object.fromEntries<AnyActorLogic>(logics),
    guards: {
      aborted: ({ event }) => (event as Failed).failure.kind === 'aborted',
      asked: ({ context: { run } }) =>
        isIdle(run) && (run.requests.size > 0 || run.nesting > 0 || config.idle === 'wait'),
      stalled: ({ context }) => isIdle(context.run),
      stirred: ({ context }) => !isIdle(context.run),
      atRest: ({ context }) => isAtRest(context.run),
      open: ({ event, context }) => context.run.open.has((event as Settled | Begun).execution),
      inside: ({ event, context }) => {
        const { execution, name } = event as OfChild
        return context.run.open.get(execution)?.children?.has(name) === true
      },
      pending: ({ event, context }) => context.run.requests.has((event as Answered).requestId),
      due: ({ event, context }) => context.run.timers.has((event as Fired).timer),
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
        for (const each of settled.events) {
          const timer = closeAnswered(run, each)
          if (timer !== undefined) enqueue(() => disarm(self, timer))
          enqueue.raise(routable(each, settled.step))
        }
        enqueue.raise({ type: 'blazen.check' })
      }),
      send: enqueueActions(({ context, event, self, enqueue }) => {
        const sent = event as Sent
        const run = ownedBy(context.run, self)
        const execution = sent.execution === undefined ? undefined : run.open.get(sent.execution)
        if (sent.execution !== undefined && execution === undefined) return
        if (execution !== undefined) execution.sent++
        enqueue.assign({ run })
        if (sent.dueAt === undefined) {
          const answered = closeAnswered(run, sent.event)
          if (answered !== undefined) enqueue(() => disarm(self, answered))
          enqueue.raise(routable(sent.event, execution?.step))
        } else {
          const timer = setTimer(run, sent.dueAt, { event: sent.event })
          enqueue(() => arm(self, timer))
        }
        enqueue.raise({ type: 'blazen.check' })
      }),
      retry: enqueueActions(({ context, event, self, enqueue }) => {
        const { execution: id, attempt, dueAt } = event as Retried
        const run = ownedBy(context.run, self)
        const execution = run.open.get(id)
        if (execution !== undefined) {
          dropChildren(run, execution)
          Object.assign(execution, { attempt, dueAt })
        }
        enqueue.assign({ run })
        // Where it is written down first, the next attempt waits for that.
        if (execution !== undefined && run.journal !== undefined) enqueue.sendTo(execution.step, execution)
        enqueue.raise({ type: 'blazen.check' })
      }),
      /** An execution begins a run of its own. */
      begin: enqueueActions(({ context, event, self, enqueue }) => {
        const { execution: id, child: begun, drop, writes } = event as Begun
        const run = ownedBy(context.run, self)
        const execution = run.open.get(id)
        if (execution === undefined) return
        const step: AnyActorRef | undefined = self.getSnapshot().children[execution.step]
        const child = run.owner === self && step !== undefined ? revive(run, execution, begun, step) : begun
        addChild(run, execution, child, drop)
        if (writes !== undefined) run.state.commit(writes)
        enqueue.assign({ run })
        if (child === begun) later(run, () => child.start())
        enqueue.raise({ type: 'blazen.check' })
      }),
      /** What begins while the run is being paused is paused. */
      holdBegun: enqueueActions(({ context: { run }, event }) => {
        const { execution, child } = event as Begun
        const held = run.open.get(execution)?.children?.get(child.name)
        const pause: Paused = { type: 'blazen.pause', inFlight: 'wait' }
        if (held === child) later(run, () => held.tell(pause, (fn) => fn()))
        else held?.tell(pause, (fn) => later(run, fn))
      }),
      tellChild: enqueueActions(({ context: { run }, event, enqueue }) => {
        const { execution, name, event: inner } = event as OfChild
        const child = run.open.get(execution)?.children?.get(name)
        child?.tell(inner, (fn) => later(run, fn))
        enqueue.raise({ type: 'blazen.check' })
      }),
      /** Pauses the runs inside, or has them go on. */
      tellChildren: enqueueActions(({ context: { run }, event, enqueue }) => {
        if (run.nesting === 0) return
        for (const { children } of run.open.values())
          for (const child of children?.values() ?? []) child.tell(event, (fn) => later(run, fn))
        enqueue.raise({ type: 'blazen.check' })
      }),
      fire: enqueueActions(({ context, event, self, enqueue }) => {
        const run = ownedBy(context.run, self)
        const timer = run.timers.get((event as Fired).timer)
        if (timer === undefined) return
        run.timers.delete(timer.id)
        enqueue.assign({ run })
        const request = timer.requestId === undefined ? undefined : run.requests.get(timer.requestId)
        const answered = timer.event === undefined ? undefined : closeAnswered(run, timer.event)
        if (answered !== undefined) enqueue(() => disarm(self, answered))
        if (timer.event !== undefined) enqueue.raise(routable(timer.event, undefined))
        // The answer checks when it has been routed; before that, the run would look as if nothing were left.
        enqueue.raise(request === undefined ? { type: 'blazen.check' } : config.expire(request))
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
        if (request.dueAt !== undefined) {
          const timer = setTimer(run, request.dueAt, { requestId: request.requestId })
          enqueue(() => arm(self, timer))
        }
        enqueue(() => config.ask(run, request))
      }),
      answer: enqueueActions(({ context, event, self, enqueue }) => {
        const { requestId, response } = event as Answered
        const run = ownedBy(context.run, self)
        const timer = closeRequest(run, requestId)
        enqueue.assign({ run })
        if (timer !== undefined) enqueue(() => disarm(self, timer))
        enqueue.raise(routable(response, undefined))
        enqueue.raise({ type: 'blazen.check' })
      }),
      /** Puts an event aside until the run goes on. */
      keep: assign(({ context, event, self }) => {
        const run = ownedBy(context.run, self)
        run.queue.push(event)
        return { run }
      }),
      hold: enqueueActions(({ event, enqueue }) => {
        for (const { name } of config.steps) enqueue.sendTo(name, event as Paused)
        enqueue.raise({ type: 'blazen.check' })
      }),
      /** Goes on with all that is open and queued. */
      goOn: enqueueActions(({ context, self, enqueue }) => {
        const run = ownedBy(context.run, self)
        const queue = run.queue
        run.queue = []
        const undelivered = run.delivered ? [] : [...run.open.values()]
        run.delivered = true
        enqueue.assign({ run })
        enqueue(() => prepare(self, run, config))
        for (const { name } of config.steps) enqueue.sendTo(name, { type: 'blazen.resume' })
        for (const execution of undelivered) enqueue.sendTo(execution.step, execution)
        for (const each of queue) enqueue.raise(routable(each, undefined))
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
        run.failure = { kind: 'stalled', step: run.lastStep }
        return { run }
      }),
      armTimers: ({ context, self }) => armAll(self, context.run),
      disarmTimers: ({ context, self }) => disarmAll(self, context.run),
      startClock: ({ context, self }) => startClock(self, context.run),
      stopClock: ({ context, self }) => stopClock(self, context.run),
    },
  }).createMachine({
    id: config.name,
    ...(config.version === undefined ? {} : { version: config.version }),
    meta: { flow: toFlow(config) },
    context: ({ self }) => ({ run: new Run('', self) }),
    invoke: config.steps.map(({ name }) => ({ id: name, src: name })),
    initial: 'running',
    on: {
      'blazen.settled': { guard: 'open', actions: 'settle' },
      'blazen.sent': { actions: 'send' },
      'blazen.retried': { actions: 'retry' },
      'blazen.begun': { guard: 'open', actions: 'begin' },
      'blazen.child': { guard: 'inside', actions: 'tellChild' },
      'blazen.fired': { guard: 'due', actions: 'fire' },
      'blazen.answered': { guard: 'pending', actions: 'answer' },
      'blazen.pause': { target: '.pausing' },
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
          ...on({ actions: 'route' }),
          'blazen.check': [
            { guard: 'asked', target: 'waiting' },
            { guard: 'stalled', target: 'failed', actions: 'stall' },
          ],
        },
      },
      waiting: {
        on: {
          ...on({ target: 'running', actions: 'route' }),
          'blazen.sent': { target: 'running', actions: 'send' },
          'blazen.fired': { guard: 'due', target: 'running', actions: 'fire' },
          'blazen.answered': { guard: 'pending', target: 'running', actions: 'answer' },
          'blazen.check': { guard: 'stirred', target: 'running' },
        },
      },
      pausing: {
        entry: ['startClock', 'hold', 'tellChildren'],
        exit: 'stopClock',
        on: {
          ...on({ actions: 'keep' }),
          [stopType]: { actions: 'keep' },
          'blazen.begun': { guard: 'open', actions: ['begin', 'holdBegun'] },
          'blazen.check': { guard: 'atRest', target: 'paused' },
          'blazen.resume': { target: 'running', actions: ['goOn', 'tellChildren'] },
        },
      },
      paused: {
        entry: 'disarmTimers',
        exit: 'armTimers',
        on: {
          ...on({ actions: 'keep' }),
          [requestType]: { actions: ['ask', 'disarmTimers'] },
          [stopType]: { actions: 'keep' },
          'blazen.pause': {},
          'blazen.sent': { actions: ['send', 'disarmTimers'] },
          'blazen.begun': { guard: 'open', actions: ['begin', 'holdBegun'] },
          'blazen.resume': { target: 'running', actions: ['goOn', 'tellChildren'] },
        },
      },
      completed: { type: 'final' },
      failed: { type: 'final' },
      aborted: { type: 'final' },
    },
    output: ({ context }) => context.run.result,
  })

  /** A child that has an actor, which it may have lacked when it was read. */
  function revive(run: Run, execution: Execution, child: ChildRun, step: AnyActorRef): ChildRun {
    const logic = children.get(execution.step)?.(child.name)
    return child instanceof Child || logic === undefined ? child : Child.from(child, logic, run, execution, step)
  }

  /** The event to raise for one that a step gave: itself, or the failure that nobody accepts it. */
  function routable(event: RoutedEvent, step: string | undefined): EventObject {
    if (routes.has(event.type) || event.type === stopType || event.type === requestType) return event
    return fail({ kind: 'unhandled', event, step })
  }

  const routed = withFastPath(asWorkflowMachine(machine), routes)
  const { transition } = routed
  return {
    machine: withRunLife(routed, config, routes, logics, revive),
    transition,
    fold: (actor, facts, since) => fold(transition, actor, facts, since),
  }
}

/** What charts of the flow are drawn from. */
function toFlow({ name, steps }: WorkflowConfig): Flow {
  return { name, steps: steps.map(({ name, accepts, emits }) => ({ name, accepts, emits })) }
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

/** `setup` infers fifteen types from names that exist only at run time; `WorkflowMachine` says which matter outside. */
function asWorkflowMachine(machine: AnyStateMachine): WorkflowMachine {
  return machine as WorkflowMachine
}
