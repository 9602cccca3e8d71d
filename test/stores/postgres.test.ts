import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { StoreError } from '../../src/errors.ts'
import { postgresStore } from '../../src/postgres/index.ts'
import type { Append, Owner, Store } from '../../src/store.ts'
import { storeConformance } from '../../src/testing/store-conformance.ts'
import { type PostgresServer, startPostgres } from './postgres-server.ts'

let server: PostgresServer
let pool: pg.Pool

beforeAll(async () => {
  server = await startPostgres()
  pool = new pg.Pool({ connectionString: server.url, max: 4 })
  pool.on('error', () => {})
}, 30_000)

afterAll(async () => {
  await pool?.end()
  await server?.stop()
}, 30_000)

const owner: Owner = { id: 'owner', epoch: 1, leaseMs: 60_000 }

function open(schema = 'blazen'): Store {
  const store = postgresStore(server.url, { schema })
  onTestFinished(() => store.close())
  return store
}

function appendTo(runId: string, seq: number, body = `${seq}`): Append {
  const bytes = Uint8Array.of(seq % 256)
  return {
    runId,
    owner,
    expectedSeq: seq - 1,
    records: [{ seq, at: seq, kind: 'settled', body, bytes }],
    status: 'running',
    taken: [],
  }
}

async function createRun(store: Store, runId: string): Promise<void> {
  const records = [{ seq: 1, at: 1, kind: 'started', body: '1', bytes: null }]
  await store.create(
    { runId, workflow: 'flow', version: null, idempotencyKey: null, status: 'running', records },
    owner,
  )
}

/** Appends until it is done, as an owner does whose store fails; counts the failures. */
async function appendInSpiteOf(store: Store, append: Append, failures: unknown[]): Promise<string | undefined> {
  for (;;) {
    try {
      return (await store.append([append]))[0]
    } catch (error) {
      failures.push(error)
      await sleep(20)
    }
  }
}

describe('a store', () => {
  const cases = storeConformance(() => postgresStore(server.url), { reopen: () => postgresStore(server.url) })
  for (const { name, run } of cases) test(name, run, 30_000)
})

describe('a store on a pool of the user', () => {
  const create = () => postgresStore(pool, { schema: 'a "schema"; of mine' })
  for (const { name, run } of storeConformance(create)) if (!name.startsWith('10,000')) test(name, run, 30_000)

  test('leaves the pool open', async () => {
    await create().close()
    expect((await pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }])
  })
})

test('many stores that start on an empty database make its tables once', async () => {
  const stores = Array.from({ length: 8 }, () => open('together'))
  await Promise.all(stores.map((store, index) => createRun(store, `run-${index}`)))
  expect((await stores[0]?.list())?.runs).toHaveLength(8)
})

test('tables of a newer version are refused, both versions named', async () => {
  await createRun(open('newer'), 'run')
  await pool.query('UPDATE newer.schema_version SET version = 99')
  const error = await open('newer')
    .list()
    .catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(StoreError)
  expect(error).toMatchObject({ code: 'store_newer', permanent: true })
  expect(String(error)).toMatch(/version 99.*up to 1/)
})

test('what the server says is told apart: away, refused, read only', async () => {
  const away = postgresStore('postgres://postgres@127.0.0.1:1/postgres')
  await expect(away.list()).rejects.toMatchObject({ code: 'store_unavailable', permanent: false })
  const refused = postgresStore(server.url.replace(':password@', ':wrong@'))
  await expect(refused.list()).rejects.toMatchObject({ code: 'store_refused', permanent: true })
  const nowhere = postgresStore(server.url.replace(/postgres$/, 'nowhere'))
  await expect(nowhere.list()).rejects.toMatchObject({ code: 'store_refused', permanent: true })
  await createRun(open(), 'read-only')
  const readOnly = postgresStore(`${server.url}?options=-c%20default_transaction_read_only%3Don`)
  onTestFinished(() => readOnly.close())
  await expect(readOnly.append([appendTo('read-only', 2)])).rejects.toMatchObject({ code: 'store_read_only' })
  expect((await readOnly.info('read-only'))?.seq).toBe(1)
})

