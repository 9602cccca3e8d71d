import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterAll, describe, test } from 'vitest'
import { sqliteStore } from '../../src/sqlite/index.ts'
import type { Store } from '../../src/store.ts'
import { storeConformance } from '../../src/testing/store-conformance.ts'

const folder = mkdtempSync(join(tmpdir(), 'blazen-sqlite-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const paths = new WeakMap<Store, string>()
let count = 0

function create(): Store {
  const path = join(folder, `${++count}.db`)
  const store = sqliteStore(path)
  paths.set(store, path)
  return store
}

describe('a store in a file', () => {
  for (const { name, run } of storeConformance(create, { reopen: (store) => sqliteStore(paths.get(store) ?? '') }))
    test(name, run)
})

describe('a store in memory, on an open handle', () => {
  for (const { name, run } of storeConformance(() => sqliteStore(new Database(':memory:')))) test(name, run)
})
