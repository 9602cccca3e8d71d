import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
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

test('runs come out right where a connection breaks after a commit was asked for and before it is answered', async () => {
  // A database of its own, as all runs of one are looked at.
  const own = await startPostgres()
  onTestFinished(() => own.stop())
  const { path, store, effects } = openPostgres(own)
  const proxy = await startProxy(path)
  const worker = await startWorker(file, {
    store: proxy.url,
    effects,
    name: 'cut',
    leaseMs: 30_000,
    runs: 15,
    starts: 40,
  })
  await worker.begin()
  await expect.poll(() => proxy.cuts(), { timeout: 60_000 }).toBeGreaterThanOrEqual(15)
  proxy.calm()
  const { runs } = await audit(store, effects)
  expect(runs).toBeGreaterThanOrEqual(15)
  expect(worker.said()).toContain('PostgreSQL cannot be reached')
  await worker.kill()
  await proxy.close()
  await store.close()
}, 180_000)

/** The name of the prepared statement that appends, as it goes over the wire when it is bound. */
const append = Buffer.from('blazen:blazen:append\0')
/** One in so many appends is cut: the server gets it, and the client never hears of it. */
const oneIn = 4

/** A way to the server that breaks: it hands on what the client sends, and for some appends keeps the answer and hangs up. */
async function startProxy(to: string) {
  const url = new URL(to)
  const { hostname } = url
  const port = Number(url.port)
  const sockets = new Set<Socket>()
  let [appends, cuts, isCalm] = [0, 0, false]
  const proxy = createServer((client) => {
    const upstream = connect(port, hostname)
    let isCut = false
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => sockets.delete(socket))
    }
    client.on('data', (data) => {
      upstream.write(data)
      if (isCalm || isCut || !data.includes(append) || ++appends % oneIn > 0) return
      isCut = true
      cuts++
    })
    // The first word of an answer says that the server has done it, as each append is a transaction of its own.
    upstream.on('data', (data) => {
      if (isCut) client.destroy()
      else client.write(data)
    })
    client.on('close', () => upstream.destroy())
    upstream.on('close', () => client.destroy())
  })
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  url.port = String((proxy.address() as AddressInfo).port)
  return {
    url: String(url),
    cuts: () => cuts,
    /** From now on nothing is cut. */
    calm() {
      isCalm = true
    },
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => proxy.close(resolve))
    },
  }
}