test('a server that is restarted under load loses no append and doubles none', async () => {
  const store = open('restarted')
  const runIds = Array.from({ length: 8 }, (_, index) => `run-${index}`)
  for (const runId of runIds) await createRun(store, runId)
  const failures: unknown[] = []
  const verdicts = new Set<string | undefined>()
  let isOver = false
  const lengths = runIds.map(async (runId) => {
    let seq = 1
    while (!isOver) verdicts.add(await appendInSpiteOf(store, appendTo(runId, ++seq), failures))
    return seq
  })
  for (let round = 0; round < 3; round++) {
    await sleep(150)
    await server.restart()
  }
  await sleep(150)
  isOver = true
  const expected = await Promise.all(lengths)
  expect([...verdicts]).toEqual(['appended'])
  expect(failures.length).toBeGreaterThan(0)
  for (const failure of failures) expect(failure).toMatchObject({ code: 'store_unavailable', permanent: false })
  for (const [index, runId] of runIds.entries()) {
    const records = await store.records(runId)
    expect(records.map(({ body }) => Number(body))).toEqual(
      Array.from({ length: expected[index] ?? 0 }, (_, at) => at + 1),
    )
  }
}, 60_000)

test('an append whose connection is killed comes out right when it is made again', async () => {
  const store = open('killed')
  await createRun(store, 'run')
  const failures: unknown[] = []
  let isOver = false
  const killing = (async () => {
    while (!isOver) {
      await pool.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'blazen-xstate' AND state = 'active'",
      )
      await sleep(3)
    }
  })()
  const bytes = new Uint8Array(100_000).fill(7)
  let seq = 1
  while (failures.length < 40 && seq < 5000) {
    const append = appendTo('run', ++seq)
    const records = append.records.map((record) => ({ ...record, bytes }))
    expect(await appendInSpiteOf(store, { ...append, records }, failures)).toBe('appended')
  }
  isOver = true
  await killing
  expect(failures.length).toBeGreaterThan(5)
  const records = await store.records('run')
  expect(records.map((record) => record.seq)).toEqual(Array.from({ length: seq }, (_, at) => at + 1))
}, 60_000)

test('a commit that went through although its answer was lost is told from a conflict', async () => {
  const store = open('lost')
  await createRun(store, 'run')
  // The statement holds still after its work is done, and before its transaction is: a trigger that sleeps at commit.
  await pool.query(`
    CREATE FUNCTION lost.linger() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.3); RETURN NULL; END $$;
    CREATE CONSTRAINT TRIGGER linger AFTER INSERT ON lost.records DEFERRABLE INITIALLY DEFERRED
      FOR EACH ROW WHEN (NEW.seq = 2) EXECUTE FUNCTION lost.linger();`)
  const cut = new pg.Pool({ connectionString: server.url, max: 1 })
  cut.on('error', () => {})
  const sender = postgresStore(cut, { schema: 'lost' })
  await sender.info('run')
  const sent = sender.append([appendTo('run', 2)])
  sent.catch(() => {})
  await sleep(100)
  const client = await Promise.resolve(
    (cut as unknown as { _clients: { connection: { stream: { destroy(): void } } }[] })._clients[0],
  )
  client?.connection.stream.destroy()
  await expect(sent).rejects.toMatchObject({ code: 'store_unavailable', permanent: false })
  expect(await store.append([appendTo('run', 2)])).toEqual(['appended'])
  expect(await store.append([appendTo('run', 2, '"other"')])).toEqual(['conflict'])
  expect((await store.records('run')).map(({ seq }) => seq)).toEqual([1, 2])
  await sender.close()
  await cut.end()
})

test('a watcher hears of letters again after the server was restarted, and of those posted meanwhile', async () => {
  const [store, poster] = [open('watched'), open('watched')]
  await createRun(store, 'before')
  await createRun(store, 'after')
  const heard: string[] = []
  store.watch((runId) => heard.push(runId))
  const letter = { id: 'a', at: 1, body: '1', bytes: null }
  await poster.post('before', letter)
  await expect.poll(() => heard, { timeout: 5000 }).toContain('before')
  await server.restart()
  await poster.post('after', letter).catch(() => poster.post('after', letter))
  await expect.poll(() => heard, { timeout: 10_000 }).toContain('after')
}, 30_000)
