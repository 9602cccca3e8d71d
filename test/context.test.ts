import { defineEvent, StartEvent, type StepContext, StopEvent, typeOnly, workflow } from 'blazen-xstate'
import { describe, expect, test } from 'vitest'
import { createGate, rejection, turns } from './waiting.ts'

const Job = defineEvent<{ n: number }>('Job')
type Context = StepContext<Record<string, unknown>>

/** What `use` gives when a step calls it with its context. */
function inStep<Result>(use: (ctx: Context) => Result | Promise<Result>): Promise<Result> {
  return workflow('one step')
    .step('begin', { accepts: StartEvent }, async (_event, ctx) => StopEvent({ result: { given: await use(ctx) } }))
    .run()
    .result()
    .then(({ given }) => given as Result)
}

describe('ctx.set and ctx.get', () => {
  test('keep values between steps of a run', async () => {
    const result = await workflow('between')
      .step('begin', { accepts: StartEvent }, (_event, ctx) => {
        ctx.set('text', 'a')
        ctx.set('list', [1, 2])
        return Job({ n: 1 })
      })
      .step('job', { accepts: Job }, (_event, ctx) => StopEvent({ result: [ctx.get('text'), ctx.get('list')] }))
      .run()
      .result()
    expect(result).toEqual(['a', [1, 2]])
  })

  test('are seen by other steps at once', async () => {
    const gate = createGate()
    const result = await workflow('at once')
      .step('begin', { accepts: StartEvent }, () => Job({ n: 1 }))
      .step('writes', { accepts: Job }, async (_event, ctx) => {
        ctx.set('shared', 'seen')
        gate.open()
        await new Promise((resolve) => ctx.signal.addEventListener('abort', resolve))
      })
      .step('reads', { accepts: Job }, async (_event, ctx) => {
        await gate.opened
        return StopEvent({ result: ctx.get('shared') })
      })
      .run()
      .result()
    expect(result).toBe('seen')
  })

  test('know null and undefined as values, and give a default for a missing key alone', async () => {
    const given = await inStep((ctx) => {
      ctx.set('null', null)
      ctx.set('undefined', undefined)
      return [
        ctx.get('null', 'default'),
        ctx.get('undefined', 'default'),
        ctx.get('missing', 'default'),
        ctx.get('missing'),
        ctx.state.has('null'),
        ctx.state.has('undefined'),
        ctx.state.has('missing'),
      ]
    })
    expect(given).toEqual([null, undefined, 'default', undefined, true, true, false])
  })

  test('take any text as key', async () => {
    const keys = ['', 'a.b', '__proto__', 'constructor', 'toString', 'hasOwnProperty', 'get', 'size', 'then', '0', 'ü']
    const given = await inStep((ctx) => {
      for (const key of keys) {
        ctx.set(key, `state ${key}`)
        ctx.session.set(key, `session ${key}`)
      }
      return keys.map((key) => [ctx.get(key), ctx.state.get(key), ctx.session.get(key), ctx.state.has(key)])
    })
    expect(given).toEqual(keys.map((key) => [`state ${key}`, `state ${key}`, `session ${key}`, true]))
    expect(({} as Record<string, unknown>).state).toBeUndefined()
  })

  test('get looks in state, then in the session', async () => {
    const given = await inStep((ctx) => {
      ctx.session.set('key', 'session')
      const first = ctx.get('key')
      ctx.set('key', 'state')
      const second = ctx.get('key')
      ctx.state.delete('key')
      return [first, second, ctx.get('key')]
    })
    expect(given).toEqual(['session', 'state', 'session'])
  })
})

