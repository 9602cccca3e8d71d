import type { RunFilter, Store } from '../store.ts'
import { equal, ok, rejects } from './check.ts'
import { letter, record, type StoreTest } from './store-case.ts'

/** Creating, listing and deleting runs. */
export const runCases: readonly StoreTest[] = [
  {
    name: 'a run is created once, and given when it is created again',
    async test(bench) {
      const { store, owner } = bench
      const run = bench.newRun('run', { version: '2', idempotencyKey: 'key' })
      const { created, info } = await store.create(run, owner)
      equal(created, true, 'created')
      const { records, ...named } = run
      const times = { createdAt: records[0]?.at, updatedAt: records[0]?.at }
      equal(info, { ...named, ...times, seq: 1, owner: owner.id, epoch: 1 }, 'info')
      const again = await store.create({ ...run, records: [record(1), record(2)] }, { ...owner, id: 'another' })
      equal(again, { created: false, info }, 'the second create')
      equal(await store.load(run.runId), { info, base: undefined, records }, 'load')
      equal(await store.info(run.runId), info, 'info')
    },
  },
  {
    name: 'of a run that does not exist there is nothing',
    async test({ store, prefix }) {
      const runId = `nobody-${prefix}`
      equal(await store.load(runId), undefined, 'load')
      equal(await store.info(runId), undefined, 'info')
      equal(await store.delete(runId), false, 'delete')
      equal(await store.inbox(runId), [], 'inbox')
    },
  },
  {
    name: 'an idempotency key leads to the same run, in its workflow',
    async test(bench) {
      const { store, owner } = bench
      await bench.create('first', { idempotencyKey: 'key' })
      const second = bench.newRun('second', { idempotencyKey: 'key' })
      const same = await store.create(second, owner)
      equal([same.created, same.info.runId], [false, bench.id('first')], 'the same key')
      equal(await store.info(second.runId), undefined, 'the run that was not created')
      const workflow = `${bench.workflow}-other`
      equal((await store.create({ ...second, workflow }, owner)).created, true, 'the same key in another workflow')
      const byId = await store.create({ ...second, workflow: bench.workflow }, owner)
      equal(byId.info.runId, second.runId, 'the run with this id goes before the one with this key')
      await store.delete(bench.id('first'))
      equal(
        (await bench.create('third', { idempotencyKey: 'key' })).runId,
        bench.id('third'),
        'a key that is free again',
      )
      for (const name of ['a', 'b']) equal((await bench.create(name)).runId, bench.id(name), 'runs without a key')
    },
  },
  {
    name: 'of runs created at the same time with the same key, one is created',
    isShared: true,
    async test(bench) {
      const creates = Array.from({ length: 20 }, async (_, index) => {
        const store = index % 2 === 0 ? bench.store : bench.other
        return store.create(bench.newRun(`run-${index}`, { idempotencyKey: 'key' }), bench.owner)
      })
      const results = await Promise.all(creates)
      equal(results.filter(({ created }) => created).length, 1, 'number of runs created')
      equal(new Set(results.map(({ info }) => info.runId)).size, 1, 'number of runs given')
      equal((await bench.store.list({ workflow: bench.workflow })).runs.length, 1, 'number of runs')
    },
  },
  {
    name: 'runs are listed by workflow, status and age, the last created first',
    async test(bench) {
      const { store, workflow } = bench
      const statuses = ['running', 'waiting', 'failed', 'completed']
      for (const [index, status] of statuses.entries())
        await bench.create(status, { status, records: [record(1, { at: 1000 + index })] })
      const listed = async (filter: RunFilter) =>
        (await store.list({ workflow, ...filter })).runs.map((run) => run.status)
      equal(await listed({}), ['completed', 'failed', 'waiting', 'running'], 'all')
      equal(await listed({ status: 'failed' }), ['failed'], 'one status')
      equal(await listed({ status: ['running', 'completed'] }), ['completed', 'running'], 'two statuses')
      equal(await listed({ status: [] }), [], 'no status')
      equal(await listed({ createdBefore: 1002 }), ['waiting', 'running'], 'created before')
      await store.append([bench.append('running', [2], { records: [record(2, { at: 5000 })] })])
      equal(await listed({ updatedBefore: 1003 }), ['failed', 'waiting'], 'updated before')
      equal(await listed({ status: 'waiting', createdBefore: 1001 }), [], 'nothing')
      equal((await store.list({ workflow: `${workflow}-none` })).runs, [], 'another workflow')
    },
  },
  {
    name: 'a status is listed as it is after the last append',
    async test(bench) {
      const { store, workflow } = bench
      await bench.create('run')
      await store.append([bench.append('run', [2], { status: 'completed' })])
      equal((await store.list({ workflow, status: 'running' })).runs, [], 'with the status before')
      equal((await store.list({ workflow, status: 'completed' })).runs.length, 1, 'with the status after')
    },
  },
  {
    name: 'pages follow each other without a gap, though runs come and go',
    async test(bench) {
      const { store, workflow } = bench
      for (let index = 0; index < 7; index++) await bench.create(`run-${index}`)
      const first = await store.list({ workflow, limit: 3 })
      equal(names(first), ['run-6', 'run-5', 'run-4'], 'the first page')
      await bench.create('late')
      await store.delete(bench.id('run-4'))
      const second = await store.list({ workflow, limit: 3, ...cursorOf(first) })
      equal(names(second), ['run-3', 'run-2', 'run-1'], 'the second page')
      const third = await store.list({ workflow, limit: 3, ...cursorOf(second) })
      equal([names(third), third.cursor], [['run-0'], undefined], 'the last page')
      equal((await store.list({ workflow, limit: 7 })).cursor, undefined, 'the cursor of a page that holds all')
      for (const limit of [0, -1, 1001, 1.5, Number.NaN])
        await rejects(() => store.list({ workflow, limit }), `limit ${limit}`)
      await rejects(() => store.list({ workflow, cursor: "'; --" }), 'a cursor that is none')
    },
  },
  {
    name: '10,000 runs are listed page by page, each once',
    async test(bench) {
      const { store, workflow } = bench
      for (let start = 0; start < 10_000; start += 50)
        await Promise.all(Array.from({ length: 50 }, (_, index) => bench.create(`${start + index}`)))
      for (const limit of [1000, 100]) {
        const seen = await listAll(store, { workflow, limit })
        equal([seen.length, new Set(seen).size], [10_000, 10_000], `runs in pages of ${limit}, and how many differ`)
      }
    },
  },
  {
    name: 'a deleted run leaves nothing behind',
    async test(bench) {
      const { store, owner } = bench
      const run = bench.newRun('run', { idempotencyKey: 'key' })
      await bench.create('neighbour', { records: [record(1), record(2)] })
      await store.create(run, owner)
      await store.post(run.runId, letter('a'))
      await store.post(run.runId, letter('b'))
      await store.append([bench.append('run', [2], { taken: ['a'] })])
      await store.compact(run.runId, owner, { seq: 1, body: '1', bytes: null }, 0)
      equal([await store.delete(run.runId), await store.delete(run.runId)], [true, false], 'delete, twice')
      equal(await store.load(run.runId), undefined, 'load')
      equal(await store.records(run.runId), [], 'records')
      equal(await store.append([bench.append('run', [3])]), ['conflict'], 'append')
      equal((await store.create(run, owner)).created, true, 'created again')
      const { base, records } = (await store.load(run.runId)) ?? {}
      equal([base, records], [undefined, run.records], 'the new run')
      equal(await store.inbox(run.runId), [], 'the letters of the new run')
      await store.post(run.runId, letter('a'))
      equal(await store.inbox(run.runId), [letter('a')], 'a letter to the new run')
      equal((await store.records(bench.id('neighbour'))).length, 2, 'records of another run')
    },
  },
  {
    name: 'what one store writes another reads',
    isShared: true,
    async test(bench) {
      const { store, other } = bench
      const { runId } = await bench.create('run')
      equal(await other.append([bench.append('run', [2])]), ['appended'], 'append')
      equal(await store.records(runId), [record(1), record(2)], 'records')
      equal(await other.load(runId), await store.load(runId), 'load')
      await other.close()
      equal((await store.info(runId))?.seq, 2, 'seq after the other store was closed')
    },
  },
  {
    name: 'a closed store rejects, and may be closed again',
    async test(bench) {
      const { store, owner } = bench
      const run = bench.newRun('run')
      await store.create(run, owner)
      await store.close()
      await store.close()
      const calls: (() => unknown)[] = [
        () => store.create(bench.newRun('another'), owner),
        () => store.append([bench.append('run', [2])]),
        () => store.load(run.runId),
        () => store.list(),
        () => bench.claim('somebody'),
        () => store.post(run.runId, letter('a')),
      ]
      for (const call of calls) {
        const error = await rejects(call, 'a call after close')
        ok(error instanceof Error, 'a closed store rejects with an Error')
      }
    },
  },
]

function names(page: { readonly runs: readonly { readonly runId: string }[] }): string[] {
  return page.runs.map(({ runId }) => runId.slice(0, runId.lastIndexOf('-')))
}

function cursorOf({ cursor }: { readonly cursor: string | undefined }): { cursor?: string } {
  return cursor === undefined ? {} : { cursor }
}

async function listAll(store: Store, filter: RunFilter): Promise<string[]> {
  const seen: string[] = []
  for (let page = await store.list(filter); ; page = await store.list({ ...filter, ...cursorOf(page) })) {
    seen.push(...page.runs.map(({ runId }) => runId))
    if (page.cursor === undefined) return seen
  }
}
