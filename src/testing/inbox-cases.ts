import type { Store } from '../store.ts'
import { equal, ok } from './check.ts'
import { hostileTexts } from './record-cases.ts'
import { type Bench, letter, type StoreTest } from './store-case.ts'

/** What others have to say to a run. */
export const inboxCases: readonly StoreTest[] = [
  {
    name: 'letters wait in the order in which they were posted, until an append takes them',
    async test(bench) {
      const { store } = bench
      const { runId } = await bench.create('run')
      const letters = [
        letter('b', { at: 3, bytes: Uint8Array.of(1, 0, 255) }),
        letter('a', { at: 2 }),
        letter('c', { at: 1, bytes: new Uint8Array(0) }),
      ]
      for (const each of letters) equal(await store.post(runId, each), true, 'post')
      equal(await store.inbox(runId), letters, 'inbox')
      equal(await store.append([bench.append('run', [2], { taken: ['a', 'b'] })]), ['appended'], 'append')
      equal(await store.inbox(runId), letters.slice(2), 'what is left')
      equal((await store.info(runId))?.seq, 2, 'seq')
    },
  },
  {
    name: 'a letter is posted once, also after it was taken',
    async test(bench) {
      const { store } = bench
      const { runId } = await bench.create('run')
      await store.post(runId, letter('a'))
      equal(await store.post(runId, letter('a', { body: '"other"' })), true, 'the same id while it waits')
      equal(await store.inbox(runId), [letter('a')], 'inbox')
      await store.append([bench.append('run', [2], { taken: ['a', 'never posted'] })])
      for (const id of ['a', 'never posted'])
        equal(await store.post(runId, letter(id)), true, `the id ${id} after it was taken`)
      equal(await store.inbox(runId), [], 'inbox after it was taken')
    },
  },
  {
    name: 'an append that conflicts takes no letter; one that is made again takes it once',
    async test(bench) {
      const { store } = bench
      const { runId } = await bench.create('run')
      await store.post(runId, letter('a'))
      equal(await store.append([bench.append('run', [5], { taken: ['a'] })]), ['conflict'], 'append')
      equal(await store.inbox(runId), [letter('a')], 'inbox')
      const taking = bench.append('run', [2], { taken: ['a'] })
      equal(await store.append([taking]), ['appended'], 'append')
      await store.post(runId, letter('b'))
      equal(await store.append([taking]), ['appended'], 'append again')
      equal(await store.inbox(runId), [letter('b')], 'inbox')
      const empty = bench.append('run', [], { expectedSeq: 2, taken: ['b'] })
      equal(await store.append([empty]), ['appended'], 'append without records')
      equal(await store.inbox(runId), [], 'inbox')
    },
  },
  {
    name: 'letters to different runs are different letters, and to no run there are none',
    async test(bench) {
      const { store } = bench
      const [one, two] = [await bench.create('one'), await bench.create('two')]
      await store.post(one.runId, letter('same'))
      await store.post(two.runId, letter('same', { body: '2' }))
      await store.append([bench.append('one', [2], { taken: ['same'] })])
      equal(await store.inbox(two.runId), [letter('same', { body: '2' })], 'inbox of the other')
      equal(await store.post(bench.id('nobody'), letter('a')), false, 'to no run')
    },
  },
  {
    name: 'ids of letters are any strings',
    async test(bench) {
      const { runId } = await bench.create('run')
      for (const text of hostileTexts) await bench.store.post(runId, letter(text))
      equal(
        (await bench.store.inbox(runId)).map(({ id }) => id),
        hostileTexts,
        'ids',
      )
      await bench.store.append([bench.append('run', [2], { taken: hostileTexts.slice(1) })])
      equal(
        (await bench.store.inbox(runId)).map(({ id }) => id),
        hostileTexts.slice(0, 1),
        'ids of those left',
      )
    },
  },
  {
    name: 'of letters posted at the same time with the same id, one waits',
    isShared: true,
    async test(bench) {
      const { runId } = await bench.create('run')
      const posts = Array.from({ length: 20 }, (_, index) =>
        (index % 2 === 0 ? bench.store : bench.other).post(runId, letter(`letter-${index % 4}`)),
      )
      await Promise.all(posts)
      equal((await bench.store.inbox(runId)).length, 4, 'number of letters')
    },
  },
  {
    name: 'a watcher hears of letters until it unsubscribes',
    test: (bench) => hearsOfLetters(bench, bench.store),
  },
  {
    name: 'a watcher hears of letters that another store took in',
    isShared: true,
    test: (bench) => hearsOfLetters(bench, bench.other),
  },
]

async function hearsOfLetters(bench: Bench, poster: Store): Promise<void> {
  const { store } = bench
  const [first, second] = [await bench.create('first'), await bench.create('second')]
  const heard: string[] = []
  const kept: string[] = []
  const watch = store.watch((runId) => heard.push(runId))
  const keptWatch = store.watch((runId) => kept.push(runId))
  await poster.post(first.runId, letter('a'))
  await until(bench, () => heard.includes(first.runId))
  ok(heard.includes(first.runId), 'a watcher hears of a letter within five seconds')
  ok(!heard.includes(second.runId), 'a watcher does not hear of a run that got no letter')
  watch.unsubscribe()
  watch.unsubscribe()
  const before = heard.length
  await poster.post(second.runId, letter('a'))
  await until(bench, () => kept.includes(second.runId))
  ok(kept.includes(second.runId), 'a watcher goes on when another one unsubscribes')
  equal(heard.length, before, 'what a watcher heard after it unsubscribed')
  keptWatch.unsubscribe()
}

async function until(bench: Bench, isSo: () => boolean): Promise<void> {
  for (let waited = 0; waited < 5000 && !isSo(); waited += 10) await bench.wait(10)
}
