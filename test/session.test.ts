import {
  defineEvent,
  RunAbortedError,
  resource,
  SessionEntryLostError,
  SessionNotSerializableError,
  StartEvent,
  type StepContext,
  StopEvent,
  type WorkflowOptions,
  workflow,
} from 'blazen-xstate'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createGate, rejection, turns } from './waiting.ts'

const Job = defineEvent<{ n: number }>('Job')
type Context = StepContext<Record<string, unknown>>

function inStep<Result>(use: (ctx: Context) => Result | Promise<Result>): Promise<Result> {
  return workflow('one step')
    .step('begin', { accepts: StartEvent }, async (_event, ctx) => StopEvent({ result: { given: await use(ctx) } }))
    .run()
    .result()
    .then(({ given }) => given as Result)
}

/** A run that does `begin` and then waits; `next` is what it does on a `Job`, and its result. */
function waiting(
  begin: (ctx: Context) => unknown,
  next: (ctx: Context) => unknown = () => undefined,
  options: WorkflowOptions = {},
) {
  return workflow('waiting', { ...options, external: Job, idle: 'wait' } as WorkflowOptions)
    .step('begin', { accepts: StartEvent }, async (_event, ctx) => void (await begin(ctx as never)))
    .step('next', { accepts: Job }, async (_event, ctx) => StopEvent({ result: { given: await next(ctx as never) } }))
}

const given = async (result: Promise<unknown>) => ((await result) as { given: unknown }).given

class Disposable {
  disposed = 0;
  [Symbol.dispose](): void {
    this.disposed++
  }
}

class AsyncDisposable extends Disposable {
  asyncDisposed = 0
  async [Symbol.asyncDispose](): Promise<void> {
    await turns(1)
    this.asyncDisposed++
  }
}

const warnings: (Error & { code?: string })[] = []
const note = (warning: Error) => void warnings.push(warning)
beforeEach(() => {
  warnings.length = 0
  process.on('warning', note)
})
afterEach(async () => {
  await turns()
  process.off('warning', note)
})

describe('the session', () => {
  test('keeps each value as it is: the very object, never copied and never frozen', async () => {
    const values = [{ list: [1] }, [1], new Map(), () => 1, new Uint8Array(1), new Date(), null, undefined, 'text']
    const kept = await inStep(({ session }) => {
      for (const [at, value] of values.entries()) session.set(`key ${at}`, value)
      return values.map((_value, at) => session.get(`key ${at}`))
    })
    for (const [at, value] of values.entries()) {
      expect(kept[at]).toBe(value)
      expect(Object.isFrozen(value)).toBe(Object.isFrozen(value) && (value === null || typeof value !== 'object'))
    }
  })

  test('is a namespace of its own, with both protocols', async () => {
    await inStep(({ session, state }) => {
      state.db = 'state'
      session.db = 'session'
      session.set('', 'empty')
      session.set('__proto__', 'hostile')
      expect([state.get('db'), session.get('db'), session.size]).toEqual(['state', 'session', 3])
      expect(['db' in session, 'other' in session, session.has('__proto__')]).toEqual([true, false, true])
      expect(Object.keys(session)).toEqual(['db', '', '__proto__'])
      expect([...session.entries()]).toHaveLength(3)
      delete session.db
      expect([state.has('db'), session.has('db'), session.get('db', 'default')]).toEqual([true, false, 'default'])
      expect([session.delete(''), session.delete('')]).toEqual([true, false])
    })
  })

  test.each(['get', 'set', 'has', 'delete', 'keys', 'values', 'entries', 'size', 'open'])(
    'refuses to have its method assigned, and says how the key is reached: %s',
    async (name) => {
      await inStep(({ session }) => {
        expect(() => {
          session[name] = 1
        }).toThrow(`ctx.session.set("${name}"`)
        session.set(name, 1)
        expect(session.get(name)).toBe(1)
        expect(Object.keys(session)).toEqual([])
      })
    },
  )

  test('is shared by the steps of a run, and not by two runs at once', async () => {
    const gate = createGate()
    const flow = workflow('two').step('begin', { accepts: StartEvent }, async (_event, ctx) => {
      ctx.session.run = ctx.runId
      await gate.opened
      return StopEvent({ result: [ctx.session.run, ctx.session.size] })
    })
    const [a, b] = [flow.run(undefined, { runId: 'a' }), flow.run(undefined, { runId: 'b' })]
    await turns()
    gate.open()
    expect(await Promise.all([a.result(), b.result()])).toEqual([
      ['a', 1],
      ['b', 1],
    ])
  })

  test('is gone when the run has ended: what kept a context finds nothing', async () => {
    const kept: Context[] = []
    await inStep((ctx) => {
      ctx.session.key = 'value'
      kept.push(ctx)
    })
    await turns()
    expect([kept[0]?.session.has('key'), kept[0]?.session.get('key')]).toEqual([false, undefined])
  })

  test('takes nothing more when the run has ended', async () => {
    const late = new Disposable()
    const kept: Context[] = []
    await inStep((ctx) => {
      ctx.session.key = 'value'
      kept.push(ctx)
    })
    await turns()
    expect(() => kept[0]?.session.set('late', late)).toThrow(/has ended/)
  })
})

