import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type PostgresServer, startPostgres } from '../stores/postgres-server.ts'
import { allEnded, audit } from './audit.ts'
import { placesOn } from './places.ts'
import { buildWorker, startWorker } from './processes.ts'

const leaseMs = 500
const naps = 6

let file: string
let server: PostgresServer

beforeAll(async () => {
  ;[file, server] = await Promise.all([buildWorker(), startPostgres()])
}, 60_000)

afterAll(() => server?.stop(), 30_000)

for (const { name, open } of placesOn(() => server)) {
  test(`of processes that recover the same runs on ${name}, one goes on with each, also when one was asleep`, async () => {
    const { path, store, effects } = open()
    const start = (name: string, starts: number) =>
      startWorker(file, { store: path, effects, name, leaseMs, runs: 20, starts })
    const first = await start('first', 20)
    const others = await Promise.all([start('second', 150), start('third', 150)])
    await first.begin()
    await expect.poll(async () => (await store.list()).runs.length, { timeout: 20_000 }).toBe(20)
    await first.kill()
    await Promise.all(others.map((worker) => worker.begin()))
    for (let nap = 0; nap < naps; nap++) {
      // Soon, so that the one that is put to sleep is in the middle of runs, on a fast machine too.
      await sleep(leaseMs / 5)
      const { child } = others[nap % 2] as (typeof others)[number]
      child.kill('SIGSTOP')
      await sleep(leaseMs * 2.5)
      child.kill('SIGCONT')
    }
    const runs = await allEnded(store)
    // Whoever starts a run has it with epoch 1, and those of the first process all went to another one.
    const taken = runs.filter(({ runId, epoch }) => epoch > (runId.startsWith('first') ? 2 : 1))
    expect(taken.length).toBeGreaterThan(0)
    await audit(store, effects, naps)
    await Promise.all(others.map((worker) => worker.kill()))
    await store.close()
  }, 120_000)
}
