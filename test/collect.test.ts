import { defineEvent, FatalError, StartEvent, StepFailedError, StopEvent, workflow } from 'blazen-xstate'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { runOnVirtualTime } from './virtual-time.ts'
import { createGate, rejection, turns } from './waiting.ts'

const Part = defineEvent<{ n: number }>('Part')
const Other = defineEvent<{ n: number }>('Other')
const parts = (...numbers: number[]) => numbers.map((n) => Part({ n }))
const numbersOf = (events: readonly { n: number }[]) => events.map(({ n }) => n)

describe('collect', () => {
  test('gives all events once they are there, and only to one execution', async () => {
    const given: (number[] | undefined)[] = []
    const result = await workflow('join')
      .step('begin', { accepts: StartEvent }, () => parts(1, 2, 3))
      .step('join', { accepts: Part }, (_event, ctx) => {
        const all = ctx.collect(Part, 3)
        given.push(all && numbersOf(all))
        return all && StopEvent({ result: numbersOf(all) })
      })
      .run()
      .result()
    expect(result).toEqual([1, 2, 3])
    expect(given).toEqual([undefined, undefined, [1, 2, 3]])
  })

  test('fires once also when all that lead to it finish in one tick', async () => {
    const gate = createGate()
    let fired = 0
    const Work = defineEvent<{ n: number }>('Work')
    const handler = workflow('one tick')
      .step('begin', { accepts: StartEvent }, () => [1, 2, 3, 4].map((n) => Work({ n })))
      .step('work', { accepts: Work }, async ({ n }) => {
        await gate.opened
        return Part({ n })
      })
      .step('join', { accepts: Part }, async (_event, ctx) => {
        const all = ctx.collect(Part, 4)
        if (all === undefined) return null
        fired++
        await turns()
        return StopEvent({ result: numbersOf(all) })
      })
      .run()
    await turns()
    gate.open()
    expect(await handler.result()).toEqual([1, 2, 3, 4])
    expect(fired).toBe(1)
  })

  test('hands out the very events', async () => {
    const sent = parts(1, 2)
    const all = await workflow('same objects')
      .step('begin', { accepts: StartEvent }, () => sent)
      .step('join', { accepts: Part }, (_event, ctx) => {
        const all = ctx.collect(Part, 2)
        return all && StopEvent({ result: all })
      })
      .run()
      .result()
    expect(all[0]).toBe(sent[0])
    expect(all[1]).toBe(sent[1])
  })

  test('leaves what is over for the next time, the oldest first', async () => {
    const batches: number[][] = []
    await workflow('batches')
      .step('begin', { accepts: StartEvent }, () => parts(1, 2, 3, 4, 5, 6, 7))
      .step('join', { accepts: Part }, (event, ctx) => {
        const batch = ctx.collect(Part, event.n === 7 ? 1 : 3)
        if (batch !== undefined) batches.push(numbersOf(batch))
        return event.n === 7 ? StopEvent() : null
      })
      .run()
      .result()
    expect(batches).toEqual([[1, 2, 3], [4, 5, 6], [7]])
  })

  test('with a smaller count takes the oldest and leaves the others', async () => {
    const batches: number[][] = []
    await workflow('smaller')
      .step('begin', { accepts: StartEvent }, () => parts(1, 2, 3))
      .step('join', { accepts: Part }, (event, ctx) => {
        const batch = ctx.collect(Part, event.n === 3 ? 2 : 3)
        if (batch !== undefined) batches.push(numbersOf(batch))
        if (event.n !== 3) return null
        batches.push(numbersOf(ctx.collect(Part, 1) ?? []))
        return StopEvent()
      })
      .run()
      .result()
    expect(batches).toEqual([[1, 2], [3]])
  })

  test('adds an event once, however often its execution asks', async () => {
    const error = await rejection(
      workflow('asks often')
        .step('begin', { accepts: StartEvent }, () => parts(1, 2))
        .step('join', { accepts: Part }, (_event, ctx) => {
          for (let n = 0; n < 5; n++) if (ctx.collect(Part, 3) !== undefined) throw new Error('counted twice')
        })
        .run()
        .result(),
    )
    expect(error).toMatchObject({ code: 'stalled', message: expect.stringContaining('2 of "Part"') })
  })

  test('keeps the types of one step apart', async () => {
    const result = await workflow('two types')
      .step('begin', { accepts: StartEvent }, () => [
        Part({ n: 1 }),
        Other({ n: 10 }),
        Part({ n: 2 }),
        Other({ n: 20 }),
      ])
      .step('join', { accepts: [Part, Other] }, (event, ctx) => {
        if (Part.is(event)) ctx.collect(Part, 3)
        else {
          const others = ctx.collect(Other, 2)
          return others && StopEvent({ result: numbersOf(others) })
        }
        return null
      })
      .run()
      .result()
    expect(result).toEqual([10, 20])
  })

  test('refuses the type of another event, naming both', async () => {
    const error = await rejection(
      workflow('wrong type')
        .step('begin', { accepts: StartEvent }, () => parts(1))
        .step('join', { accepts: Part }, (_event, ctx) => void ctx.collect(Other, 1))
        .run()
        .result(),
    )
    expect(error).toBeInstanceOf(StepFailedError)
    expect(error).toMatchObject({ step: 'join', cause: { code: 'collect' } })
    expect((error as Error).message).toMatch(/"Other".*"Part"/)
  })

  test.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])('refuses to collect %d events', async (count) => {
    const error = await rejection(
      workflow('bad count')
        .step('begin', { accepts: StartEvent }, () => parts(1))
        .step('join', { accepts: Part }, (_event, ctx) => void ctx.collect(Part, count))
        .run()
        .result(),
    )
    expect(error).toMatchObject({
      step: 'join',
      cause: { code: 'collect', message: expect.stringContaining(`${count}`) },
    })
  })

  test('keeps nothing of types that nobody collects', async () => {
    let kept: Iterable<string> | undefined
    const run = runOnVirtualTime(
      workflow('no memory')
        .step('begin', { accepts: StartEvent }, () => [...parts(1, 2, 3), Other({ n: 1 }), Other({ n: 2 })])
        .step('part', { accepts: Part }, () => null)
        .step('other', { accepts: Other }, async (_event, ctx) => {
          if (ctx.collect(Other, 3) === undefined) await turns()
          kept ??= [...run.actor.getSnapshot().context.run.collections.keys()]
          return StopEvent()
        }),
    )
    await run.result
    expect(kept).toEqual(['Other'])
  })

  test('takes more at once than a call has places for arguments', async () => {
    const count = 300_000
    const all = await workflow('very wide')
      .step('begin', { accepts: StartEvent }, () => Array.from({ length: count }, (_, n) => Part({ n })))
      .step('join', { accepts: Part }, (_event, ctx) => {
        const all = ctx.collect(Part, count)
        return all && StopEvent({ result: all.length })
      })
      .run()
      .result()
    expect(all).toBe(count)
  }, 60_000)
})

