import { defineEvent, InputRequestEvent, InputResponseEvent, StartEvent, StopEvent, workflow } from 'blazen-xstate'
import type { WorkflowMachine } from 'blazen-xstate/machines'
import { describe, expect, test, vi } from 'vitest'
import {
  type AnyActorRef,
  assign,
  createActor,
  fromPromise,
  initialTransition,
  SimulatedClock,
  setup,
  toPromise,
  transition,
  waitFor,
} from 'xstate'
import { z } from 'zod'
import { runInProcess } from './child-process.ts'
import { createGate, rejection, turns } from './waiting.ts'

const Greet = defineEvent('Greet', z.object({ name: z.string() }))
const Job = defineEvent<{ n: number }>('Job')
const never = () => new Promise<null>(() => {})

const greeter = workflow('greeter', { input: z.object({ name: z.string().default('World') }) })
  .step('parseInput', { accepts: StartEvent, emits: Greet }, (event) => Greet({ name: event.name }))
  .step('greet', { accepts: Greet, emits: StopEvent }, async (event, ctx) => {
    ctx.writeEventToStream({ type: 'Greeted', name: event.name } as never)
    return StopEvent({ result: `Hello, ${event.name}!` })
  })

const fails = workflow('fails').step('begin', { accepts: StartEvent }, async () => {
  throw new TypeError('no')
})

const asks = workflow('asks')
  .step('ask', { accepts: StartEvent }, () => InputRequestEvent({ requestId: 'r', prompt: '?' }))
  .step('answered', { accepts: InputResponseEvent }, ({ response }) => StopEvent({ result: response }))

const counts = workflow('counts', { external: Job, idle: 'wait' })
  .step('begin', { accepts: StartEvent }, () => null)
  .step('job', { accepts: Job }, ({ n }) => (n === 0 ? StopEvent({ result: 'zero' }) : null))

function start<Input, Output>(machine: WorkflowMachine<Input, Output>, input?: Input) {
  const actor = createActor(machine as WorkflowMachine<unknown, Output>, { input })
  const result = toPromise(actor)
  result.catch(() => {})
  return { actor: actor.start(), result }
}