const ends: Record<string, (ctx: Context, abort: () => void) => unknown> = {
  completed: () => StopEvent({ result: 'done' }),
  failed: () => {
    throw new Error('no')
  },
  aborted: (_ctx, abort) => {
    abort()
    return new Promise(() => {})
  },
  'timed out': () => new Promise(() => {}),
  'stopped by its actor': (ctx, _abort) => {
    ctx.session.set('stop', true)
    return new Promise(() => {})
  },
}

/** A run that ends in one of the five ways, after `begin`. */
async function runToEnd(end: keyof typeof ends, begin: (ctx: Context) => unknown, options: WorkflowOptions = {}) {
  let abort = () => {}
  const flow = workflow('ends', { ...options, timeout: end === 'timed out' ? 5 : undefined } as WorkflowOptions).step(
    'begin',
    { accepts: StartEvent },
    async (_event, ctx): Promise<StopEvent> => {
      await begin(ctx as never)
      return ends[end]?.(ctx as never, () => abort()) as StopEvent
    },
  )
  const handler = flow.run()
  abort = () => handler.abort()
  await turns()
  if (end === 'stopped by its actor') handler.actor.stop()
  await handler.result().catch(() => {})
  await turns(5)
}

describe.each(Object.keys(ends))('when a run has %s', (end) => {
  test('each value of the session that can be is disposed of, once, however many keys it has', async () => {
    const [sync, async] = [new Disposable(), new AsyncDisposable()]
    const disposeFunction = Object.assign(() => {}, { [Symbol.dispose]: vi.fn() })
    await runToEnd(end, ({ session }) => {
      session.sync = sync
      session.again = sync
      session.async = async
      session.function = disposeFunction
      session.plain = {}
      session.null = null
    })
    expect([sync.disposed, async.asyncDisposed, async.disposed]).toEqual([1, 1, 0])
    expect(disposeFunction[Symbol.dispose]).toHaveBeenCalledTimes(1)
  })

  test('each resource that was opened is closed, once; the others are not opened', async () => {
    const log: string[] = []
    const resourceOf = (name: string) => ({
      open: () => {
        log.push(`open ${name}`)
        return { name }
      },
      close: (value: { name: string }) => void log.push(`close ${value.name}`),
    })

    await runToEnd(
      end,
      async ({ session }) => {
        session.get('db')
        session.get('db')
        await session.open('db')
        await session.open('cache')
      },
      {
        session: {
          db: resource(resourceOf('db')),
          cache: resource({ ...resourceOf('cache'), open: async () => resourceOf('cache').open() }),
          unused: resource(resourceOf('unused')),
        },
      },
    )
    expect(log).toEqual(['open db', 'open cache', 'close cache', 'close db'])
  })
})

