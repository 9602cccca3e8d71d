import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { turns } from './waiting.ts'

type Library = typeof import('blazen-xstate')
type AnyEvent = import('blazen-xstate').AnyEvent
type StepContext = import('blazen-xstate').StepContext
type InputRequest = ReturnType<Library['InputRequestEvent']>
type From = AnyEvent & { readonly from: string }

/** The library twice: as it is, and with every event going through the statechart. */
async function loadBoth(): Promise<{ fast: Library; chart: Library }> {
  const fast = await import('blazen-xstate')
  vi.resetModules()
  vi.doMock('../machines/fast-path.ts', async (original) => ({
    ...(await original<typeof import('../machines/fast-path.ts')>()),
    withFastPath: (machine: unknown) => machine,
  }))
  const chart = await import('blazen-xstate')
  vi.doUnmock('../machines/fast-path.ts')
  vi.resetModules()
  return { fast, chart }
}
const { fast, chart } = await loadBoth()

/** What a step does at one of its executions. */
interface Act {
  readonly pause: number
  readonly sends: readonly number[]
  readonly returns: readonly number[]
  readonly asArray: boolean
  readonly end:
    | 'return'
    | 'stop'
    | 'stop among others'
    | 'throw'
    | 'throw once'
    | 'return nonsense'
    | 'ask'
    | 'send stop'
  readonly collect: number
  readonly write: boolean
}

interface Plan {
  readonly steps: readonly {
    readonly accepts: readonly number[]
    readonly concurrency: number
    readonly acts: readonly Act[]
    readonly answers: boolean
  }[]
  readonly idle: 'fail' | 'wait'
  readonly inline: boolean
  readonly retry: boolean
  readonly fromOutside: readonly number[]
}

const types = 4
/** One more than there are steps for: nobody accepts it. */
const type = fc.nat(types)
const act: fc.Arbitrary<Act> = fc.record({
  pause: fc.nat(3),
  sends: fc.array(fc.nat(types - 1), { maxLength: 2 }),
  returns: fc.array(fc.oneof({ weight: 30, arbitrary: fc.nat(types - 1) }, { weight: 1, arbitrary: type }), {
    maxLength: 3,
  }),
  asArray: fc.boolean(),
  end: fc.oneof(
    { weight: 20, arbitrary: fc.constant('return' as const) },
    {
      weight: 5,
      arbitrary: fc.constantFrom(
        'stop' as const,
        'stop among others' as const,
        'throw' as const,
        'throw once' as const,
        'return nonsense' as const,
        'ask' as const,
        'send stop' as const,
      ),
    },
  ),
  collect: fc.nat(3),
  write: fc.boolean(),
})
const plans: fc.Arbitrary<Plan> = fc.record({
  steps: fc.array(
    fc.record({
      accepts: fc.uniqueArray(fc.nat(types - 1), { minLength: 1, maxLength: 3 }),
      concurrency: fc.constantFrom(1, 2, Number.POSITIVE_INFINITY),
      acts: fc.array(act, { minLength: 1, maxLength: 4 }),
      answers: fc.boolean(),
    }),
    { minLength: 1, maxLength: 5 },
  ),
  idle: fc.constantFrom('fail' as const, 'wait' as const),
  inline: fc.boolean(),
  retry: fc.boolean(),
  fromOutside: fc.array(fc.nat(types - 1), { maxLength: 3 }),
})

const budget = 60

