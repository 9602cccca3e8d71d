import { StoreError, type StoreErrorCode } from '../errors.ts'

type Meaning = readonly [code: StoreErrorCode, message: string, permanent: boolean]

const unavailable: Meaning = ['store_unavailable', 'PostgreSQL cannot be reached', false]
const busy: Meaning = ['store_busy', 'Another transaction is in the way', false]
const refused: Meaning = ['store_refused', 'PostgreSQL refuses this user or database', true]
const full: Meaning = ['store_full', 'The disk of the database is full', true]
const corrupt: Meaning = ['store_corrupt', 'The database is damaged: restore it from a backup', true]

/** What codes of PostgreSQL mean to a store, and their classes, which are the first two characters. */
const meanings: Readonly<Record<string, Meaning>> = {
  '08': unavailable,
  '57': unavailable,
  '53': ['store_unavailable', 'PostgreSQL is out of connections or memory', false],
  '53100': full,
  '40': busy,
  '55': busy,
  '25006': ['store_read_only', 'The database can be read only: connect to the primary server', true],
  '28': refused,
  '3D': refused,
  '42501': refused,
  XX001: corrupt,
  XX002: corrupt,
  // These say the same at the next try: data that does not fit, constraints, wrong SQL, limits of the server.
  '22': ['store_failed', 'PostgreSQL does not take this', true],
  '23': ['store_failed', 'PostgreSQL does not take this', true],
  '42': ['store_failed', 'PostgreSQL does not take this', true],
  '54': ['store_failed', 'PostgreSQL does not take this', true],
}

/** What `pg` threw, as a {@link StoreError}. */
export function toStoreError(thrown: unknown): unknown {
  if (!(thrown instanceof Error) || thrown instanceof StoreError) return thrown
  if (thrown instanceof TypeError || thrown instanceof RangeError) return thrown
  const [code, message, permanent] = meaningOf(thrown)
  return new StoreError(code, `${message} (${describe(thrown)}).`, permanent, { cause: thrown })
}

function meaningOf(error: Error): Meaning {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined
  // Without a code of PostgreSQL: the system's (ECONNREFUSED), or those of pg, which have none.
  if (code === undefined || !/^[0-9A-Z]{5}$/.test(code)) return unavailable
  return meanings[code] ?? meanings[code.slice(0, 2)] ?? ['store_failed', 'PostgreSQL failed', false]
}

/** Node’s error about several addresses has no message of its own. */
function describe(error: Error): string {
  const parts = error instanceof AggregateError ? error.errors : []
  return error.message || parts.map((part) => (part instanceof Error ? part.message : String(part))).join(', ')
}