describe('a workflow, as an XState machine', () => {
  test('runs with createActor and toPromise alone', async () => {
    expect(await start(greeter.machine, { name: 'Zach' }).result).toBe('Hello, Zach!')
    expect(await start(greeter.machine, {}).result).toBe('Hello, World!')
    expect(await start(greeter.machine, undefined).result).toBe('Hello, World!')
  })

  test('is one machine, however often it is asked for', () => {
    expect(greeter.machine).toBe(greeter.machine)
    expect(greeter.machine.id).toBe('greeter')
  })

  test('rejects with the error of the run', async () => {
    const error = await rejection(start(fails.machine).result)
    expect(error).toMatchObject({ code: 'step_failed', step: 'begin', cause: expect.any(TypeError) })
  })

  test('refuses a wrong input when it is created, running nothing', async () => {
    const error = await rejection(start(greeter.machine, { name: 5 as never }).result)
    expect(error).toMatchObject({ code: 'event_validation', issues: [{ path: 'name' }] })
  })

  test('takes events by actor.send', async () => {
    const { actor, result } = start(counts.machine)
    await turns()
    actor.send(Job({ n: 1 }))
    actor.send(Job({ n: 0 }))
    expect(await result).toBe('zero')
  })

  test('shows its life to waitFor', async () => {
    const { actor, result } = start(asks.machine)
    const waiting = await waitFor(actor, (snapshot) => snapshot.matches('waiting'))
    expect(waiting.status).toBe('active')
    actor.send({
      type: 'blazen.answered',
      requestId: 'r',
      response: InputResponseEvent({ requestId: 'r', response: 'yes' }),
    })
    expect(await result).toBe('yes')
    expect(actor.getSnapshot().value).toBe('completed')
    expect(actor.getSnapshot().output).toBe('yes')
  })

  test('emits what steps write, and requests to people, to actor.on', async () => {
    const heard: unknown[] = []
    const actor = createActor(greeter.machine, { input: { name: 'Zach' } })
    actor.on('Greeted' as never, (event) => heard.push(event))
    actor.start()
    await toPromise(actor)
    expect(heard).toEqual([{ type: 'Greeted', name: 'Zach' }])

    const asked: string[] = []
    const asking = createActor(asks.machine)
    asking.on('*', ({ type }) => asked.push(type))
    asking.start()
    await turns()
    expect(asked).toEqual([InputRequestEvent.type])
    asking.stop()
  })

  test('says on actor.on which event from outside it has refused, and goes on', async () => {
    const refused: unknown[] = []
    const gate = createGate()
    const open = workflow('open', { external: Greet })
      .step('begin', { accepts: StartEvent }, () => gate.opened.then(() => null))
      .step('greet', { accepts: Greet }, ({ name }) => StopEvent({ result: name }))
    const actor = createActor(open.machine)
    actor.on('blazen::EventRefused' as never, (event) => refused.push(event))
    actor.start()
    actor.send({ type: 'Greet', name: 5 })
    expect(refused).toMatchObject([{ event: { type: 'Greet', name: 5 }, error: { code: 'event_validation' } }])
    actor.send({ type: 'Greet', name: 'Zach' })
    expect(await toPromise(actor)).toBe('Zach')
  })

  test('has one actor per step, for the whole run, however many events', async () => {
    const wide = workflow('wide')
      .step('begin', { accepts: StartEvent }, () => Array.from({ length: 100 }, (_, n) => Job({ n })))
      .step('job', { accepts: Job }, never)
    const { actor } = start(wide.machine)
    const before = actor.getSnapshot().children
    await turns()
    const { children } = actor.getSnapshot()
    expect(Object.keys(children)).toEqual(['begin', 'job'])
    for (const name of Object.keys(children)) expect(children[name]).toBe(before[name])
    actor.stop()
  })

  test('stops its steps with actor.stop(): their signals are aborted', async () => {
    const signals: AbortSignal[] = []
    const { machine } = workflow('stopped').step('begin', { accepts: StartEvent }, (_event, ctx) => {
      signals.push(ctx.signal)
      return never()
    })
    const actor = createActor(machine).start()
    actor.stop()
    expect(signals.map(({ aborted }) => aborted)).toEqual([true])
  })

  test('reads the clock that it is given', async () => {
    const clock = new SimulatedClock()
    const { machine } = workflow('slow').step('begin', { accepts: StartEvent, timeout: '1h' }, never)
    const actor = createActor(machine, { clock })
    const result = toPromise(actor)
    actor.start()
    clock.increment(3_600_000)
    expect(await rejection(result)).toMatchObject({ code: 'step_timeout' })
  })

  test('shows its steps and the routed events to an inspector', async () => {
    const seen: string[] = []
    const idOf = (actor: object | undefined) => (actor as AnyActorRef | undefined)?.id ?? 'outside'
    const actor = createActor(greeter.machine, {
      input: { name: 'Zach' },
      inspect: (inspected) => {
        if (inspected.type !== '@xstate.event') return
        seen.push(`${idOf(inspected.sourceRef)} > ${idOf(inspected.actorRef)}: ${inspected.event.type}`)
      },
      id: 'run',
    })
    const result = toPromise(actor)
    actor.start()
    await result
    expect(seen).toContain(`run > parseInput: ${StartEvent.type}`)
    expect(seen).toContain('parseInput > run: blazen.settled')
    expect(seen).toContain('run > greet: Greet')
    expect(seen).toContain('greet > run: blazen.settled')
  })
})

describe('a listener that throws', () => {
  const listeners = {
    'to the snapshots of the run': 'actor.subscribe({ next: throws, complete: throws, error: throws })',
    'to the snapshots of a step':
      'for (const child of Object.values(actor.getSnapshot().children)) child.subscribe(throws)',
    'to what steps write': "actor.on('Written', throws)",
    'to everything that is written': "actor.on('*', throws)",
  }
  test.each(Object.entries(listeners))('%s leaves the run undisturbed', async (_name, listen) => {
    const written = await runInProcess(`
      // As with any actor of XState, the process hears of it.
      process.on('uncaughtException', (error) => { if (error.message !== 'listener') console.log(error) })
      const { createActor, toPromise } = await import('xstate')
      const throws = () => { throw new Error('listener') }
      const { machine } = workflow('heard')
        .step('begin', { accepts: StartEvent }, async (_event, ctx) => {
          ctx.writeEventToStream({ type: 'Written' })
          return [Job(), Job()]
        })
        .step('job', { accepts: Job }, async (_event, ctx) => {
          ctx.writeEventToStream({ type: 'Written' })
          await new Promise((resolve) => setImmediate(resolve))
          return StopEvent({ result: 'undisturbed' })
        })
      const actor = createActor(machine)
      ${listen}
      const result = toPromise(actor)
      actor.start()
      console.log(await result, actor.getSnapshot().value)
    `)
    expect(written).toBe('undisturbed completed')
  })
})

