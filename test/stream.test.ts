import { type AnyEvent, defineEvent, InputRequestEvent, StartEvent, StopEvent, workflow } from 'blazen-xstate'
import { describe, expect, test } from 'vitest'
import { createGate, rejection, turns } from './waiting.ts'

const Progress = defineEvent<{ n: number }>('Progress')
const Job = defineEvent<{ n: number }>('Job')
type Numbered = AnyEvent & { readonly n: number }

/** Writes 0, 1, 2, … up to `count`, then completes; `pause` is awaited before each. */
const writer = (count: number, pause?: (n: number) => unknown, options: { streamBuffer?: number } = {}) =>
  workflow('writer', options).step('write', { accepts: StartEvent }, async (_event, ctx) => {
    for (let n = 0; n < count; n++) {
      if (pause !== undefined) await pause(n)
      ctx.writeEventToStream(Progress({ n }))
    }
    return StopEvent({ result: 'written' })
  })

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, at) => from + at)

async function numbers(stream: AsyncIterable<AnyEvent>): Promise<number[]> {
  const read: number[] = []
  for await (const event of stream) read.push((event as Numbered).n)
  return read
}

describe('a stream', () => {
  test('gives what steps write, in order, the very objects, and ends with the run', async () => {
    const written = range(0, 5).map((n) => Progress({ n }))
    const handler = workflow('objects')
      .step('begin', { accepts: StartEvent }, async (_event, ctx) => {
        for (const event of written) {
          ctx.writeEventToStream(event)
          await turns(1)
        }
        return StopEvent()
      })
      .run()
    const read: AnyEvent[] = []
    for await (const event of handler.stream()) read.push(event)
    expect(read).toHaveLength(5)
    for (const [at, event] of read.entries()) expect(event).toBe(written[at])
    expect(handler.status).toBe('completed')
  })

  test('holds neither routed events nor results', async () => {
    const handler = workflow('quiet')
      .step('begin', { accepts: StartEvent }, (_event, ctx) => {
        ctx.sendEvent(Job({ n: 1 }))
        return Job({ n: 2 })
      })
      .step('job', { accepts: Job }, ({ n }) => (n === 2 ? StopEvent({ result: 'done' }) : null))
      .run()
    expect(await numbers(handler.stream())).toEqual([])
  })

  test('has a place of its own for every reader', async () => {
    const handler = writer(50, () => turns(1)).run()
    const slow = async () => {
      const read: number[] = []
      for await (const event of handler.stream()) {
        read.push((event as Numbered).n)
        await turns(3)
      }
      return read
    }
    const read = await Promise.all([numbers(handler.stream()), slow(), numbers(handler.stream()), slow()])
    for (const each of read) expect(each).toEqual(range(0, 50))
  })

  test('begins where it is told', async () => {
    const gate = createGate()
    const handler = writer(10, (n) => (n === 4 ? gate.opened : undefined)).run()
    await turns()
    const streams = [
      handler.stream(),
      handler.stream({}),
      handler.stream({ from: 0 }),
      handler.stream({ from: 2 }),
      handler.stream({ from: 'now' }),
      handler.stream({ from: 7 }),
      handler.stream({ from: 10 }),
      handler.stream({ from: 99 }),
    ]
    gate.open()
    const read = await Promise.all(streams.map(numbers))
    expect(read).toEqual([range(0, 10), range(0, 10), range(0, 10), range(2, 10), range(4, 10), range(7, 10), [], []])
  })

  test('means by now the moment of the call, not of the first read', async () => {
    const gate = createGate()
    const handler = writer(6, (n) => (n === 3 ? gate.opened : undefined)).run()
    await turns()
    const stream = handler.stream({ from: 'now' })
    gate.open()
    await handler.result()
    expect(await numbers(stream)).toEqual([3, 4, 5])
  })

  test.each([-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '1', null])('refuses to begin at %s', (from) => {
    const handler = writer(3).run()
    expect(() => handler.stream({ from: from as number })).toThrow(
      expect.objectContaining({ code: 'invalid_option', message: expect.stringContaining(String(from)) }),
    )
  })

  test('tells readers who come after the end all, and those who come for what is new nothing', async () => {
    const handler = writer(5).run()
    await handler.result()
    await turns()
    expect(await numbers(handler.stream())).toEqual(range(0, 5))
    expect(await numbers(handler.stream({ from: 3 }))).toEqual([3, 4])
    expect(await numbers(handler.stream({ from: 'now' }))).toEqual([])
  })

  test('waits with readers who come before the first event', async () => {
    const gate = createGate()
    const handler = writer(3, () => gate.opened).run()
    const read = [numbers(handler.stream()), numbers(handler.stream({ from: 'now' }))]
    await turns()
    gate.open()
    expect(await Promise.all(read)).toEqual([range(0, 3), range(0, 3)])
  })

  test('serves several reads of one reader at once, in order', async () => {
    const gate = createGate()
    const handler = writer(3, () => gate.opened).run()
    const stream = handler.stream()
    const reads = range(0, 5).map(() => stream.next())
    gate.open()
    const read = await Promise.all(reads)
    expect(read.map(({ done, value }) => (done ? 'end' : (value as Numbered).n))).toEqual([0, 1, 2, 'end', 'end'])
  })

  test('loses nothing in 100,000 events', async () => {
    const count = 100_000
    const handler = writer(count, (n) => (n % 10_000 === 0 ? turns(1) : undefined), { streamBuffer: count }).run()
    const [read, late] = await Promise.all([
      numbers(handler.stream()),
      handler.result().then(() => numbers(handler.stream())),
    ])
    expect(read).toHaveLength(count)
    expect(read.every((n, at) => n === at)).toBe(true)
    expect(late).toEqual(read)
  })

  test('does not hold the run up for a reader that is slower, or that never reads', async () => {
    const handler = writer(1_000).run()
    const never = handler.stream()
    const slow = handler.stream()
    await slow.next()
    expect(await handler.result()).toBe('written')
    expect(await numbers(slow)).toEqual(range(1, 1_000))
    expect(await numbers(never)).toEqual(range(0, 1_000))
  })
})

