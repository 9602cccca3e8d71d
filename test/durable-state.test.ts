import { BlazenState, createHost, defineEvent, memoryStore, StartEvent, StopEvent, workflow } from 'blazen-xstate'
import { StateLog, Writes } from 'blazen-xstate/machines'
import { crashAtEveryRecord } from 'blazen-xstate/testing'
import { expect, test } from 'vitest'

const Item = defineEvent<{ n: number }>('Item')
const Done = defineEvent<{ n: number }>('Done')

class Inner extends BlazenState {
  last = -1
}

class Tally extends BlazenState {
  static override meta = { transient: ['cache'] }
  count = 0
  since = new Date(0)
  bytes = new Uint8Array([1, 2])
  inner = new Inner()
  cache: Map<string, number> | null = null
  restored = 0

  override restore() {
    this.cache = new Map([['restored', 1]])
  }
}

const tallying = workflow('tally', { classes: [Tally, Inner] })
  .step('begin', { accepts: StartEvent, emits: Item }, (_, ctx) => {
    ctx.set('tally', new Tally())
    ctx.set('gone', new Inner())
    return [0, 1, 2].map((n) => Item({ n }))
  })
  .step('add', { accepts: Item, emits: Done, concurrency: 1 }, async (event, ctx) => {
    const tally = ctx.get<Tally>('tally')
    if (tally === undefined) throw new Error('no tally')
    await Promise.resolve()
    tally.count++
    tally.inner.last = event.n
    if (event.n === 1) tally.bytes = new Uint8Array([9, 8, 7])
    if (event.n === 2) ctx.state.delete('gone')
    ctx.set('tally', tally)
    return Done({ n: event.n })
  })
  .step('join', { accepts: Done, emits: StopEvent }, (_, ctx) => {
    if (ctx.collect(Done, 3) === undefined) return null
    const tally = ctx.get<Tally>('tally')
    const { count, since, bytes, inner } = tally ?? new Tally()
    const isWhole = tally instanceof Tally && inner instanceof Inner && since instanceof Date
    return StopEvent({
      result: { count, last: inner.last, bytes: [...bytes], isWhole, hasGone: ctx.state.has('gone') },
    })
  })

test('a BlazenState is the same however its run is cut', async () => {
  const { result, cuts } = await crashAtEveryRecord(tallying)
  expect(result).toEqual({ count: 3, last: 2, bytes: [9, 8, 7], isWhole: true, hasGone: false })
  expect(cuts.length).toBeGreaterThan(6)
})

test('a BlazenState of a recovered run is restored before any step runs', async () => {
  const Go = defineEvent('Go')
  const flow = workflow('restored', { idle: 'wait', external: [Go], classes: [Tally, Inner] })
    .step('begin', { accepts: StartEvent }, (_, ctx) => {
      ctx.set('tally', Object.assign(new Tally(), { count: 7 }))
    })
    .step('go', { accepts: Go, emits: StopEvent }, (_, ctx) => {
      const tally = ctx.get<Tally>('tally')
      return StopEvent({ result: [tally instanceof Tally, tally?.count, tally?.cache?.get('restored')] })
    })
  const store = memoryStore()
  const first = createHost({ store, workflows: [flow], pollMs: 10 })
  const { runId } = await first.run(flow)
  while ((await store.info(runId))?.status !== 'waiting') await new Promise((resolve) => setTimeout(resolve, 1))
  await first.close()
  await using second = createHost({ store, workflows: [flow], pollMs: 10 })
  await second.sendEvent(runId, Go({}))
  expect(await (await second.get(runId))?.result()).toEqual([true, 7, 1])
})

test('the history shows of a BlazenState the fields that changed', async () => {
  const handler = tallying.run(undefined, { history: true })
  await handler.result()
  const writes = (await handler.history()).flatMap((record) => record.writes ?? [])
  expect(writes[0]).toEqual([
    'tally',
    { count: 0, since: new Date(0), bytes: new Uint8Array([1, 2]), inner: { last: -1 }, restored: 0 },
  ])
  expect(writes[1]).toEqual(['gone', { last: -1 }])
  expect(writes.slice(2)).toEqual([
    ['tally', { count: 1, inner: { last: 0 } }],
    ['tally', { count: 2, bytes: new Uint8Array([9, 8, 7]), inner: { last: 1 } }],
    ['gone'],
    ['tally', { count: 3, inner: { last: 2 } }],
  ])
})

test('what staged writes make void is void before it is staged', () => {
  const log = new StateLog()
  const [older, newer] = [new Writes(), new Writes()]
  log.write(older, 'a', 1)
  log.write(newer, 'a', 2)
  log.resolve(newer)
  log.stage(newer)
  log.resolve(older)
  log.stage(older)
  expect([...older]).toEqual([])
  log.commit(newer)
  log.commit(older)
  expect(log.get('a')).toBe(2)
})

test('staged changes go beside what others write, and before what is committed later', () => {
  const log = new StateLog([['a', 1]])
  const [write, change, after] = [new Writes(), new Writes(), new Writes()]
  const add = (by: number) => (before: unknown) => Number(before) + by
  log.write(write, 'a', 10)
  log.change(change, 'a', add(1))
  log.change(after, 'a', add(5))
  log.resolve(change)
  log.stage(change)
  expect(change.get('a')).toBe(2)
  log.resolve(after)
  log.stage(after)
  expect(after.get('a')).toBe(7)
  expect(log.get('a')).toBe(10)
  log.commit(change)
  log.commit(after)
  expect(log.get('a')).toBe(10)
  log.commit(write)
  expect(log.committed.get('a')).toBe(10)
})
