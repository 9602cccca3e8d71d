import { existsSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { postgresStore } from '../postgres/index.ts'
import { openPool } from '../postgres/pool.ts'
import { toStoreError as fromPostgres } from '../postgres/postgres-error.ts'
import { openDatabase } from '../sqlite/handle.ts'
import { sqliteStore } from '../sqlite/index.ts'
import { toStoreError as fromSqlite } from '../sqlite/sqlite-error.ts'
import type { Store } from '../store.ts'
import { CommandError } from './command-error.ts'

/**
 * Opens the store that is at a path or a URL. It has to be there: a command makes no file, and no tables in a database of
 * somebody else.
 *
 * @throws CommandError or StoreError.
 */
export async function openStore(where: string | undefined, schema: string | undefined): Promise<Store> {
  if (where === undefined || where === '') {
    throw new CommandError(
      'Where are the runs? Name the store: --store ./runs.db, --store postgres://user@host/database, or BLAZEN_STORE in the environment.',
      2,
    )
  }
  if (/^postgres(ql)?:\/\//i.test(where)) return openPostgres(where, schema)
  if (schema !== undefined) throw new CommandError('--schema is for PostgreSQL: a SQLite file has none.', 2)
  const scheme = /^([a-z][a-z0-9+.-]+):\/\//i.exec(where)?.[1]
  if (scheme !== undefined && scheme !== 'file') {
    throw new CommandError(
      `--store knows no ${scheme}: URLs: expected the path of a SQLite file, or a URL that begins with postgres://`,
      2,
    )
  }
  return openSqlite(scheme === undefined ? where : decodeURIComponent(new URL(where).pathname))
}

function openSqlite(path: string): Store {
  if (path === ':memory:')
    throw new CommandError('--store :memory: holds nothing: name the file that a host keeps its runs in.', 2)
  if (!existsSync(path))
    throw new CommandError(`There is no file ${resolve(path)}. Name the store that your host keeps its runs in.`)
  if (statSync(path).isDirectory())
    throw new CommandError(`${resolve(path)} is a folder: expected the file of a SQLite database.`)
  if (!hasRuns(path)) {
    throw new CommandError(
      `${resolve(path)} is a database without runs: no host has made its tables there. Name the store that your host keeps its runs in.`,
    )
  }
  return sqliteStore(path)
}

function hasRuns(path: string): boolean {
  try {
    const handle = openDatabase(path)
    try {
      return (
        handle.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'blazen_schema'").get() !==
        undefined
      )
    } finally {
      handle.close()
    }
  } catch (error) {
    throw named(fromSqlite(error), resolve(path))
  }
}

async function openPostgres(url: string, schema = 'blazen'): Promise<Store> {
  const where = withoutPassword(url)
  const pool = await openPool(url)
  pool.on('error', () => {})
  try {
    const text = "SELECT 1 FROM pg_catalog.pg_tables WHERE schemaname = $1 AND tablename = 'schema_version'"
    const { rows } = await pool.query({ text, values: [schema] })
    if (rows.length === 0) {
      throw new CommandError(
        `${where} has no schema "${schema}" with runs: no host has made its tables there. Name another one with --schema, or another database.`,
      )
    }
  } catch (error) {
    await pool.end()
    throw error instanceof CommandError ? error : named(fromPostgres(error), where)
  }
  const store = postgresStore(pool, { schema })
  const close = store.close.bind(store)
  return Object.assign(store, { close: () => close().then(() => pool.end()) })
}

/** The error, with the place that it is about. */
function named(error: unknown, where: string): unknown {
  return error instanceof Error ? new CommandError(`${where}: ${error.message}`, 1, { cause: error }) : error
}

function withoutPassword(url: string): string {
  return url.replace(/^([a-z]+:\/\/[^:@/]*):[^@/]*@/i, '$1@')
}