describe('a reader that falls behind the buffer', () => {
  test('is told how many events it has missed, and gets all the others', async () => {
    const handler = writer(1_000, undefined, { streamBuffer: 10 }).run()
    await handler.result()
    const read: AnyEvent[] = []
    for await (const event of handler.stream()) read.push(event)
    expect(read[0]).toEqual({ type: 'blazen::StreamGap', missed: 990 })
    expect(read.slice(1).map((event) => (event as Numbered).n)).toEqual(range(990, 1_000))
  })

  test('counts every event once: read or missed', async () => {
    for (const streamBuffer of [1, 2, 3, 7, 64]) {
      const handler = writer(500, (n) => (n % 5 === 0 ? turns(1) : undefined), { streamBuffer }).run()
      let next = 0
      for await (const event of handler.stream()) {
        if (event.type === 'blazen::StreamGap') next += (event as AnyEvent & { missed: number }).missed
        else expect((event as Numbered).n).toBe(next++)
        await turns(next % 3)
      }
      expect(next).toBe(500)
    }
  })

  test('is not told of a gap before the place from which it reads', async () => {
    const handler = writer(100, undefined, { streamBuffer: 10 }).run()
    await handler.result()
    expect(await numbers(handler.stream({ from: 95 }))).toEqual(range(95, 100))
    const stream = handler.stream({ from: 80 })
    expect((await stream.next()).value).toEqual({ type: 'blazen::StreamGap', missed: 10 })
    expect(await numbers(stream)).toEqual(range(90, 100))
  })

  test.each([-1, 0.5, Number.NaN, '5'])('cannot be caused by a buffer of %s, which is refused', (streamBuffer) => {
    const build = () => writer(1, undefined, { streamBuffer: streamBuffer as number }).machine
    expect(build).toThrow(
      expect.objectContaining({ code: 'definition', message: expect.stringContaining('streamBuffer') }),
    )
  })
})

describe('a stream ends', () => {
  const ends: Record<string, (stop: { abort(): void }) => Promise<unknown>> = {
    completes: async () => StopEvent(),
    fails: async () => {
      throw new Error('no')
    },
    stalls: async () => null,
    'is aborted': async ({ abort }) => abort(),
    'times out': () => new Promise(() => {}),
  }
  test.each(Object.entries(ends))('when the run %s', async (_name, end) => {
    const begin = createGate()
    const handler = workflow('ends', { timeout: 50 })
      .step('begin', { accepts: StartEvent }, async (_event, ctx) => {
        ctx.writeEventToStream(Progress({ n: 1 }))
        await begin.opened
        ctx.writeEventToStream(Progress({ n: 2 }))
        return (await end({ abort: () => handler.abort() })) as null
      })
      .run()
    const early = numbers(handler.stream())
    begin.open()
    expect(await early).toEqual([1, 2])
    expect(handler.status).not.toBe('running')
    expect(await numbers(handler.stream())).toEqual([1, 2])
    await handler.result().catch(() => {})
  })

  test('when somebody stops the actor', async () => {
    const handler = writer(1, () => new Promise(() => {})).run()
    const read = numbers(handler.stream())
    handler.actor.stop()
    expect(await read).toEqual([])
  })

  test('with what was written before the StopEvent, and without what comes later', async () => {
    const late = createGate<unknown>()
    const handler = workflow('late')
      .step('begin', { accepts: StartEvent }, () => [Job({ n: 1 }), Job({ n: 2 })])
      .step('job', { accepts: Job }, async ({ n }, ctx) => {
        ctx.writeEventToStream(Progress({ n }))
        if (n === 1) {
          await turns(1)
          return StopEvent()
        }
        await new Promise((resolve) => ctx.signal.addEventListener('abort', resolve))
        try {
          ctx.writeEventToStream(Progress({ n: 99 }))
        } catch (error) {
          late.open(error)
        }
        return null
      })
      .run()
    expect(await numbers(handler.stream())).toEqual([1, 2])
    expect(await late.opened).toMatchObject({ code: 'attempt_over' })
  })
})