describe('two runs side by side', () => {
  test('do not see each other', async () => {
    const gates = { a: createGate(), b: createGate() }
    const apart = workflow('apart', { input: z.object({ name: z.enum(['a', 'b']) }) })
      .step('begin', { accepts: StartEvent }, async ({ name }, ctx) => {
        ctx.set('name', name)
        ctx.session.set('live', () => name)
        await gates[name].opened
        return Job({ n: 1 })
      })
      .step('job', { accepts: Job }, (_event, ctx) => {
        const live = ctx.session.get<() => string>('live')
        return StopEvent({ result: [ctx.get('name'), live?.(), ctx.runId] })
      })
    const one = createActor(apart.machine, { input: { name: 'a' } })
    const two = createActor(apart.machine, { input: { name: 'b' } })
    const results = [toPromise(one), toPromise(two)]
    one.start()
    two.start()
    gates.b.open()
    gates.a.open()
    const [a, b] = await Promise.all(results)
    expect(a?.slice(0, 2)).toEqual(['a', 'a'])
    expect(b?.slice(0, 2)).toEqual(['b', 'b'])
    expect(a?.[2]).not.toBe(b?.[2])
  })
})

describe("a workflow in a user's own machine", () => {
  const machineOf = (logic: typeof greeter.machine) =>
    setup({
      types: { context: {} as { said: unknown; error: unknown; live: unknown } },
      actors: { greeter: logic, other: fromPromise(async () => 'other') },
    }).createMachine({
      context: { said: undefined, error: undefined, live: undefined },
      initial: 'greeting',
      states: {
        greeting: {
          invoke: {
            src: 'greeter',
            id: 'greeter',
            input: { name: 'Zach' },
            onDone: { target: 'done', actions: assign({ said: ({ event }) => event.output }) },
            onError: { target: 'failed', actions: assign({ error: ({ event }) => event.error }) },
          },
          on: { LEAVE: 'left' },
        },
        done: { type: 'final' },
        failed: { type: 'final' },
        left: { type: 'final' },
      },
    })

  test('gives its output to onDone', async () => {
    const actor = createActor(machineOf(greeter.machine)).start()
    await toPromise(actor)
    expect(actor.getSnapshot().value).toBe('done')
    expect(actor.getSnapshot().context.said).toBe('Hello, Zach!')
  })

  test('gives its error to onError', async () => {
    const actor = createActor(machineOf(fails.machine as never)).start()
    await toPromise(actor)
    expect(actor.getSnapshot().value).toBe('failed')
    expect(actor.getSnapshot().context.error).toMatchObject({ code: 'step_failed', cause: expect.any(TypeError) })
  })

  test('is stopped when its state is left: the signals of its steps are aborted', async () => {
    const signals: AbortSignal[] = []
    const long = workflow('long', { timeout: '1h' }).step(
      'begin',
      { accepts: StartEvent, timeout: '1h' },
      (_e, ctx) => {
        signals.push(ctx.signal)
        return never()
      },
    )
    const timers = new Set<unknown>()
    const clock = {
      setTimeout: (fn: () => void, ms: number) => {
        const timer = setTimeout(fn, ms)
        timers.add(timer)
        return timer
      },
      clearTimeout: (timer: NodeJS.Timeout) => {
        timers.delete(timer)
        clearTimeout(timer)
      },
    }
    const actor = createActor(machineOf(long.machine as never), { clock }).start()
    await turns()
    expect(timers.size).toBe(2)
    actor.send({ type: 'LEAVE' })
    await turns()
    expect(signals.map(({ aborted }) => aborted)).toEqual([true])
    expect(timers.size).toBe(0)
  })

  test('goes on beside another run of the same workflow in the same system', async () => {
    const { machine } = workflow('twin').step('begin', { accepts: StartEvent }, async (event, ctx) => {
      ctx.session.set('who', event.input)
      await turns()
      return StopEvent({ result: ctx.session.get('who') })
    })
    const twins = setup({
      types: { context: {} as { results: unknown[] } },
      actors: { twin: machine },
    }).createMachine({
      context: { results: [] },
      invoke: ['one', 'two'].map((input) => ({
        src: 'twin' as const,
        id: input,
        input: input as never,
        onDone: { actions: assign({ results: ({ context, event }) => [...context.results, event.output] }) },
      })),
    })
    const actor = createActor(twins).start()
    await waitFor(actor, ({ context }) => context.results.length === 2)
    expect(actor.getSnapshot().context.results.sort()).toEqual(['one', 'two'])
    actor.stop()
  })
})