/** Runs the plan, and tells all that can be seen of it. */
async function perform(
  { workflow, defineEvent, StartEvent, StopEvent, InputRequestEvent, InputResponseEvent }: Library,
  plan: Plan,
) {
  const log: string[] = []
  const Types = Array.from({ length: types + 1 }, (_, at) => defineEvent<{ from: string }>(`T${at}`))
  let executions = 0
  let requests = 0

  const stepsOf = plan.steps.map(({ accepts, concurrency, acts, answers }, at) => {
    const name = `s${at}`
    let called = 0
    const step = {
      options: {
        accepts: [
          ...accepts.map((type) => Types[type] as (typeof Types)[number]),
          ...(at === 0 ? [StartEvent] : []),
          ...(answers ? [InputResponseEvent] : []),
        ],
        ...(concurrency === Number.POSITIVE_INFINITY ? {} : { concurrency }),
        ...(plan.retry ? { retry: { attempts: 2 } } : {}),
      },
      run: (event: AnyEvent & { readonly from?: string }, ctx: StepContext) => {
        const turn = called++
        const act = acts[turn % acts.length] as Act
        const label = `${name}#${turn}`
        log.push(
          `${label} begins on ${event.type} from ${event.from} (${ctx.executionId.split('/')[1]}.${ctx.attempt})`,
        )
        if (++executions > budget) return null
        const make = (type: number) => (Types[type] as (typeof Types)[number])({ from: label })
        const actNow = () => {
          const previous = (ctx.get('seen') as number | undefined) ?? 0
          ctx.set('seen', previous + 1)
          log.push(`${label} has seen ${previous}`)
          if (act.write) ctx.writeEventToStream({ type: 'Written' })
          for (const each of act.sends) ctx.sendEvent(make(each))
          if (act.collect > 0 && event.type.startsWith('T')) {
            const Type = Types[Number(event.type.slice(1))] as (typeof Types)[number]
            log.push(`${label} collects ${ctx.collect(Type, act.collect)?.map((each) => (each as From).from)}`)
          }
          const events = act.returns.map(make)
          switch (act.end) {
            case 'throw':
              throw new Error(label)
            case 'throw once':
              if (ctx.attempt === 1) throw new Error(label)
              return events
            case 'stop':
              return StopEvent({ result: label })
            case 'stop among others':
              return [...events, StopEvent({ result: label }), ...events]
            case 'send stop':
              ctx.sendEvent(StopEvent({ result: label }))
              return events
            case 'ask':
              return [...events, InputRequestEvent({ requestId: `r${requests++ % 3}`, prompt: '?' })]
            case 'return nonsense':
              return 5 as never
            case 'return':
              if (act.asArray) return events
              return events[0] ?? null
          }
        }
        if (act.pause === 0) return actNow()
        const later = async () => {
          for (let n = 1; n < act.pause; n++) await null
          const events = actNow()
          log.push(`${label} ends`)
          return events
        }
        return later()
      },
    }
    return [name, step] as const
  })

  const flow = workflow('random', {
    idle: plan.idle,
    external: Types,
    ...(plan.inline ? { onInput: ({ requestId }) => `inline ${requestId}` } : {}),
  }).steps(stepsOf as never) as unknown as ReturnType<typeof workflow>
  const handler = flow.run(undefined, { runId: 'run' })
  handler.actor.on('*', ({ type }: { type: string }) => log.push(`written ${type}`))

  const settle = async () => {
    do await turns(2)
    while (handler.status === 'running' && [...handler.actor.getSnapshot().context.run.open].length > 0)
    log.push(`status ${handler.status}`)
  }
  await turns(0)
  for (const type of plan.fromOutside) {
    await handler.sendEvent((Types[type] as (typeof Types)[number])({ from: 'outside' })).then(
      () => log.push(`sent T${type}`),
      (error: { code: string }) => log.push(`refused T${type} ${error.code}`),
    )
    await settle()
  }
  await settle()
  for (let n = 0; n < 3 && handler.pendingInputs.length > 0 && handler.status === 'waiting'; n++) {
    const { requestId = '' } = handler.pendingInputs[n % handler.pendingInputs.length] ?? {}
    await handler.respondToInput(requestId, n)
    await settle()
  }
  const { status, value, output, error, context, tags, historyValue } = handler.actor.getSnapshot()
  const { run } = context
  const seen = {
    log,
    status: handler.status,
    snapshot: { status, value, output, tags: [...tags], historyValue },
    error: error && { name: error.name, code: error.code, message: error.message, step: error.step },
    open: [...run.open.values()].map(({ id, step, event, attempt, sent }) => [id, step, event.type, attempt, sent]),
    executions: run.executions,
    requests: [...run.requests.keys()],
    collections: [...run.collections].map(([type, all]) => [type, all.map(({ by }: { by: number }) => by)]),
    state: [...run.state.committed],
    pending: handler.pendingInputs.map(({ requestId }: InputRequest) => requestId),
  }
  handler.abort('the test is over')
  await handler.result().catch(() => {})
  await turns(1)
  return seen
}