describe('an attempt that fails', () => {
  test('gives back what it took, in the old order, and adds its own event again', async () => {
    const given: number[][] = []
    const result = await workflow('gives back')
      .step('begin', { accepts: StartEvent }, () => parts(1, 2, 3))
      .step('join', { accepts: Part, retry: { attempts: 3 } }, (_event, ctx) => {
        const all = ctx.collect(Part, 3)
        if (all === undefined) return null
        given.push(numbersOf(all))
        if (ctx.attempt < 3) throw new Error('again')
        return StopEvent({ result: numbersOf(all) })
      })
      .run()
      .result()
    expect(result).toEqual([1, 2, 3])
    expect(given).toEqual([
      [1, 2, 3],
      [1, 2, 3],
      [1, 2, 3],
    ])
  })

  test('that only added its event takes it back until it runs again', async () => {
    const error = await rejection(
      workflow('adds once')
        .step('begin', { accepts: StartEvent }, () => parts(1, 2))
        .step('join', { accepts: Part, retry: { attempts: 4 } }, (_event, ctx) => {
          if (ctx.collect(Part, 3) !== undefined) throw new FatalError('counted twice')
          if (ctx.attempt < 4) throw new Error('again')
        })
        .run()
        .result(),
    )
    expect(error).toMatchObject({ code: 'stalled', message: expect.stringContaining('2 of "Part"') })
  })

  test('leaves to another what that one has collected meanwhile, and does not count again', async () => {
    const failFirst = createGate()
    const batches: number[][] = []
    const error = await rejection(
      workflow('taken meanwhile')
        .step('begin', { accepts: StartEvent }, () => parts(1, 2))
        .step('join', { accepts: Part, retry: { attempts: 2 } }, async (event, ctx) => {
          const pair = ctx.collect(Part, 2)
          if (pair !== undefined) {
            batches.push(numbersOf(pair))
            await turns()
            return parts(3)
          }
          if (event.n === 1 && ctx.attempt === 1) {
            setImmediate(() => failFirst.open())
            await failFirst.opened
            await turns()
            await turns()
            throw new Error('after the other has settled')
          }
          return null
        })
        .run()
        .result(),
    )
    // 1 and 2 make a pair. 3 waits in vain for a second: 1 must not come again.
    expect(batches).toEqual([[1, 2]])
    expect(error).toMatchObject({ code: 'stalled', message: expect.stringContaining('1 of "Part"') })
  })

  test('while another still holds its event does not count it a second time', async () => {
    const release = createGate()
    const batches: number[][] = []
    const error = await rejection(
      workflow('held by another')
        .step('begin', { accepts: StartEvent }, () => parts(1, 2))
        .step('join', { accepts: Part, retry: { attempts: 2 } }, async (event, ctx) => {
          const pair = ctx.collect(Part, 2)
          if (pair !== undefined) {
            batches.push(numbersOf(pair))
            await release.opened
            return event.n === 2 ? parts(3) : null
          }
          if (event.n === 1 && ctx.attempt === 1) {
            await turns()
            throw new Error('while the other is at work')
          }
          if (event.n === 1) release.open()
          return null
        })
        .run()
        .result(),
    )
    expect(batches).toEqual([[1, 2]])
    expect(error).toMatchObject({ code: 'stalled', message: expect.stringContaining('1 of "Part"') })
  })

  test('and is collected by another leaves no empty collection behind', async () => {
    const failFirst = createGate()
    const error = await rejection(
      workflow('no empty collection')
        .step('begin', { accepts: StartEvent }, () => parts(1, 2))
        .step('join', { accepts: Part, retry: { attempts: 2 } }, async (event, ctx) => {
          const pair = ctx.collect(Part, 2)
          if (event.n === 2) {
            expect(numbersOf(pair ?? [])).toEqual([1, 2])
            setImmediate(() => failFirst.open())
          } else if (ctx.attempt === 1) {
            await failFirst.opened
            throw new Error('again')
          }
        })
        .run()
        .result(),
    )
    expect(error).toMatchObject({ code: 'stalled' })
    expect((error as Error).message).not.toContain('Collected so far')
  })

  test('by its timeout gives back too', async () => {
    const given: number[][] = []
    const run = runOnVirtualTime(
      workflow('times out')
        .step('begin', { accepts: StartEvent }, () => parts(1, 2))
        .step('join', { accepts: Part, timeout: 100, retry: { attempts: 2 } }, async (_event, ctx) => {
          const all = ctx.collect(Part, 2)
          if (all === undefined) return null
          given.push(numbersOf(all))
          if (ctx.attempt === 1) await new Promise(() => {})
          return StopEvent({ result: 'joined' })
        }),
    )
    await run.pass(100)
    expect(await run.result).toBe('joined')
    expect(given).toEqual([
      [1, 2],
      [1, 2],
    ])
  })
})

