import { StoreError } from '../errors.ts'

/** A query as `pg` takes it. */
export interface PostgresQuery {
  readonly text: string
  readonly values?: unknown[]
  /** Makes it a prepared statement of its connection. */
  readonly name?: string
}

export interface PostgresResult {
  readonly rows: unknown[]
}

/** A `Pool` of `pg`, or what is like it. */
export interface PostgresPool {
  query(query: PostgresQuery): Promise<PostgresResult>
  connect(): Promise<PostgresClient>
  on(event: 'error', listener: (error: Error) => void): unknown
  removeListener(event: 'error', listener: (error: Error) => void): unknown
  end(): Promise<void>
}

/** A connection out of a pool. */
export interface PostgresClient {
  query(query: PostgresQuery): Promise<PostgresResult>
  on(event: 'notification', listener: (notification: { payload?: string | undefined }) => void): unknown
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
