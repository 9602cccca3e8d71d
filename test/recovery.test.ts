import {
  type AnyWorkflow,
  defineEvent,
  InputRequestEvent,
  InputResponseEvent,
  StartEvent,
  StopEvent,
  workflow,
} from 'blazen-xstate'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { crashAtEveryRecord } from '../src/testing/crash.ts'

const Item = defineEvent<{ n: number }>('Item')
const Done = defineEvent<{ n: number }>('Done')
const Later = defineEvent<{ n: number }>('Later')

/** Runs executions, and says of each which settled ones have run again. */
function effectsOf() {
  const done = new Map<string, number>()
  return {
    note: (key: string) => done.set(key, (done.get(key) ?? 0) + 1),
    clear: () => done.clear(),
    read: () => [...done.keys()].sort(),
  }
}

function fanOut(count: number, effects = effectsOf()) {
  return workflow('fan-out')
    .step('begin', { accepts: StartEvent, emits: Item }, () => Array.from({ length: count }, (_, n) => Item({ n })))
    .step('work', { accepts: Item, emits: Done, concurrency: 2 }, async (event, ctx) => {
      ctx.state.update('count', (before: number = 0) => before + 1)
      ctx.setBytes(`bytes ${event.n}`, new Uint8Array([event.n, 255]))
      await Promise.resolve()
      effects.note(`work ${event.n}`)
      return Done({ n: event.n })
    })
    .step('join', { accepts: Done, emits: StopEvent }, (_, ctx) => {
      const all = ctx.collect(Done, count)
      if (all === undefined) return null
      return StopEvent({ result: { sum: all.reduce((sum, { n }) => sum + n, 0), count: ctx.get('count') } })
    })
}

test('a fan-out with a fan-in is the same however it is cut', async () => {
  const effects = effectsOf()
  const report = await crashAtEveryRecord(fanOut(4, effects), { effects })
  expect(report.result).toEqual({ sum: 6, count: 4 })
  expect(report.records).toBe(11)
  expect(report.cuts).toHaveLength(10)
})

test('events that were sent early are not doubled', async () => {
  const flow = workflow('early')
    .step('send', { accepts: StartEvent, emits: [Item, Done] }, async (_, ctx) => {
      for (let n = 0; n < 3; n++) {
        ctx.sendEvent(Item({ n }))
        await new Promise((resolve) => setTimeout(resolve, 1))
      }
      return Done({ n: -1 })
    })
    .step('count', { accepts: Item, emits: Done }, (event, ctx) => {
      ctx.state.update('items', (before: number = 0) => before + 1)
      return Done({ n: event.n })
    })
    .step('join', { accepts: Done, emits: StopEvent }, (_, ctx) => {
      const all = ctx.collect(Done, 4)
      return all && StopEvent({ result: [all.length, ctx.get('items')] })
    })
  expect((await crashAtEveryRecord(flow)).result).toEqual([4, 3])
})

test('delays, retries and requests survive', async () => {
  const flow = workflow('long')
    .step('begin', { accepts: StartEvent, emits: [Later, Item] }, (_, ctx) => {
      ctx.sendEvent(Later({ n: 1 }), { delay: 20 })
      return Item({ n: 1 })
    })
    .step('flaky', { accepts: Item, emits: InputRequestEvent, retry: { attempts: 3, delay: 5 } }, (_, ctx) => {
      ctx.set('attempt', ctx.attempt)
      if (ctx.attempt < 3) throw new Error('not yet')
      return InputRequestEvent({ requestId: 'q', prompt: 'Go on?' })
    })
    .step('later', { accepts: Later, emits: Done }, (event) => Done({ n: event.n }))
    .step('answer', { accepts: InputResponseEvent, emits: Done }, (event, ctx) => {
      ctx.set('answer', event.response)
      return Done({ n: 2 })
    })
    .step('join', { accepts: Done, emits: StopEvent }, (_, ctx) => {
      const all = ctx.collect(Done, 2)
      return all && StopEvent({ result: [ctx.get('attempt'), ctx.get('answer')] })
    })
  expect((await crashAtEveryRecord(flow, { answers: { q: 'yes' } })).result).toEqual([3, 'yes'])
})

test('a run that fails, stalls or gets no consumer fails the same way', async () => {
  const failing = workflow('fails').step(
    'throw',
    { accepts: StartEvent, emits: StopEvent, retry: { attempts: 2 } },
    () => {
      throw new TypeError('no')
    },
  )
  expect((await crashAtEveryRecord(failing)).records).toBe(3)
  const stalling = workflow('stalls').step('nothing', { accepts: StartEvent }, () => null)
  expect((await crashAtEveryRecord(stalling)).records).toBe(3)
  const open: AnyWorkflow = workflow('open').step('lost', { accepts: StartEvent }, () => Item({ n: 1 }) as never)
  expect((await crashAtEveryRecord(open)).records).toBe(3)
})

test('random workflows are the same however they are cut', async () => {
  const shape = fc.array(
    fc.record({
      fan: fc.integer({ min: 1, max: 3 }),
      early: fc.boolean(),
      turns: fc.integer({ min: 0, max: 2 }),
      fails: fc.integer({ min: 0, max: 2 }),
      concurrency: fc.constantFrom(1, 2, Number.POSITIVE_INFINITY),
    }),
    { minLength: 1, maxLength: 3 },
  )
  await fc.assert(
    fc.asyncProperty(shape, async (layers) => {
      const types = layers.map((_, at) => defineEvent<{ path: string }>(`Layer${at}`))
      const total = layers.reduce((count, { fan }) => count * fan, 1)
      const End = defineEvent<{ path: string }>('End')
      let flow: AnyWorkflow = workflow('random')
      for (const [at, { fan, early, turns, fails, concurrency }] of layers.entries()) {
        const accepts = at === 0 ? StartEvent : (types[at - 1] ?? StartEvent)
        const Out = types[at + 1 - 1] && at < layers.length - 1 ? types[at] : End
        flow = flow.step(`layer ${at}`, { accepts, concurrency, retry: { attempts: 3 } }, async (event, ctx) => {
          const path = 'path' in event ? String(event.path) : ''
          ctx.state.update('visits', (before: number = 0) => before + 1)
          const outs = Array.from({ length: fan }, (_, n) => (Out ?? End)({ path: `${path}${n}` }))
          // The last one comes when the step has settled, so that the end does not overtake it.
          if (early) for (const out of outs.slice(0, -1)) ctx.sendEvent(out)
          for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve))
          if (ctx.attempt <= fails) throw new Error(`attempt ${ctx.attempt}`)
          ctx.state.update('paths', (before: string[] = []) => [...before, path].sort())
          return (early ? outs.slice(-1) : outs) as never
        })
      }
      flow = flow.step('end', { accepts: End }, (_, ctx) => {
        const all = ctx.collect(End, total)
        return all && StopEvent({ result: all.map(({ path }) => path).sort() })
      })
      const { result } = await crashAtEveryRecord(flow)
      expect(result).toHaveLength(total)
    }),
    { numRuns: 12 },
  )
}, 60_000)
