import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import Database from 'better-sqlite3'
import { afterAll, describe, expect, onTestFinished, test } from 'vitest'
import { StoreError } from '../../src/errors.ts'
import { type SqliteHandle, type SqliteOptions, sqliteStore } from '../../src/sqlite/index.ts'
import type { Append, Owner, Store } from '../../src/store.ts'
import { storeConformance } from '../../src/testing/store-conformance.ts'

const folder = mkdtempSync(join(tmpdir(), 'blazen-sqlite-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let count = 0
const newPath = () => join(folder, `${++count}.db`)

const owner: Owner = { id: 'owner', epoch: 1, leaseMs: 60_000 }

function open(pathOrHandle: string | SqliteHandle, options?: SqliteOptions): Store {
  const store = sqliteStore(pathOrHandle, options)
  onTestFinished(() => store.close())
  return store
}

async function createRun(store: Store, runId: string): Promise<void> {
  const records = [{ seq: 1, at: 1, kind: 'started', body: '1', bytes: null }]
  await store.create(
    { runId, workflow: 'flow', version: null, idempotencyKey: null, status: 'running', records },
    owner,
  )
}

function appendTo(runId: string, seq: number, bytes: Uint8Array | null = null): Append {
  const records = [{ seq, at: seq, kind: 'settled', body: `${seq}`, bytes }]
  return { runId, owner, expectedSeq: seq - 1, records, status: 'running', taken: [] }
}

describe('a store in a file', () => {
  const paths = new WeakMap<Store, string>()
  const create = () => {
    const path = newPath()
    const store = sqliteStore(path)
    paths.set(store, path)
    return store
  }
  const reopen = (store: Store) => sqliteStore(paths.get(store) ?? '')
  for (const { name, run } of storeConformance(create, { reopen })) test(name, run, 30_000)
})

describe('a store in memory, on an open handle', () => {
  for (const { name, run } of storeConformance(() => sqliteStore(new Database(':memory:')))) test(name, run, 30_000)
})

describe('a store on node:sqlite', () => {
  const binary = process.env.NODE_SQLITE_BINARY ?? (hasNodeSqlite() ? process.execPath : undefined)

  test.skipIf(binary === undefined)(
    'keeps to the port (skipped where Node has none and NODE_SQLITE_BINARY names no newer Node)',
    async () => {
      const at = (path: string) => new URL(`../../src/${path}`, import.meta.url).href
      const program = join(folder, 'node-sqlite.mjs')
      writeFileSync(
        program,
        `
      const { DatabaseSync } = await import('node:sqlite')
      const { sqliteStore } = await import('${at('sqlite/index.ts')}')
      const { storeConformance } = await import('${at('testing/store-conformance.ts')}')
      const paths = new WeakMap()
      let count = 0
      const open = (path) => {
        const handle = new DatabaseSync(path)
        const store = sqliteStore(handle)
        const close = store.close.bind(store)
        store.close = async () => { await close(); if (handle.isOpen ?? true) try { handle.close() } catch {} }
        paths.set(store, path)
        return store
      }
      const create = () => open(${JSON.stringify(folder)} + '/node-' + ++count + '.db')
      let failed = 0
      for (const { name, run } of storeConformance(create, { reopen: (store) => open(paths.get(store)) }))
        await run().catch((error) => { failed++; console.log(name, error) })
      for (const code of [13, 8]) {
        const handle = new DatabaseSync(':memory:')
        const store = sqliteStore(handle)
        handle.exec(code === 13 ? 'PRAGMA max_page_count = 1' : 'PRAGMA query_only = ON')
        const records = [{ seq: 1, at: 1, kind: 'x', body: 'x'.repeat(1e5), bytes: null }]
        const run = { runId: 'r', workflow: 'w', version: null, idempotencyKey: null, status: 'running', records }
        const error = await store.create(run, { id: 'o', epoch: 1, leaseMs: 1 }).catch((thrown) => thrown)
        if (error.code !== (code === 13 ? 'store_full' : 'store_read_only')) console.log(++failed, error)
      }
      console.log('failed:', failed)
      `,
      )
      const { stdout } = await promisify(execFile)(binary ?? '', ['--no-warnings', '--import', 'tsx', program], {
        cwd: fileURLToPath(new URL('../..', import.meta.url)),
      })
      expect(stdout.trim()).toBe('failed: 0')
    },
    120_000,
  )
})

test('a file that can only be read gives its runs, and refuses to take more', async () => {
  const path = newPath()
  await createRun(open(path), 'run')
  const handle = new Database(path, { readonly: true })
  onTestFinished(() => void handle.close())
  const store = open(handle)
  expect((await store.load('run'))?.records).toHaveLength(1)
  expect(await store.claim({ owner: 'x', leaseMs: 1, limit: 1, workflows: ['flow'] })).toEqual([])
  const error = await store.append([appendTo('run', 2)]).catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(StoreError)
  expect(error).toMatchObject({ code: 'store_read_only', permanent: true, cause: { code: 'SQLITE_READONLY' } })
})

test('a full disk fails the append as a whole, and the store goes on when there is room again', async () => {
  const handle = new Database(newPath())
  onTestFinished(() => void handle.close())
  const store = open(handle)
  for (const runId of ['a', 'b']) await createRun(store, runId)
  handle.pragma(`max_page_count = ${Number(handle.pragma('page_count', { simple: true })) + 3}`)
  const big = new Uint8Array(100_000)
  const appends = [appendTo('a', 2), appendTo('b', 2, big)]
  await expect(store.append(appends)).rejects.toMatchObject({ code: 'store_full', permanent: true })
  expect((await store.records('a')).length).toBe(1)
  handle.pragma('max_page_count = 1000000')
  expect(await store.append(appends)).toEqual(['appended', 'appended'])
})

test('a file that is no database is refused', () => {
  const path = newPath()
  writeFileSync(path, 'not a database at all, '.repeat(1000))
  expect(() => sqliteStore(path)).toThrow(expect.objectContaining({ code: 'store_corrupt', permanent: true }))
  expect(() => sqliteStore(path)).toThrow(path)
})

test('a damaged page is named as such, and runs elsewhere in the file are unharmed', async () => {
  const path = newPath()
  const store = sqliteStore(path)
  for (const runId of ['whole', 'damaged']) await createRun(store, runId)
  for (let seq = 2; seq < 200; seq++) await store.append([appendTo('damaged', seq, new Uint8Array(3000).fill(seq))])
  await store.close()
  const bytes = readFileSync(path)
  bytes.fill(0xee, bytes.length - 400_000, bytes.length - 40_000)
  writeFileSync(path, bytes)
  const again = open(path)
  const error = await again.load('damaged').catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({ code: 'store_corrupt', permanent: true })
  expect(String(error)).toContain(`${path}: The database is damaged, found when reading run "damaged"`)
  expect(String(error)).toContain(`sqlite3 "${path}" .recover`)
  expect((await again.load('whole'))?.records).toHaveLength(1)
})

test('tables of a newer version are refused, both versions named', async () => {
  const path = newPath()
  await sqliteStore(path).close()
  const handle = new Database(path)
  handle.exec('UPDATE blazen_schema SET version = 99')
  handle.close()
  expect(() => sqliteStore(path)).toThrow(expect.objectContaining({ code: 'store_newer', permanent: true }))
  expect(() => sqliteStore(path)).toThrow(/version 99.*up to 1/)
  expect(() => sqliteStore(path)).toThrow(path)
})

test('a database that another process keeps locked says so, and may be tried again', async () => {
  const path = newPath()
  const store = open(path, { busyTimeoutMs: 20 })
  await createRun(store, 'run')
  const other = new Database(path)
  onTestFinished(() => void other.close())
  other.exec('BEGIN IMMEDIATE')
  await expect(store.append([appendTo('run', 2)])).rejects.toMatchObject({ code: 'store_busy', permanent: false })
  other.exec('COMMIT')
  expect(await store.append([appendTo('run', 2)])).toEqual(['appended'])
})

test('a folder that is not there is named', () => {
  expect(() => sqliteStore(join(folder, 'nowhere', 'runs.db'))).toThrow(/directory does not exist|cannot be opened/)
})

test('a handle of the user stays open, with its own tables', async () => {
  const handle = new Database(newPath())
  handle.exec('CREATE TABLE runs (mine TEXT); INSERT INTO runs VALUES (1)')
  const store = sqliteStore(handle)
  await createRun(store, 'run')
  await store.close()
  expect(handle.prepare('SELECT * FROM runs').all()).toEqual([{ mine: '1' }])
  handle.close()
})

test.each(['normal', 'full', 'off'] as const)(
  'a store with synchronous: %s keeps its log ahead',
  async (synchronous) => {
    const handle = new Database(newPath())
    await createRun(open(handle, { synchronous }), 'run')
    expect(handle.pragma('journal_mode', { simple: true })).toBe('wal')
    expect(handle.pragma('synchronous', { simple: true })).toBe({ off: 0, normal: 1, full: 2 }[synchronous])
    handle.close()
  },
)

test('several processes that open one new file, and write to it, do not get in each other’s way', async () => {
  const path = newPath()
  const program = join(folder, 'writer.mjs')
  writeFileSync(
    program,
    `
    const { sqliteStore } = await import('${new URL('../../src/sqlite/index.ts', import.meta.url).href}')
    const store = sqliteStore(${JSON.stringify(path)})
    const owner = { id: 'owner-' + process.argv[2], epoch: 1, leaseMs: 60000 }
    const runId = 'run-' + process.argv[2]
    const record = (seq) => ({ seq, at: seq, kind: 'k', body: '1', bytes: null })
    const run = { runId, workflow: 'flow', version: null, idempotencyKey: 'one', status: 'running', records: [record(1)] }
    const { created, info } = await store.create(run, owner)
    await store.create({ ...run, idempotencyKey: null }, owner)
    for (let seq = 2; seq <= 300; seq++) {
      const append = { runId, owner, expectedSeq: seq - 1, records: [record(seq)], status: 'running', taken: [] }
      const [verdict] = await store.append([append])
      if (verdict !== 'appended') throw new Error(verdict)
    }
    await store.close()
    console.log(created ? 1 : 0)
    `,
  )
  const cwd = fileURLToPath(new URL('../..', import.meta.url))
  const run = (name: string) => promisify(execFile)(process.execPath, ['--import', 'tsx', program, name], { cwd })
  const outputs = await Promise.all(['a', 'b', 'c'].map(run))
  expect(outputs.map(({ stdout }) => stdout.trim()).sort()).toEqual(['0', '0', '1'])
  const store = open(path)
  for (const name of ['a', 'b', 'c']) expect((await store.info(`run-${name}`))?.seq).toBe(300)
  expect(existsSync(path)).toBe(true)
}, 60_000)

function hasNodeSqlite(): boolean {
  const { getBuiltinModule }: { getBuiltinModule?: (name: string) => unknown } = process
  return getBuiltinModule?.('node:sqlite') !== undefined
}
