import { createInspector, type StatelyInspectionEvent } from '@statelyai/inspect'
import { createHost, defineEvent, memoryStore, StartEvent, StopEvent, workflow } from 'blazen-xstate'
import { type Inspector, inspect, type Message, redactSecrets } from 'blazen-xstate/inspect'
import { describe, expect, test, vi } from 'vitest'
import { createActor, createMachine, setup, toPromise } from 'xstate'
import { book, wordCounter } from '../examples/03-fan-out-fan-in.ts'

const Job = defineEvent<{ payload: unknown }>('Job')

/** A workflow in which one step hands `payload` to the next. */
function carry(payload: unknown) {
  return workflow('carrier')
    .step('load', { accepts: StartEvent, emits: Job }, () => Job({ payload }))
    .step('carry', { accepts: Job, emits: StopEvent }, () => StopEvent({ result: 1 }))
}

function record(): { seen: Message[]; inspector: Inspector } {
  const seen: Message[] = []
  return { seen, inspector: (message) => seen.push(message) }
}

describe('a run', () => {
  test('is seen from its first event to its last by whoever looks when it is started', async () => {
    const { seen, inspector } = record()
    const handler = wordCounter.run({ book })
    inspect(handler, inspector)
    await handler.result()

    const names = namesOf(seen)
    const parents = actorsOf(seen).map(({ name, parentId }) => [name, parentId && names.get(parentId)])
    expect(parents).toEqual([
      ['word-counter', undefined],
      ['split', 'word-counter'],
      ['count', 'word-counter'],
      ['join', 'word-counter'],
      ['word-counter (flow)', 'word-counter'],
    ])
    const sent = eventsOf(seen).map(({ sourceId, sessionId, event }) =>
      [sourceId && names.get(sourceId), event.type, names.get(sessionId)].join(' '),
    )
    expect(sent.filter((each) => each.startsWith('word-counter'))).toEqual([
      'word-counter blazen::StartEvent split',
      ...Array(3).fill('word-counter Chapter count'),
      ...Array(3).fill('word-counter Counted join'),
    ])
    expect(sent.filter((each) => each.endsWith('blazen.settled word-counter'))).toHaveLength(7)
    expect(snapshotsOf(seen, handler.actor.sessionId).at(-1)).toMatchObject({ status: 'done', value: 'completed' })
  })

  test('that takes no fast path is seen the same', async () => {
    const { seen, inspector } = record()
    const actor = createActor(wordCounter.machine, { input: { book } })
    inspect(actor, inspector)
    actor.start()
    await toPromise(actor)
    const names = namesOf(seen)
    const chapters = eventsOf(seen).filter(({ event }) => event.type === 'Chapter')
    expect(chapters.map(({ sessionId }) => names.get(sessionId))).toEqual(['count', 'count', 'count'])
  })

  test('is shown as a live statechart of its flow, in which running steps are lit and counted', async () => {
    const { seen, inspector } = record()
    const handler = wordCounter.run({ book })
    inspect(handler, inspector)
    await handler.result()

    const flow = actorsOf(seen).find(({ name }) => name === 'word-counter (flow)')
    const chart = createMachine(flow?.definition as object)
    expect(chart.getTransitionData).toBeTypeOf('function')
    const states = snapshotsOf(seen, flow?.sessionId ?? '')
    for (const { value } of states) expect(chart.resolveState({ value: value as never }).value).toEqual(value)
    expect(states[0]).toMatchObject({ value: { split: 'idle', count: 'running', 'the run': 'running' } })
    expect(states.map(({ context }) => context)).toContainEqual(
      expect.objectContaining({ count: { running: 2, waiting: 1, settled: 0 } }),
    )
    expect(states.at(-1)).toMatchObject({
      value: { split: 'idle', count: 'idle', join: 'idle', 'the run': 'completed' },
      context: { count: { running: 0, waiting: 0, settled: 3 }, join: { settled: 3 } },
    })
  })

  test('draws an edge that is not declared when it is first seen', async () => {
    const flow = workflow('undeclared')
      .step('load', { accepts: StartEvent }, () => Job({ payload: 1 }))
      .step('end', { accepts: Job }, () => StopEvent({ result: 1 }))
    const { seen, inspector } = record()
    const handler = flow.run()
    inspect(handler, inspector)
    await handler.result()
    const charts = actorsOf(seen).filter(({ name }) => name === 'undeclared (flow)')
    expect(charts.map(({ definition }) => edgesOf(definition, 'load'))).toEqual([[], ['Job'], ['Job']])
    expect(charts.map(({ definition }) => edgesOf(definition, 'end'))).toEqual([[], [], ['blazen::StopEvent']])
  })

  test('that has failed is shown with its error', async () => {
    const failing = workflow('failing').step('break', { accepts: StartEvent, emits: StopEvent }, () => {
      throw new TypeError('broken')
    })
    const { seen, inspector } = record()
    const handler = failing.run()
    inspect(handler, inspector)
    await expect(handler.result()).rejects.toThrow('broken')
    const last = snapshotsOf(seen, handler.actor.sessionId).at(-1)
    expect(last).toMatchObject({ status: 'error', value: 'failed', error: { name: 'StepFailedError' } })
  })

  test('inside a machine is shown with the machine', async () => {
    const desk = setup({ actors: { counter: wordCounter.machine } }).createMachine({
      id: 'desk',
      initial: 'counting',
      context: { password: 'tulip' },
      states: {
        counting: { invoke: { id: 'counter', src: 'counter', input: { book }, onDone: 'closed' } },
        closed: { type: 'final' },
      },
    })
    const { seen, inspector } = record()
    const actor = createActor(desk)
    inspect(actor, inspector)
    actor.start()
    await toPromise(actor)
    const names = namesOf(seen)
    const flow = actorsOf(seen).find(({ name }) => name === 'word-counter (flow)')
    expect(names.get(flow?.parentId ?? '')).toBe('counter')
    expect(snapshotsOf(seen, actor.sessionId).at(-1)).toMatchObject({ value: 'closed' })
    expect(JSON.stringify(seen)).not.toContain('tulip')
  })

  test('is shown no more once the inspection is stopped', async () => {
    const { seen, inspector } = record()
    const handler = wordCounter.run({ book })
    const inspection = inspect(handler, inspector)
    inspection.stop()
    const before = seen.length
    await handler.result()
    expect(seen).toHaveLength(before)
  })
})

