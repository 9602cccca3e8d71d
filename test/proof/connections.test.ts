import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type PostgresServer, startPostgres } from '../stores/postgres-server.ts'
import { audit } from './audit.ts'
import { openPostgres } from './places.ts'
import { buildWorker, startWorker } from './processes.ts'

let file: string
let server: PostgresServer

beforeAll(async () => {
  ;[file, server] = await Promise.all([buildWorker(), startPostgres()])
}, 60_000)

afterAll(() => server?.stop(), 30_000)

test('runs go on through restarts of PostgreSQL and connections that are cut in a commit, and nothing is doubled', async () => {
  const { path, store, effects } = openPostgres(server)
  const worker = await startWorker(file, { store: path, effects, name: 'run', leaseMs: 30_000, runs: 15, starts: 40 })
  await worker.begin()
  for (let round = 0; round < 2; round++) {
    await sleep(500)
    await server.restart()
  }
  const pool = new pg.Pool({ connectionString: server.url, max: 1 })
  for (let cut = 0; cut < 40; cut++) {
    await pool.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%owned%' AND pid <> pg_backend_pid()",
    )
    await sleep(20)
  }
  await pool.end()
  const { runs } = await audit(store, effects)
  expect(runs).toBeGreaterThanOrEqual(15)
  expect(worker.said()).toContain('PostgreSQL cannot be reached')
  await worker.kill()
  await store.close()
}, 120_000)
