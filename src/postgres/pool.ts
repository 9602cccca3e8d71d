import { StoreError } from '../errors.ts'

/** A query as `pg` takes it. */
export interface PostgresQuery {
  readonly text: string
  readonly values?: unknown[]
  /** Makes it a prepared statement of its connection. */
  readonly name?: string
}

/** What a query gives. */
export interface PostgresResult {
  readonly rows: unknown[]
}

/** A `Pool` of `pg`, or what is like it. */
export interface PostgresPool {
  /** Runs a query on any connection. */
  query(query: PostgresQuery): Promise<PostgresResult>
  /** A connection for a transaction, to be given back by `release`. */
  connect(): Promise<PostgresClient>
  /** Tells of idle connections that break. */
  on(event: 'error', listener: (error: Error) => void): unknown
  /** Tells no more. */
  removeListener(event: 'error', listener: (error: Error) => void): unknown
  /** Ends all connections. */
  end(): Promise<void>
}

/** A connection out of a pool. */
export interface PostgresClient {
  /** Runs a query on this connection. */
  query(query: PostgresQuery): Promise<PostgresResult>
  /** Tells of notifications that came in by `LISTEN`. */
  on(event: 'notification', listener: (notification: { payload?: string | undefined }) => void): unknown
  /** Tells that the connection is gone. */
  on(event: 'error' | 'end', listener: (error?: Error) => void): unknown
  /** Gives it back to the pool, or destroys it. */
  release(destroy?: boolean): void
}

/** A pool of `pg` on the database of the URL. */
export async function openPool(url: string): Promise<PostgresPool> {
  const { default: pg } = await loadDriver()
  return new pg.Pool({
    connectionString: url,
    application_name: 'blazen-xstate',
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  })
}

async function loadDriver(): Promise<typeof import('pg')> {
  try {
    return await import('pg')
  } catch (cause) {
    throw new StoreError(
      'store_driver',
      'The package pg cannot be loaded: install it (npm install pg), or pass a pool.',
      true,
      { cause },
    )
  }
}