describe('a host', () => {
  test('shows every run that it starts, and those that it has', async () => {
    await using host = createHost({ store: memoryStore(), workflows: [wordCounter] })
    const waiting = workflow('waiting').step(
      'never',
      { accepts: StartEvent, emits: StopEvent },
      () => new Promise<undefined>(() => {}),
    )
    await using other = createHost({ store: memoryStore(), workflows: [waiting], graceMs: 1 })
    const { seen, inspector } = record()
    await other.run(waiting)
    inspect(other, inspector)
    expect(actorsOf(seen).map(({ name }) => name)).toContain('waiting')

    const inspection = inspect(host, inspector)
    await (await host.run(wordCounter, { book })).result()
    const flow = actorsOf(seen).find(({ name }) => name === 'word-counter (flow)')
    expect(snapshotsOf(seen, flow?.sessionId ?? '').at(-1)).toMatchObject({
      value: { 'the run': 'completed' },
      context: { count: { settled: 3 } },
    })
    const settled = eventsOf(seen).filter(({ event }) => event.type === 'blazen.settled')
    expect(settled).toHaveLength(7)
    inspection.stop()
    const before = seen.length
    await (await host.run(wordCounter, { book })).result()
    expect(seen).toHaveLength(before)
  })
})

describe('what is shown', () => {
  test('is without secrets', async () => {
    const payload = {
      user: 'ada',
      password: 'tulip-1',
      nested: [{ apiKey: 'tulip-2', authToken: 'tulip-3', maxTokens: 800 }],
      headers: new Map([['Authorization', 'Bearer tulip-4444']]),
      note: 'sent with Bearer tulip-5555 to https://ada:tulip-6@example.org',
    }
    const text = JSON.stringify(await show(payload))
    expect(text).not.toContain('tulip')
    expect(text).toContain('ada')
    expect(text).toContain('800')
  })

  test('goes through the redactor of the user, and is not shown where that fails', async () => {
    const redact = (key: string, value: unknown) => {
      if (key === 'broken') throw new Error('no')
      return key === 'iban' ? '***' : redactSecrets(key, value)
    }
    const payload = { iban: 'DE1', broken: 'secret-ish', secret: 'tulip', plain: 'seen' }
    expect(await show(payload, { redact })).toEqual({
      iban: '***',
      broken: '[redacted]',
      secret: '[redacted]',
      plain: 'seen',
    })
    expect(await show(payload, { redact: false })).toEqual(payload)
  })

  test('is cut where it is long, wide or deep', async () => {
    const deep = { a: { b: { c: { d: { e: { f: { g: 1 } } } } } } }
    const shown = await show(
      { text: 'x'.repeat(1_000), list: Array(1_000).fill(1), deep },
      { maxItems: 3, maxLength: 5 },
    )
    expect(shown).toEqual({
      text: 'xxxxx… (995 more)',
      list: [1, 1, 1, '… 997 more'],
      deep: { a: { b: { c: { d: '[Object]' } } } },
    })
    const huge = Array.from({ length: 300 }, () => Array.from({ length: 300 }, () => ({ x: 'y'.repeat(300) })))
    expect(JSON.stringify(await show(huge, { maxItems: 1_000 })).length).toBeLessThan(500_000)
  })

  test('may be live, circular or hostile, and never breaks the run', async () => {
    class Socket {
      readonly peer = this
      #fd = 7
      get fd(): number {
        throw new Error('closed')
      }
      read = () => this.#fd
    }
    const circular: Record<string, unknown> = {}
    circular.self = circular
    const hostile = new Proxy(
      {},
      {
        ownKeys: () => {
          throw new Error('hostile')
        },
      },
    )
    expect(await show({ socket: new Socket(), circular, at: new Date(0), big: 10n, bytes: new Uint8Array(9) })).toEqual(
      {
        socket: { '[class]': 'Socket', peer: '[circular]', read: '[function read]' },
        circular: { self: '[circular]' },
        at: '1970-01-01T00:00:00.000Z',
        big: '10n',
        bytes: '[Uint8Array 9 bytes]',
      },
    )
    expect(await show(hostile)).toBe('[not shown: Error]')
  })

  test('is JSON data that nothing changes afterwards', async () => {
    const { seen, inspector } = record()
    const handler = wordCounter.run({ book })
    inspect(handler, inspector)
    await handler.result()
    expect(JSON.parse(JSON.stringify(seen))).toEqual(seen.map((message) => JSON.parse(JSON.stringify(message))))
    for (const message of seen) expect(() => structuredClone(message)).not.toThrow()
  })
})