describe('ctx.state', () => {
  test('speaks the words of Map', async () => {
    const given = await inStep(({ state }) => {
      state.set('a', 1)
      state.set('b', 2)
      state.set('a', 3)
      return {
        size: state.size,
        keys: [...state.keys()],
        values: [...state.values()],
        entries: [...state.entries()],
        itself: [...state],
        deleted: [state.delete('a'), state.delete('a')],
        left: [...state.keys()],
      }
    })
    expect(given).toEqual({
      size: 2,
      keys: ['a', 'b'],
      values: [3, 2],
      entries: [
        ['a', 3],
        ['b', 2],
      ],
      itself: [
        ['a', 3],
        ['b', 2],
      ],
      deleted: [true, false],
      left: ['b'],
    })
  })

  test('speaks the words of an object', async () => {
    const given = await inStep(({ state }) => {
      state.count = 1
      ;(state.count as number)++
      state.list = [1]
      return {
        count: state.count,
        missing: state.missing,
        in: ['count' in state, 'missing' in state, 'constructor' in state, 'get' in state],
        keys: Object.keys(state),
        entries: Object.entries(state),
        copy: { ...state },
        json: JSON.stringify(state),
        inherited: state.constructor,
        deleted: delete state.count,
        left: Object.keys(state),
        own: Object.hasOwn(state, 'list'),
      }
    })
    expect(given).toEqual({
      count: 2,
      missing: undefined,
      in: [true, false, false, false],
      keys: ['count', 'list'],
      entries: [
        ['count', 2],
        ['list', [1]],
      ],
      copy: { count: 2, list: [1] },
      json: '{"count":2,"list":[1]}',
      inherited: undefined,
      deleted: true,
      left: ['list'],
      own: true,
    })
  })

  test('says how a key that is the name of a method is reached', async () => {
    const given = await inStep(({ state }) => {
      const errors: unknown[] = []
      for (const key of ['get', 'set', 'has', 'delete', 'keys', 'values', 'entries', 'size']) {
        try {
          ;(state as Record<string, unknown>)[key] = 1
        } catch (error) {
          errors.push(error)
        }
        state.set(key, key)
      }
      state.other = 1
      return { errors, got: state.get('size'), size: state.size, copy: { ...state } }
    })
    expect(given.errors).toHaveLength(8)
    for (const error of given.errors) expect(error).toMatchObject({ code: 'state_key' })
    expect(String(given.errors[0])).toContain('ctx.state.set("get"')
    expect(given.got).toBe('size')
    expect(given.size).toBe(9)
    // As properties they are the methods, which are not to be copied in place of the values.
    expect(given.copy).toEqual({ other: 1 })
  })

  test('may be taken apart: its methods need no receiver', async () => {
    const given = await inStep(({ state }) => {
      const { set, get, has } = state
      set('a', 1)
      return [get('a'), has('a')]
    })
    expect(given).toEqual([1, true])
  })

  test('refuses a symbol as key', async () => {
    const error = await rejection(
      inStep(({ state }) => {
        ;(state as unknown as Record<symbol, unknown>)[Symbol('s')] = 1
      }),
    )
    expect(error).toMatchObject({ cause: { code: 'state_key' } })
  })

  test('and the session are two namespaces', async () => {
    const given = await inStep((ctx) => {
      ctx.state.key = 'state'
      ctx.session.key = 'session'
      delete ctx.state.key
      return [ctx.state.has('key'), ctx.session.key, Object.keys(ctx.session), Object.keys(ctx.state)]
    })
    expect(given).toEqual([false, 'session', ['key'], []])
  })

  test('is typed by what the workflow declares', async () => {
    const result = await workflow('typed', { state: typeOnly<{ count: number; name?: string }>() })
      .step('begin', { accepts: StartEvent }, (_event, ctx) => {
        ctx.state.count = 1
        const count: number = ctx.state.count + 1
        return StopEvent({ result: count })
      })
      .run()
      .result()
    expect(result).toBe(2)
  })

  test('counts what steps at work at once add, in whatever order they end', async () => {
    for (const order of [
      [0, 1, 2],
      [2, 1, 0],
      [1, 2, 0],
    ]) {
      const gates = order.map(() => createGate())
      const handler = workflow('counter', { idle: 'wait' })
        .step('begin', { accepts: StartEvent }, () => order.map((n) => Job({ n })))
        .step('job', { accepts: Job }, async ({ n }, ctx) => {
          ctx.set('count', ctx.get<number>('count', 0) + 1)
          await gates[n]?.opened
        })
        .run()
      for (const n of [0, 1, 2]) {
        gates[n]?.open()
        await turns()
      }
      const { committed } = handler.actor.getSnapshot().context.run.state
      expect(committed.get('count')).toBe(3)
      handler.abort()
    }
  })
})