describe('a reader that stops reading', () => {
  test('by break leaves the run and the other readers alone', async () => {
    const handler = writer(20, () => turns(1)).run()
    const stream = handler.stream()
    for await (const event of stream) if ((event as Numbered).n === 3) break
    expect(await stream.next()).toEqual({ done: true, value: undefined })
    expect(await numbers(handler.stream())).toEqual(range(0, 20))
    expect(await handler.result()).toBe('written')
  })

  test('while a read is under way ends that read too', async () => {
    const gate = createGate()
    const handler = writer(2, () => gate.opened).run()
    const stream = handler.stream()
    const pending = stream.next()
    await stream.return?.()
    expect(await Promise.race([pending, turns(5)])).toEqual({ done: true, value: undefined })
    gate.open()
    await handler.result()
  })
})

describe('toReadableStream', () => {
  test('gives the same events, and closes at the end', async () => {
    const handler = writer(100, (n) => (n % 7 === 0 ? turns(1) : undefined)).run()
    const read: number[] = []
    for await (const event of handler.stream().toReadableStream()) read.push((event as Numbered).n)
    expect(read).toEqual(range(0, 100))
  })

  test('closes when the run fails', async () => {
    const handler = workflow('fails')
      .step('begin', { accepts: StartEvent }, async (_event, ctx) => {
        ctx.writeEventToStream(Progress({ n: 1 }))
        await turns()
        throw new Error('no')
      })
      .run()
    const read: number[] = []
    for await (const event of handler.stream().toReadableStream()) read.push((event as Numbered).n)
    expect(read).toEqual([1])
    await rejection(handler.result())
  })

  test('can be cancelled', async () => {
    const handler = writer(20, () => turns(1)).run()
    const reader = handler.stream().toReadableStream().getReader()
    expect(((await reader.read()).value as Numbered).n).toBe(0)
    await reader.cancel()
    expect(await reader.read()).toEqual({ done: true, value: undefined })
    expect(await handler.result()).toBe('written')
  })
})

describe('what is written', () => {
  test('is not routed, also if a step accepts its type', async () => {
    let routed = 0
    const handler = workflow('outward')
      .step('begin', { accepts: StartEvent }, (_event, ctx) => {
        ctx.writeEventToStream(Job({ n: 1 }))
        ctx.writeEventToStream({ type: 'Nobody' })
        return StopEvent()
      })
      .step('job', { accepts: Job }, () => void routed++)
      .run()
    await handler.result()
    await turns()
    expect(routed).toBe(0)
  })

  test('by two steps comes in the order of writing', async () => {
    const handler = workflow('two writers')
      .step('begin', { accepts: StartEvent }, () => Job({ n: 0 }))
      .step('a', { accepts: Job }, async (_event, ctx) => {
        for (const n of [0, 2, 4]) {
          ctx.writeEventToStream(Progress({ n }))
          await turns(1)
        }
      })
      .step('b', { accepts: Job }, async (_event, ctx) => {
        for (const n of [1, 3, 5]) {
          ctx.writeEventToStream(Progress({ n }))
          await turns(1)
        }
        return StopEvent()
      })
      .run()
    expect(await numbers(handler.stream())).toEqual(range(0, 6))
  })

  test('holds the requests to people among what steps write, in order', async () => {
    const handler = workflow('asks')
      .step('begin', { accepts: StartEvent }, (_event, ctx) => {
        ctx.writeEventToStream(Progress({ n: 1 }))
        return InputRequestEvent({ requestId: 'r', prompt: '?' }) as AnyEvent
      })
      .run()
    const stream = handler.stream()
    expect((await stream.next()).value).toEqual({ type: 'Progress', n: 1 })
    expect((await stream.next()).value).toEqual({ type: InputRequestEvent.type, requestId: 'r', prompt: '?' })
    handler.abort()
    await rejection(handler.result())
  })
})