describe('the fast path', () => {
  test('leads to the same run as the statechart, event for event', async () => {
    const reached = new Set<string>()
    await fc.assert(
      fc.asyncProperty(plans, async (plan) => {
        const expected = await perform(chart, plan)
        const got = await perform(fast, plan)
        reached.add(expected.status).add(expected.error?.code)
        expect(got).toEqual(expected)
      }),
      { numRuns: 400 },
    )
    // The plans are no good if they do not lead everywhere.
    for (const way of ['completed', 'failed', 'waiting', 'step_failed', 'stalled', 'step_return', 'input_request'])
      expect(reached, way).toContain(way)
  }, 120_000)

  test('is taken for routed events, and only by the library as it is', async () => {
    const count = async ({ workflow, defineEvent, StartEvent, StopEvent }: Library) => {
      const Job = defineEvent<{ n: number }>('Job')
      const { createActor, toPromise } = await import('xstate')
      const { machine } = workflow('counted')
        .step('begin', { accepts: StartEvent }, () => Job({ n: 0 }))
        .step('job', { accepts: Job }, ({ n }) => (n < 100 ? Job({ n: n + 1 }) : StopEvent({ result: n })))
      let microsteps = 0
      const actor = createActor(machine, {
        inspect: ({ type }) => {
          if (type === '@xstate.microstep') microsteps++
        },
      })
      const result = toPromise(actor)
      actor.start()
      return [await result, microsteps] as const
    }
    const [result, microsteps] = await count(fast)
    const [expected, ofChart] = await count(chart)
    expect(result).toBe(expected)
    expect(ofChart).toBeGreaterThan(200)
    expect(microsteps).toBeLessThan(20)
  })

  test('makes snapshots with exactly the fields of one made by XState, which work alike', async () => {
    const snapshotOf = async ({ workflow, defineEvent, StartEvent }: Library) => {
      const Job = defineEvent<{ n: number }>('Job')
      const { actor } = workflow('fields')
        .step('begin', { accepts: StartEvent }, async () => Job({ n: 0 }))
        .step('job', { accepts: Job }, () => new Promise<null>(() => {}))
        .run()
      const before = actor.getSnapshot()
      await turns()
      const snapshot = actor.getSnapshot()
      expect(snapshot).not.toBe(before)
      actor.stop()
      return { snapshot, before }
    }
    const { snapshot, before } = await snapshotOf(fast)
    const { snapshot: expected } = await snapshotOf(chart)
    expect(Reflect.ownKeys(snapshot).sort()).toEqual(Reflect.ownKeys(expected).sort())
    expect(Reflect.ownKeys(snapshot).sort()).toEqual(Reflect.ownKeys(before).sort())
    expect(Object.getPrototypeOf(snapshot)).toBe(Object.getPrototypeOf(expected))
    for (const key of Reflect.ownKeys(expected)) {
      expect(typeof snapshot[key], String(key)).toBe(typeof expected[key])
    }
    expect(Object.keys(snapshot.context)).toEqual(Object.keys(expected.context))
    expect(Object.keys(snapshot.children)).toEqual(Object.keys(expected.children))
    expect(snapshot.matches('running')).toBe(true)
    expect(snapshot.hasTag('x')).toBe(false)
    expect(snapshot.can({ type: 'Job' })).toBe(true)
    expect(snapshot.can({ type: 'Nobody' })).toBe(false)
    expect(snapshot.getMeta()).toEqual(expected.getMeta())
  })
})