describe('the session', () => {
  test('keeps the very objects, and lets steps share them', async () => {
    const socket = { write: () => 'written' }
    const result = await workflow('live')
      .step('begin', { accepts: StartEvent }, (_event, ctx) => {
        ctx.session.set('socket', socket)
        return Job({ n: 1 })
      })
      .step('job', { accepts: Job }, (_event, ctx) => StopEvent({ result: ctx.session.get('socket') }))
      .run()
      .result()
    expect(result).toBe(socket)
  })

  test('is not taken back when an attempt fails: it is no part of the run', async () => {
    const result = await workflow('not transactional')
      .step('begin', { accepts: StartEvent, retry: { attempts: 2 } }, (_event, ctx) => {
        if (ctx.attempt === 2) return StopEvent({ result: ctx.session.get('kept') })
        ctx.session.set('kept', 'yes')
        throw new Error('again')
      })
      .run()
      .result()
    expect(result).toBe('yes')
  })

  test('of a run with the id of one that has ended is empty', async () => {
    const flow = workflow('same id').step('begin', { accepts: StartEvent }, (_event, ctx) => {
      const before = ctx.session.size
      ctx.session.set('a', 1)
      return StopEvent({ result: before })
    })
    expect(await flow.run(undefined, { runId: 'same' }).result()).toBe(0)
    expect(await flow.run(undefined, { runId: 'same' }).result()).toBe(0)
  })
})

describe('bytes', () => {
  test('are copied on the way in and on the way out', async () => {
    const given = await inStep((ctx) => {
      const bytes = new Uint8Array([1, 2, 3])
      ctx.setBytes('bytes', bytes)
      bytes[0] = 99
      const out = ctx.getBytes('bytes')
      if (out !== undefined) out[1] = 99
      ctx.setBytes('buffer', Buffer.from('abc'))
      ctx.setBytes('array buffer', new Uint8Array([7, 8]).buffer)
      return {
        first: out?.[0],
        again: ctx.getBytes('bytes'),
        buffer: ctx.getBytes('buffer'),
        arrayBuffer: ctx.getBytes('array buffer'),
        missing: ctx.getBytes('missing'),
      }
    })
    expect(given.first).toBe(1)
    expect(given.again).toEqual(new Uint8Array([1, 2, 3]))
    expect(given.buffer).toEqual(new Uint8Array([97, 98, 99]))
    expect(given.buffer).not.toBeInstanceOf(Buffer)
    expect(given.arrayBuffer).toEqual(new Uint8Array([7, 8]))
    expect(given.missing).toBeUndefined()
  })
})

describe('a context whose attempt is over', () => {
  test('changes nothing any more, and says so', async () => {
    const kept: Context[] = []
    const result = await workflow('over')
      .step('begin', { accepts: StartEvent }, (_event, ctx) => {
        ctx.set('a', 1)
        kept.push(ctx)
        return Job({ n: 1 })
      })
      .step('job', { accepts: Job }, (_event, ctx) => {
        const [over] = kept
        const uses: ((over: Context) => unknown)[] = [
          (over) => over.set('a', 2),
          (over) => over.state.set('a', 2),
          (over) => {
            over.state.a = 2
          },
          (over) => delete over.state.a,
          (over) => over.setBytes('a', new Uint8Array()),
          (over) => over.sendEvent(Job({ n: 2 })),
          (over) => over.writeEventToStream(Job({ n: 2 })),
          (over) => over.collect(Job, 1),
        ]
        const errors = uses.map((use) => {
          try {
            use(over as Context)
            return 'nothing'
          } catch (error) {
            return (error as { code: string }).code
          }
        })
        return StopEvent({ result: { errors, a: ctx.get('a'), read: over?.get('a') } })
      })
      .run()
      .result()
    expect(result).toEqual({ errors: Array(8).fill('attempt_over'), a: 1, read: 1 })
  })
})