describe('a persisted snapshot', () => {
  test('is JSON, of a busy run too', async () => {
    const busy = workflow('busy', { timeout: '1h' })
      .step('begin', { accepts: StartEvent }, (_event, ctx) => {
        ctx.set('count', 1)
        ctx.session.set('cache', new Map([['a', 1]]))
        return [Job({ n: 1 }), Job({ n: 2 }), InputRequestEvent({ requestId: 'r', prompt: '?' })]
      })
      .step('job', { accepts: Job, concurrency: 1, timeout: '1h' }, async (_event, ctx) => {
        ctx.collect(Job, 3)
        return never()
      })
    const actor = createActor(busy.machine).start()
    await turns()
    const persisted = actor.getPersistedSnapshot()
    const text = JSON.stringify(persisted)
    expect(JSON.parse(text)).toEqual(persisted)
    expect(persisted).toMatchObject({ status: 'active', value: 'running' })
    actor.stop()
  })

  test('of a run that has ended holds its output', async () => {
    const { actor, result } = start(greeter.machine, { name: 'Zach' })
    await result
    const persisted = actor.getPersistedSnapshot()
    expect(JSON.parse(JSON.stringify(persisted))).toMatchObject({ status: 'done', output: 'Hello, Zach!' })
  })

  test('changes nothing in the run', async () => {
    const { actor, result } = start(greeter.machine, { name: 'Zach' })
    for (let n = 0; n < 3; n++) actor.getPersistedSnapshot()
    expect(await result).toBe('Hello, Zach!')
  })
})