test('whatever fails and whatever the batches, every event is collected exactly once or left over', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ failures: fc.nat(2), waits: fc.nat(3), waitsFirst: fc.boolean() }), {
        minLength: 1,
        maxLength: 12,
      }),
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 1, max: 4 }),
      async (plans, size, concurrency) => {
        const committed: number[][] = []
        const flow = workflow('property', { idle: 'wait' })
          .step('begin', { accepts: StartEvent }, () => parts(...plans.keys()))
          .step('join', { accepts: Part, concurrency, retry: { attempts: 3 } }, async (event, ctx) => {
            const plan = plans[event.n]
            if (plan?.waitsFirst) await turns(plan.waits)
            const batch = ctx.collect(Part, size)
            if (!plan?.waitsFirst) await turns(plan?.waits)
            if (ctx.attempt <= (plan?.failures ?? 0)) throw new Error('planned')
            return batch === undefined ? null : Other({ n: committed.push(numbersOf(batch)) })
          })
          .step('other', { accepts: Other }, () => null)
        const handler = flow.run()
        while (handler.status === 'running') await turns(1)
        const left = [...handler.actor.getSnapshot().context.run.collections.values()]
          .flat()
          .map(({ event }: { event: { n: number } }) => event.n)
        handler.abort()
        expect([...committed.flat(), ...left].sort((a, b) => a - b)).toEqual([...plans.keys()])
        expect(committed.every((batch) => batch.length === size)).toBe(true)
      },
    ),
    { numRuns: 150 },
  )
})

test('a snapshot of a busy run holds no event that running steps have collected of one another', async () => {
  const gate = createGate()
  const flow = workflow('busy')
    .step('begin', { accepts: StartEvent, emits: Part }, () => parts(1, 2))
    .step('join', { accepts: Part, emits: StopEvent }, async (_, ctx) => {
      const both = ctx.collect(Part, 2)
      await gate.opened
      return both && StopEvent({ result: numbersOf(both) })
    })
  const handler = flow.run()
  await turns()
  const snapshot = JSON.parse(JSON.stringify(handler.snapshot()))
  gate.open()
  expect(await handler.result()).toEqual([1, 2])
  expect(await flow.resume(snapshot).result()).toEqual([1, 2])
})
