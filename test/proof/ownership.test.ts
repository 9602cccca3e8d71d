import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type PostgresServer, startPostgres } from '../stores/postgres-server.ts'
import { allEnded, audit } from './audit.ts'
import { placesOn } from './places.ts'
import { buildWorker, startWorker } from './processes.ts'

const leaseMs = 400

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
      startWorker(file, { store: path, effects, name, leaseMs, runs: 40, starts })
    const first = await start('first', 40)
    const others = await Promise.all([start('second', 150), start('third', 150)])
    await first.begin()
    await expect.poll(async () => (await store.list()).runs.length, { timeout: 20_000 }).toBe(40)
    await first.kill()
    await Promise.all(others.map((worker) => worker.begin()))
    for (let nap = 0; nap < 6; nap++) {
      await sleep(leaseMs)
      const { child } = others[nap % 2] as (typeof others)[number]
      child.kill('SIGSTOP')
      await sleep(leaseMs * 2.5)
      child.kill('SIGCONT')
    }
    const runs = await allEnded(store).catch((error) => {
      throw new Error(
        others
          .map((worker) => `${worker.child.exitCode} ${worker.said()}`)
          .join('====\n')
          .slice(-6000),
        { cause: error },
      )
    })
    expect(runs.filter(({ epoch }) => epoch > 2).length).toBeGreaterThan(0)
    await audit(store, effects)
    await Promise.all(others.map((worker) => worker.kill()))
    await store.close()
  }, 120_000)
}