describe('initialTransition and transition', () => {
  /** All of a run that can be compared. */
  const pictureOf = (snapshot: { context: { run: Picture }; value: unknown; status: unknown }) => {
    const { run } = snapshot.context
    return structuredClone({
      value: snapshot.value,
      status: snapshot.status,
      open: [...run.open.values()].map((execution) => ({ ...execution })),
      executions: run.executions,
      requests: [...run.requests],
      collections: [...run.collections],
      state: [...run.state.committed],
      result: run.result,
      failure: run.failure,
    })
  }
  interface Picture {
    open: Map<number, object>
    executions: number
    requests: Map<string, unknown>
    collections: Map<string, unknown>
    state: { committed: Map<string, unknown> }
    result: unknown
    failure: unknown
  }

  test('run no step and do not change the snapshot that they are given', () => {
    const ran = vi.fn()
    const { machine } = workflow('pure', { external: Job })
      .step('begin', { accepts: StartEvent }, ran)
      .step('job', { accepts: Job, retry: { attempts: 2 } }, ran)
    const [initial] = initialTransition(machine, undefined)
    expect(initial.value).toBe('running')
    expect(initial.context.run.open.size).toBe(1)
    const events = [
      Job({ n: 1 }),
      { type: 'blazen.sent', execution: 1, event: Job({ n: 2 }) },
      { type: 'blazen.retried', execution: 1, attempt: 2, delayMs: 0, error: 1 },
      {
        type: 'blazen.settled',
        step: 'begin',
        execution: 1,
        events: [Job({ n: 3 }), InputRequestEvent({ requestId: 'r', prompt: '?' })],
        writes: new Map([['key', 1]]),
        collected: [{ type: 'Job', added: false, taken: [2] }],
      },
      { type: 'blazen.answered', requestId: 'r', response: InputResponseEvent({ requestId: 'r', response: 1 }) },
      { type: 'blazen.settled', step: 'begin', execution: 1, events: [StopEvent({ result: 1 })] },
      { type: 'blazen.failed', failure: { kind: 'aborted', reason: 1 } },
      { type: 'Nobody' },
    ]
    const snapshots = [initial]
    for (const event of events) {
      for (const snapshot of [...snapshots]) {
        const before = pictureOf(snapshot)
        const [next] = transition(machine, snapshot, event as never)
        expect(pictureOf(snapshot), event.type).toEqual(before)
        const [again] = transition(machine, snapshot, event as never)
        expect(pictureOf(again), event.type).toEqual(pictureOf(next))
        if (snapshots.length < 40) snapshots.push(next)
      }
    }
    expect(new Set(snapshots.map(({ value }) => value)).size).toBeGreaterThan(2)
    expect(ran).not.toHaveBeenCalled()
  })

  test('do not change the snapshot of a run that is alive', async () => {
    const { actor, result } = start(counts.machine)
    await turns()
    const snapshot = actor.getSnapshot()
    const before = pictureOf(snapshot)
    const [next] = transition(counts.machine, snapshot as never, Job({ n: 0 }))
    expect(next.context.run.open.size).toBe(1)
    expect(pictureOf(snapshot)).toEqual(before)
    expect(pictureOf(actor.getSnapshot())).toEqual(before)
    actor.send(Job({ n: 0 }))
    expect(await result).toBe('zero')
  })

  test('give the output of a run that they lead to its end', () => {
    const [initial] = initialTransition(greeter.machine, { name: 'Zach' })
    const settled = (step: string, execution: number, event: object) =>
      ({ type: 'blazen.settled', step, execution, events: [event], writes: undefined, collected: undefined }) as never
    const [greeting] = transition(greeter.machine, initial, settled('parseInput', 1, Greet({ name: 'Zach' })))
    expect([...greeting.context.run.open.values()]).toMatchObject([{ id: 2, step: 'greet', type: 'Greet' }])
    const [done] = transition(greeter.machine, greeting, settled('greet', 2, StopEvent({ result: 'pure' })))
    expect(done).toMatchObject({ status: 'done', value: 'completed', output: 'pure' })
    expect(greeting.status).toBe('active')
  })

  test('ignore a report that came already', () => {
    const [initial] = initialTransition(greeter.machine, { name: 'Zach' })
    const settled = { type: 'blazen.settled', step: 'parseInput', execution: 1, events: [Greet({ name: 'Zach' })] }
    const [once] = transition(greeter.machine, initial, settled as never)
    const [twice] = transition(greeter.machine, once, settled as never)
    expect(pictureOf(twice)).toEqual(pictureOf(once))
  })

  test('mark executions whose event another has collected, so that it is not collected again', () => {
    const { machine } = workflow('marks', { external: Job })
      .step('begin', { accepts: StartEvent }, () => null)
      .step('job', { accepts: Job }, () => null)
    const [initial] = initialTransition(machine, undefined)
    const [two] = transition(machine, initial, Job({ n: 1 }))
    const [three] = transition(machine, two, Job({ n: 2 }))
    const settled = {
      type: 'blazen.settled',
      step: 'job',
      execution: 3,
      events: [],
      collected: [{ type: 'Job', added: true, taken: [2, 3] }],
    }
    const [next] = transition(machine, three, settled as never)
    expect([...next.context.run.open.values()].map(({ id, spent }) => [id, spent])).toEqual([
      [1, false],
      [2, true],
    ])
    expect(three.context.run.open.get(2)?.spent).toBe(false)
  })

  test('refuse an event from outside that does not fit its schema without a word', () => {
    const { machine } = workflow('strict', { external: Greet, onInput: () => 'answer' })
      .step('begin', { accepts: StartEvent }, () => null)
      .step('greet', { accepts: Greet }, () => null)
    const [initial] = initialTransition(machine, undefined)
    const [next] = transition(machine, initial, { type: 'Greet', name: 5 })
    expect(next.status).toBe('active')
    expect(next.context.run.open.size).toBe(1)
  })

  test('name what is to be done: the executions to deliver', () => {
    const [initial] = initialTransition(greeter.machine, { name: 'Zach' })
    const settled = { type: 'blazen.settled', step: 'parseInput', execution: 1, events: [Greet({ name: 'Zach' })] }
    const [, actions] = transition(greeter.machine, initial, settled as never)
    expect(actions.map(({ type }) => type)).toContain('xstate.sendTo')
  })
})
