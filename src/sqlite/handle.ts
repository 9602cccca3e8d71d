import { createRequire } from 'node:module'
import { StoreError } from '../errors.ts'

/** What a column holds, and what is bound to a statement. */
export type SqliteValue = string | number | bigint | null | Uint8Array

/** An open database: that of `better-sqlite3`, and the `DatabaseSync` of `node:sqlite`, are such. */
export interface SqliteHandle {
  /** Runs statements that give nothing. */
  exec(sql: string): unknown
  /** Prepares one statement. */
  prepare(sql: string): SqliteStatement
  /** Closes the database. */
  close(): unknown
}

/** A prepared statement. What is bound to it are {@link SqliteValue}s. */
export interface SqliteStatement {
  /** Runs it for its effect. */
  run(...values: unknown[]): unknown
  /** The first row. */
  get(...values: unknown[]): unknown
  /** All rows. */
  all(...values: unknown[]): unknown[]
}

/** Opens the file with `better-sqlite3` if it is installed, else with `node:sqlite` where Node has it. */
export function openDatabase(path: string): SqliteHandle {
  const better = loadBetterSqlite()
  if (better) return new better(path)
  const node = loadNodeSqlite()
  if (node) return new node.DatabaseSync(path)
  throw new StoreError(
    'store_driver',
    `${path} cannot be opened: neither better-sqlite3 nor node:sqlite is here. Install better-sqlite3 (npm install better-sqlite3), use Node 22.13 or newer, which brings node:sqlite, or pass an open handle.`,
    true,
  )
}

function loadBetterSqlite(): (new (path: string) => SqliteHandle) | undefined {
  try {
    return createRequire(import.meta.url)('better-sqlite3')
  } catch (error) {
    if (isNotInstalled(error)) return undefined
    throw error
  }
}

/** Not where it is installed and cannot be loaded: its own error then says why. */
function isNotInstalled(error: unknown): boolean {
  return (
    error instanceof Error &&
    'code' in error &&
    error.code === 'MODULE_NOT_FOUND' &&
    error.message.startsWith("Cannot find module 'better-sqlite3'")
  )
}

function loadNodeSqlite(): { DatabaseSync: new (path: string) => SqliteHandle } | undefined {
  const { getBuiltinModule }: { getBuiltinModule?: (name: string) => unknown } = process
  return getBuiltinModule?.('node:sqlite') as { DatabaseSync: new (path: string) => SqliteHandle } | undefined
}