describe('an inspector', () => {
  test('of @statelyai/inspect gets whole messages, with the ids of the system, and its own filters hold', async () => {
    const seen: StatelyInspectionEvent[] = []
    const filter = (event: StatelyInspectionEvent) => event.type !== '@xstate.snapshot'
    const inspector = createInspector({ send: (event: StatelyInspectionEvent) => void seen.push(event) }, { filter })
    const handler = wordCounter.run({ book })
    const inspection = inspect(handler, inspector)
    await handler.result()
    await inspection.flush()
    expect(new Set(seen.map(({ type }) => type))).toEqual(new Set(['@xstate.actor', '@xstate.event']))
    expect(new Set(seen.map(({ rootId }) => rootId))).toEqual(new Set([handler.actor.sessionId]))
    const flow = seen.flatMap((each) => (each.type === '@xstate.actor' && each.name.endsWith('(flow)') ? [each] : []))
    expect(flow).toMatchObject([{ parentId: handler.actor.sessionId }])
    expect(() => createMachine(JSON.parse(flow[0]?.definition ?? ''))).not.toThrow()
  })

  test('that throws is warned of, once, and the run goes on', async () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    const handler = wordCounter.run({ book })
    inspect(handler, () => {
      throw new Error('no screen')
    })
    await expect(handler.result()).resolves.toMatchObject({ total: 26 })
    expect(warn).toHaveBeenCalledOnce()
    expect(String(warn.mock.calls[0]?.[0])).toContain('no screen')
    warn.mockRestore()
  })

  test('is needed for any cost to arise: nothing of a run is looked at without one', async () => {
    const looked = vi.fn()
    const look =
      (how: keyof ProxyHandler<object>) =>
      (target: object, ...args: never[]) => {
        looked(how)
        return Reflect.apply(Reflect[how], Reflect, [target, ...args])
      }
    const payload = new Proxy(
      {},
      { ownKeys: look('ownKeys'), getOwnPropertyDescriptor: look('getOwnPropertyDescriptor') },
    )
    await carry(payload).run().result()
    expect(looked).not.toHaveBeenCalled()
  })

  test('needs something to look at', () => {
    expect(() => inspect({} as never, () => {})).toThrow('inspect expects the handler of a run')
    expect(() => inspect(wordCounter.run({ book }), () => {}, { maxLength: 0 })).toThrow('maxLength is 0')
  })
})

/** What is shown of a value that one step hands to the next. */
async function show(payload: unknown, options?: Parameters<typeof inspect>[2]): Promise<unknown> {
  const { seen, inspector } = record()
  const handler = carry(payload).run()
  inspect(handler, inspector, options)
  await handler.result()
  return eventsOf(seen).find(({ event }) => event.type === 'Job')?.event.payload
}

function actorsOf(seen: readonly Message[]) {
  return seen.flatMap((message) => (message.type === '@xstate.actor' ? [message] : []))
}

function eventsOf(seen: readonly Message[]) {
  return seen.flatMap((message) => (message.type === '@xstate.event' ? [message] : []))
}

function snapshotsOf(seen: readonly Message[], sessionId: string) {
  return seen.flatMap((message) =>
    message.type === '@xstate.snapshot' && message.sessionId === sessionId ? [message.snapshot] : [],
  )
}

function namesOf(seen: readonly Message[]): ReadonlyMap<string, string> {
  return new Map(actorsOf(seen).map(({ sessionId, name }) => [sessionId, name]))
}

/** The types of events that leave a step in a chart of the flow. */
function edgesOf(definition: object, step: string): string[] {
  const { states } = definition as { states: Record<string, { states: { running: { on: object } } }> }
  return Object.keys(states[step]?.states.running.on ?? {}).filter((type) => type !== 'blazen.settled')
}
