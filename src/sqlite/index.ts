/**
 * Runs in a SQLite file.
 *
 * @module blazen-xstate/sqlite
 */
import { existsSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { StoreError } from '../errors.ts'
import type { Store } from '../store.ts'
import { openDatabase, type SqliteHandle } from './handle.ts'
import { configure, migrate, type Synchronous } from './schema.ts'
import { fileOf, toStoreError } from './sqlite-error.ts'
import { SqliteStore } from './sqlite-store.ts'

export type { SqliteHandle, SqliteStatement, SqliteValue } from './handle.ts'

/** Options of `sqliteStore`. */
export interface SqliteOptions {
  /**
   * What a commit survives. `normal`: the death of the process, at any moment; after a power cut the last commits may
   * be gone, as if they had not been, and the database is whole. `full`: a power cut too, at several times the
   * time of a commit. `off`: the death of the process; a power cut may damage the database.
   * @default 'normal'
   */
  readonly synchronous?: Synchronous
  /** How long a write waits, and this thread with it, while another process writes. At least 0. @default 5000 */
  readonly busyTimeoutMs?: number
}

/**
 * Keeps runs in a SQLite database, with write-ahead log: one file that several processes of a machine may share.
 *
 * Takes the path of a file, which is made if there is none, or `:memory:`, and opens it with `better-sqlite3` if that is
 * installed, else with `node:sqlite` where Node has it. Or takes an open handle of either, which stays open when the store
 * is closed. Its tables begin with `blazen_`, and the handle's other tables are left alone; do not keep a transaction open
 * on the handle while the store is used.
 *
 * @throws `StoreError` if the database cannot be opened, is none, or has tables of a newer version.
 *
 * @example
 * const store = sqliteStore('runs.db')
 */
export function sqliteStore(
  pathOrHandle: string | SqliteHandle,
  { synchronous = 'normal', busyTimeoutMs = 5000 }: SqliteOptions = {},
): Store & AsyncDisposable {
  const isOurs = typeof pathOrHandle === 'string'
  const handle = isOurs ? open(pathOrHandle) : pathOrHandle
  const file = isOurs ? pathOrHandle : fileOf(handle)
  try {
    configure(handle, synchronous, busyTimeoutMs)
    migrate(handle, file)
    return new SqliteStore(handle, file, () => isOurs && handle.close())
  } catch (error) {
    if (isOurs) handle.close()
    throw toStoreError(error, { file, doing: 'opening it' })
  }
}

function open(path: string): SqliteHandle {
  try {
    return openDatabase(path)
  } catch (error) {
    const folder = dirname(path)
    // One driver throws a TypeError here, the other an error of SQLite.
    if (!existsSync(folder))
      throw new StoreError(
        'store_unavailable',
        `${path}: the database cannot be opened, since its folder ${resolve(folder)} does not exist. Create the folder (mkdirSync(folder, { recursive: true })), or give another path.`,
        true,
        { cause: error },
      )
    throw toStoreError(error, { file: path })
  }
}
