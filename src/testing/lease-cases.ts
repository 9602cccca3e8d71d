import { equal, ok } from './check.ts'
import { type Bench, record, type StoreTest } from './store-case.ts'

/** Long enough for a store to do something within it, and short enough to wait for. */
const leaseMs = 60
const afterLease = 90

/** Who owns a run, and for how long. */
export const leaseCases: readonly StoreTest[] = [
  {
    name: 'a run that is owned is not claimed, and is when its lease ran out',
    async test(bench) {
      await bench.create('run', {}, { leaseMs })
      equal(await bench.claim('second'), [], 'a claim within the lease')
      await bench.wait(afterLease)
      const [info, ...more] = await bench.claim('second')
      equal([info?.owner, info?.epoch, more.length], ['second', 2, 0], 'owner, epoch and number of more')
      equal(await bench.store.info(bench.id('run')), info, 'info')
      equal(await bench.claim('third'), [], 'a claim within the second lease')
    },
  },
  {
    name: 'an owner that was asleep is fenced off',
    async test(bench) {
      const { store, owner } = bench
      await bench.create('run', {}, { leaseMs })
      equal(await store.append([bench.append('run', [2])]), ['appended'], 'the first owner')
      await bench.wait(afterLease)
      equal(await store.append([bench.append('run', [3])]), ['appended'], 'the first owner, its lease run out')
      // The sleeper claims again under the same name: another life, and another epoch.
      for (const [index, name] of ['second', owner.id].entries()) {
        await bench.wait(afterLease)
        const [claimed] = await bench.claim(name, { leaseMs })
        const epoch = index + 2
        equal(claimed?.epoch, epoch, 'epoch')
        equal(await store.append([bench.append('run', [4 + index])]), ['conflict'], 'the first owner, after a claim')
        equal(await store.append([bench.append('run', [2])]), ['conflict'], 'the first owner, with what is stored')
        const next = bench.append('run', [4 + index], { owner: { id: name, epoch, leaseMs } })
        equal(await store.append([next]), ['appended'], 'the new owner')
      }
      equal(await store.compact(bench.id('run'), owner, { seq: 1, body: '1', bytes: null }, 1), 'conflict', 'compact')
    },
  },
  {
    name: 'renewing keeps a run; what is not the owner’s any more is named',
    async test(bench) {
      const { store, owner } = bench
      for (const name of ['kept', 'lost']) await bench.create(name, {}, { leaseMs: 150 })
      await bench.create('ended', { status: 'completed' }, { leaseMs: 150 })
      const [kept, lost, ended, nobody] = ['kept', 'lost', 'ended', 'nobody'].map((name) => bench.id(name)) as [
        string,
        string,
        string,
        string,
      ]
      equal(await store.renew(owner.id, [kept, ended], 60_000), [], 'renew')
      await bench.wait(200)
      equal(await runIdsOf(bench.claim('second')), [lost], 'claimed')
      equal(await store.renew(owner.id, [nobody, kept, lost], 60_000), [nobody, lost], 'lost')
      equal(await store.renew('second', [lost], 60_000), [], 'renewed by the new owner')
      equal(await store.renew(owner.id, [], 60_000), [], 'of no runs')
    },
  },
  {
    name: 'a lease that ran out unclaimed can be renewed',
    async test(bench) {
      const { runId } = await bench.create('run', {}, { leaseMs: 10 })
      await bench.wait(30)
      equal(await bench.store.renew(bench.owner.id, [runId], 60_000), [], 'renew')
      equal(await bench.claim('second'), [], 'claim')
    },
  },
  {
    name: 'a released run is claimed at once; a stranger cannot release it',
    async test(bench) {
      const { store, owner } = bench
      const { runId } = await bench.create('run')
      await store.release('stranger', [runId])
      equal(await bench.claim('second'), [], 'a claim after a stranger released')
      await store.release(owner.id, [runId, bench.id('nobody')])
      equal((await store.info(runId))?.owner, null, 'owner')
      equal(await store.append([bench.append('run', [2])]), ['conflict'], 'an append of the former owner')
      equal(await store.renew(owner.id, [runId], 1000), [runId], 'renew of the former owner')
      const [claimed] = await bench.claim(owner.id)
      equal([claimed?.owner, claimed?.epoch], [owner.id, 2], 'owner and epoch')
    },
  },
  {
    name: 'an ended run is never claimed, a paused one only by name',
    async test(bench) {
      const statuses = ['completed', 'failed', 'aborted', 'paused', 'waiting', 'running', 'pausing', 'of my own']
      for (const status of statuses) await free(bench, status, { status })
      const runIds = statuses.map((status) => bench.id(status))
      const unnamed = await runIdsOf(bench.claim('second'))
      equal(unnamed, runIds.slice(4), 'claimed without names')
      equal(await runIdsOf(bench.claim('second', { runIds })), [bench.id('paused')], 'claimed by name')
      await bench.store.release('second', runIds)
      const named = [bench.id('waiting'), bench.id('nobody')]
      equal(await runIdsOf(bench.claim('second', { runIds: named })), [bench.id('waiting')], 'only what is named')
    },
  },
  {
    name: 'claims keep to the limit and the workflows, and take the first created first',
    async test(bench) {
      const { store, workflow } = bench
      for (const name of ['a', 'b', 'c']) await free(bench, name)
      await free(bench, 'other', { workflow: `${workflow}-other` })
      equal(
        await runIdsOf(bench.claim('second', { limit: 2 })),
        ['a', 'b'].map((name) => bench.id(name)),
        'two of three',
      )
      const both = { owner: 'second', leaseMs: 1000, limit: 9, workflows: [workflow, `${workflow}-other`] }
      equal(await runIdsOf(store.claim({ ...both, workflows: [] })), [], 'of no workflow')
      equal(await runIdsOf(store.claim({ ...both, runIds: [] })), [], 'of no names')
      equal(
        await runIdsOf(store.claim(both)),
        ['c', 'other'].map((name) => bench.id(name)),
        'of both workflows',
      )
    },
  },
  {
    name: 'of claims made at the same time, each run goes to one',
    isShared: true,
    async test(bench) {
      for (let index = 0; index < 30; index++) await free(bench, `run-${index}`)
      const claims = Array.from({ length: 12 }, (_, index) =>
        bench.claim(`claimer-${index}`, { store: index % 2 === 0 ? bench.store : bench.other, limit: 5 }),
      )
      const claimed = await runIdsOf(Promise.all(claims).then((all) => all.flat()))
      equal(new Set(claimed).size, claimed.length, 'number of different runs among those claimed')
      const rest = await runIdsOf(bench.claim('last'))
      equal(claimed.length + rest.length, 30, 'number of runs claimed in the end')
      ok(claimed.length > 0, 'claims that run into each other get some of the runs')
    },
  },
]

/** A run that nobody owns. */
async function free(bench: Bench, name: string, rest: Parameters<Bench['create']>[1] = {}): Promise<void> {
  const { runId } = await bench.create(name, { records: [record(1)], ...rest })
  await bench.store.release(bench.owner.id, [runId])
}

async function runIdsOf(runs: Promise<readonly { readonly runId: string }[]>): Promise<string[]> {
  return (await runs).map(({ runId }) => runId)
}
