/**
 * Runs in a PostgreSQL database, shared by any number of processes.
 *
 * @module blazen-xstate/postgres
 */
import type { Store } from '../store.ts'
import { openPool, type PostgresPool } from './pool.ts'
import { PostgresStore } from './postgres-store.ts'

export type { PostgresClient, PostgresPool, PostgresQuery, PostgresResult } from './pool.ts'

/** Options of `postgresStore`. */
export interface PostgresOptions {
  /** The schema that holds the tables, made if there is none. Runs of two schemas know nothing of each other. @default 'blazen' */
  readonly schema?: string
}

/**
 * Keeps runs in a PostgreSQL database (14 or newer), which any number of processes share.
 *
 * Takes a URL (`postgres://user:password@host/database`), and opens a pool of connections with the package `pg`; or takes
 * a pool of `pg`, which stays open when the store is closed. `watch` keeps one connection of the pool to itself. Nothing is
 * connected before the first call, and whatever breaks is connected anew at the next one.
 *
 * @example
 * const store = postgresStore('postgres://localhost/app')
 */
export function postgresStore(
  urlOrPool: string | PostgresPool,
  { schema = 'blazen' }: PostgresOptions = {},
): Store & AsyncDisposable {
  const isOurs = typeof urlOrPool === 'string'
  return new PostgresStore(async () => (isOurs ? openPool(urlOrPool) : urlOrPool), isOurs, schema)
}