describe('what the end disposes of', () => {
  test('is not the result of the run, which is its caller’s', async () => {
    const [result, other] = [new Disposable(), new Disposable()]
    const handler = workflow('result')
      .step('begin', { accepts: StartEvent }, (_event, ctx) => {
        ctx.session.result = result
        ctx.session.other = other
        return StopEvent({ result })
      })
      .run()
    expect(await handler.result()).toBe(result)
    await turns()
    expect([result.disposed, other.disposed]).toEqual([0, 1])
  })

  test('is not what was deleted before', async () => {
    const deleted = new Disposable()
    await inStep(({ session }) => {
      session.deleted = deleted
      delete session.deleted
    })
    await turns()
    expect(deleted.disposed).toBe(0)
  })

  test('is all of it, also when one fails, of which a process warning tells', async () => {
    const [first, last] = [new Disposable(), new Disposable()]
    const error = new Error('cannot be disposed')
    await inStep(({ session }) => {
      session.first = first
      session.broken = {
        [Symbol.dispose]: () => {
          throw error
        },
      }
      session.rejects = { [Symbol.asyncDispose]: () => Promise.reject(error) }
      session.last = last
    })
    await turns(5)
    expect([first.disposed, last.disposed]).toEqual([1, 1])
    expect(warnings.map(({ code }) => code)).toEqual(['BLAZEN_CLOSE_FAILED', 'BLAZEN_CLOSE_FAILED'])
    expect(warnings[0]?.message).toContain('cannot be disposed')
  })

  test('is nothing while the run is paused', async () => {
    const value = new AsyncDisposable()
    const handler = waiting(
      ({ session }) => {
        session.value = value
      },
      undefined,
      { sessionPausePolicy: 'warn_drop' },
    ).run()
    await turns()
    await handler.pause()
    await turns()
    expect(value.asyncDisposed).toBe(0)
    handler.abort()
    await turns()
    expect(value.asyncDisposed).toBe(1)
  })

  test('is disposed of by the run that took it over, and not by the one that lost it', async () => {
    const value = new Disposable()
    const flow = waiting(
      ({ session }) => {
        session.value = value
      },
      ({ session }) => [session.value === value, value.disposed],
      { sessionPausePolicy: 'warn_drop' },
    )
    const handler = flow.run()
    await turns()
    const resumed = flow.resume(await handler.pause())
    await rejection(handler.result())
    await turns()
    await resumed.sendEvent(Job({ n: 1 }))
    expect(await given(resumed.result())).toEqual([true, 0])
    await turns()
    expect(value.disposed).toBe(1)
  })
})

describe('a resource', () => {
  const opened = async (options: WorkflowOptions, use: (ctx: Context) => unknown) => {
    const flow = workflow('resource', options as WorkflowOptions).step(
      'begin',
      { accepts: StartEvent },
      async (_event, ctx) => StopEvent({ result: { given: await use(ctx as never) } }),
    )
    return given(flow.run().result())
  }

  test('is opened at its first `get`, with the run and the step at hand', async () => {
    const open = vi.fn(({ runId, workflow, step, signal }) => ({ runId, workflow, step, signal }))
    const result = (await opened({ session: { db: resource({ open }) } }, (ctx) => {
      expect(open).not.toHaveBeenCalled()
      expect(ctx.session.has('db')).toBe(true)
      return [ctx.session.get('db'), ctx.session.db, ctx.get('db'), ctx.runId]
    })) as [{ runId: string; workflow: string; step: string; signal: unknown }, unknown, unknown, string]
    expect(open).toHaveBeenCalledTimes(1)
    expect(result[1]).toBe(result[0])
    expect(result[2]).toBe(result[0])
    expect(result[0]).toMatchObject({ runId: result[3], workflow: 'resource', step: 'begin' })
    expect(result[0].signal).toBeInstanceOf(AbortSignal)
  })

  test('that opens asynchronously is opened by `open`, once for all that ask at once', async () => {
    const gate = createGate<object>()
    const open = vi.fn(() => gate.opened)
    const db = {}
    const result = (await opened({ session: { db: resource({ open }) } }, async ({ session }) => {
      expect(() => session.get('db')).toThrow('await ctx.session.open("db")')
      const opening = [session.open('db'), session.open('db')]
      gate.open(db)
      return [...(await Promise.all(opening)), session.get('db')]
    })) as unknown[]
    expect(open).toHaveBeenCalledTimes(1)
    for (const each of result) expect(each).toBe(db)
  })

  test('that fails to open fails the step, and is opened again by the next attempt', async () => {
    for (const fails of [
      () => {
        throw new Error('no connection')
      },
      () => Promise.reject(new Error('no connection')),
    ]) {
      let tries = 0
      const close = vi.fn()
      const result = await opened(
        {
          retry: { attempts: 2 },
          session: { db: resource({ open: (): unknown => (++tries === 1 ? fails() : 'db'), close }) },
        },
        async (ctx) => [await ctx.session.open('db'), ctx.attempt],
      )
      expect(result).toEqual(['db', 2])
      await turns()
      expect(close.mock.calls).toEqual([['db']])
    }
  })

  test('that fails to close is told of by a process warning, and the run has its result', async () => {
    const close = () => Promise.reject(new Error('cannot close'))
    expect(await opened({ session: { db: resource({ open: () => 1, close }) } }, ({ session }) => session.db)).toBe(1)
    await turns()
    expect(warnings).toMatchObject([{ code: 'BLAZEN_CLOSE_FAILED' }])
    expect(warnings[0]?.message).toContain('cannot close')
  })

  test('that is still opening when the run ends is closed when it is open', async () => {
    const gate = createGate<string>()
    const close = vi.fn()
    await opened({ session: { db: resource({ open: () => gate.opened, close }) } }, ({ session }) => {
      void session.open('db')
    })
    await turns()
    expect(close).not.toHaveBeenCalled()
    gate.open('db')
    await turns()
    expect(close.mock.calls).toEqual([['db']])
  })

  test('is not opened any more when the run has ended: nobody would close it', async () => {
    const open = vi.fn(() => 'db')
    const kept: Context[] = []
    await opened({ session: { db: resource({ open }) } }, (ctx) => void kept.push(ctx))
    await turns()
    expect(() => kept[0]?.session.get('db')).toThrow(/has ended/)
    await expect(async () => kept[0]?.session.open('db')).rejects.toThrow(/has ended/)
    expect(open).not.toHaveBeenCalled()
  })

  test('cannot be set; one that was not declared cannot be opened', async () => {
    await opened({ session: { db: resource({ open: () => 1 }) } }, async ({ session }) => {
      expect(() => session.set('db', 2)).toThrow('is a resource')
      const error = await rejection(Promise.resolve().then(() => session.open('other')))
      expect(error).toMatchObject({ code: 'resource_unknown', message: expect.stringContaining('"db"') })
    })
  })

  test.each(['pickle_or_error', 'warn_drop', 'hard_error'] as const)(
    'is never in the way of a pause, and opened anew after the resume: %s',
    async (sessionPausePolicy) => {
      const log: string[] = []
      let opened = 0
      const flow = waiting(
        ({ session }) => void session.get('db'),
        ({ session }) => (session.db as { number: number }).number,
        {
          sessionPausePolicy,
          session: {
            db: resource({
              open: () => ({ number: ++opened, live: () => log.push(`open ${opened}`) }),
              close: ({ number }) => void log.push(`close ${number}`),
            }),
          },
        },
      )
      const handler = flow.run()
      await turns()
      const snapshot = await handler.pause()
      expect(snapshot.context.session).toEqual([])
      const resumed = flow.resume(JSON.parse(JSON.stringify(snapshot)))
      await resumed.sendEvent(Job({ n: 1 }))
      expect(await given(resumed.result())).toBe(2)
      await turns()
      expect(log).toEqual(['close 1', 'close 2'])
      expect(warnings).toEqual([])
    },
  )
})

describe('a session entry that leaves its process', () => {
  test('comes back with its type where it can be kept, and free to change as before', async () => {
    const flow = waiting(
      ({ session }) => {
        session.list = [{ n: 1 }]
        session.map = new Map([['a', new Date(0)]])
        session.undefined = undefined
      },
      ({ session }) => {
        const list = session.list as { n: number }[]
        list.push({ n: 2 })
        ;(list[0] as { n: number }).n = 10
        return [session.list, session.map, session.has('undefined')]
      },
    )
    const handler = flow.run()
    await turns()
    const snapshot = JSON.parse(JSON.stringify(handler.snapshot()))
    handler.abort()
    const resumed = flow.resume(snapshot)
    await resumed.sendEvent(Job({ n: 1 }))
    expect(await given(resumed.result())).toEqual([[{ n: 10 }, { n: 2 }], new Map([['a', new Date(0)]]), true])
  })

  test('refuses the pause where it cannot, in an error that lists every key, and the run goes on', async () => {
    const flow = waiting(
      ({ session, state }) => {
        session.socket = { write: () => {} }
        session.plain = 1
        session.fn = () => 1
        state.live = new WeakMap()
      },
      ({ session }) => session.size,
    )
    const handler = flow.run()
    await turns()
    for (const refused of [handler.pause(), Promise.resolve().then(() => handler.snapshot())]) {
      const error = (await rejection(refused)) as SessionNotSerializableError
      expect(error).toBeInstanceOf(SessionNotSerializableError)
      expect(error.entries.map(({ where }) => where)).toEqual([
        'ctx.session "socket" (set by step "begin")',
        'ctx.session "fn" (set by step "begin")',
        expect.stringContaining('ctx.state "live"'),
      ])
      expect(error.entries[0]?.holds).toContain('write')
      for (const repair of ['registerClass', 'resource', 'warn_drop']) expect(error.message).toContain(repair)
    }
    expect(handler.status).toBe('waiting')
    await handler.sendEvent(Job({ n: 1 }))
    expect(await given(handler.result())).toBe(3)
  })

  test('is counted by hard_error whatever it is; live values of state too, and no others', async () => {
    const flow = (begin: (ctx: Context) => unknown) => waiting(begin, undefined, { sessionPausePolicy: 'hard_error' })
    const refused = async (begin: (ctx: Context) => unknown) => {
      const handler = flow(begin).run()
      await turns()
      try {
        await handler.pause()
        return []
      } catch (error) {
        return (error as SessionNotSerializableError).entries.map(({ where }) => where)
      } finally {
        handler.abort()
      }
    }
    expect(await refused(({ session }) => void session.set('plain', 1))).toEqual([
      'ctx.session "plain" (set by step "begin")',
    ])
    expect(await refused(({ state }) => void state.set('live', () => 1))).toEqual([
      expect.stringContaining('ctx.state "live"'),
    ])
    expect(await refused(({ state }) => void state.set('kept', new Map()))).toEqual([])
  })

  test('is left out by warn_drop: one warning a run, the keys in the snapshot, and an error when it is read', async () => {
    const at = Date.now()
    const flow = waiting(
      ({ session, state }) => {
        session.plain = 1
        session.fn = () => 1
        state.live = () => 1
        state.kept = 1
      },
      (ctx) => {
        const errors = [
          () => ctx.session.fn,
          () => ctx.session.get('plain'),
          () => ctx.state.live,
          () => ctx.state.get('live'),
          () => ctx.get('fn'),
          () => ctx.get('live'),
        ].map((read) => {
          try {
            return read()
          } catch (error) {
            return error
          }
        })
        const has = [ctx.session.has('fn'), 'plain' in ctx.session, ctx.state.has('live'), ctx.session.size]
        ctx.session.fn = 'again'
        ctx.state.live = 'again'
        const again = [ctx.session.fn, ctx.state.live]
        ctx.session.delete('fn')
        return { errors, has, again, deleted: ctx.session.fn, keys: Object.keys(ctx.state) }
      },
      { sessionPausePolicy: 'warn_drop' },
    )
    const handler = flow.run()
    await turns()
    const snapshot = handler.snapshot()
    await handler.pause()
    handler.abort()
    await turns()
    expect(warnings.map(({ code }) => code)).toEqual(['BLAZEN_SESSION_DROPPED'])
    for (const key of ['plain', 'fn', 'live']) expect(warnings[0]?.message).toContain(`"${key}"`)
    expect(snapshot.context.lost.session.map(({ key }) => key)).toEqual(['plain', 'fn'])
    expect(snapshot.context.lost.state.map(({ key }) => key)).toEqual(['live'])
    const resumed = flow.resume(JSON.parse(JSON.stringify(snapshot)))
    await resumed.sendEvent(Job({ n: 1 }))
    const result = (await given(resumed.result())) as {
      errors: SessionEntryLostError[]
      has: unknown
      again: unknown
      deleted: unknown
      keys: unknown
    }
    for (const [index, key] of ['fn', 'plain', 'live', 'live', 'fn', 'live'].entries()) {
      const error = result.errors[index]
      expect(error, key).toBeInstanceOf(SessionEntryLostError)
      expect(error).toMatchObject({ key, step: 'begin', at: expect.any(Number) })
      expect(error?.at).toBeGreaterThanOrEqual(at)
      expect(error?.message).toContain(`"${key}"`)
      expect(error?.message).toContain('"begin"')
      expect(error?.message).toContain(new Date(error?.at ?? 0).toISOString())
    }
    expect(result.has).toEqual([false, false, false, 0])
    expect(result.again).toEqual(['again', 'again'])
    expect(result.deleted).toBeUndefined()
    expect(result.keys).toEqual(['kept', 'live'])
  })

  test('stays lost through further snapshots, with the step and the time that it was lost with', async () => {
    const flow = waiting(
      ({ session, state }) => {
        session.fn = () => 1
        state.live = () => 1
      },
      undefined,
      { sessionPausePolicy: 'warn_drop' },
    )
    const handler = flow.run()
    await turns()
    const first = JSON.parse(JSON.stringify(handler.snapshot()))
    handler.abort()
    const resumed = flow.resume(first)
    await turns()
    expect(resumed.snapshot().context.lost).toEqual(first.context.lost)
    expect(first.context.lost.session).toHaveLength(1)
    resumed.abort()
  })

  test('is not part of a snapshot of a run that has ended', async () => {
    const handler = workflow('ended')
      .step('begin', { accepts: StartEvent }, (_event, ctx) => {
        ctx.session.fn = () => 1
        return StopEvent({ result: 1 })
      })
      .run()
    await handler.result()
    await turns()
    expect(handler.snapshot().context.session).toEqual([])
  })
})

test('a run that is aborted before it began has opened and closed nothing', async () => {
  const open = vi.fn(() => 1)
  const close = vi.fn()
  const flow = workflow('aborted', { session: { db: resource({ open, close }) } }).step(
    'begin',
    { accepts: StartEvent },
    (_event, ctx) => StopEvent({ result: ctx.session.db }),
  )
  const handler = flow.run(undefined, { signal: AbortSignal.abort('early') })
  expect(await rejection(handler.result())).toBeInstanceOf(RunAbortedError)
  await turns()
  expect([open.mock.calls, close.mock.calls]).toEqual([[], []])
})
