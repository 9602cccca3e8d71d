import { StoreError, type StoreErrorCode } from '../errors.ts'

/** What the primary result codes of SQLite mean to a store. The rest is `store_failed`. */
const meanings: Readonly<Record<number, readonly [code: StoreErrorCode, message: string, permanent: boolean]>> = {
  3: ['store_refused', 'SQLite may not open the database', true],
  5: ['store_busy', 'Another process holds the database locked', false],
  6: ['store_busy', 'Another connection holds a table locked', false],
  8: ['store_read_only', 'The database can be read only: check the permissions of its file and folder', true],
  11: ['store_corrupt', 'The database is damaged', true],
  13: ['store_full', 'The disk, or the size that the database may have, is full', true],
  14: [
    'store_unavailable',
    'The database file cannot be opened: check that its folder exists and may be written',
    false,
  ],
  26: ['store_corrupt', 'The file is no SQLite database', true],
}

/** Those that will be the same at the next try: wrong SQL, too big, constraints, wrong types, misuse. */
const hopeless = new Set([1, 18, 19, 20, 21, 25])

const namedCodes: Readonly<Record<string, number>> = {
  SQLITE_ERROR: 1,
  SQLITE_PERM: 3,
  SQLITE_BUSY: 5,
  SQLITE_LOCKED: 6,
  SQLITE_READONLY: 8,
  SQLITE_CORRUPT: 11,
  SQLITE_FULL: 13,
  SQLITE_CANTOPEN: 14,
  SQLITE_TOOBIG: 18,
  SQLITE_CONSTRAINT: 19,
  SQLITE_MISMATCH: 20,
  SQLITE_MISUSE: 21,
  SQLITE_RANGE: 25,
  SQLITE_NOTADB: 26,
}

/** Where something failed. */
export interface FailurePlace {
  /** The file of the database, where it is known. */
  readonly file?: string | undefined
  /** What was being done, as in `reading run "a"`. */
  readonly doing?: string | undefined
}

/** What a driver threw, as a {@link StoreError} if it speaks of the database, or else as it is. */
export function toStoreError(thrown: unknown, { file, doing }: FailurePlace = {}): unknown {
  const code = resultCodeOf(thrown)
  if (code === undefined || !(thrown instanceof Error)) return thrown
  const [name, message, permanent] = meanings[code] ?? ['store_failed', 'SQLite failed', hopeless.has(code)]
  const where = `${file === undefined ? '' : `${file}: `}${message}${doing === undefined ? '' : `, found when ${doing}`}`
  const repair = code === 11 ? ` ${repairOf(file)}` : ''
  return new StoreError(name, `${where} (${thrown.message}).${repair}`, permanent, { cause: thrown })
}

/** Runs that lie elsewhere in the file can still be read. */
function repairOf(file: string = 'runs.db'): string {
  return `End its processes, and restore it from a backup; or save what can be read with the sqlite3 program: sqlite3 "${file}" .recover | sqlite3 "${file}.mended".`
}

/** The file of a database that somebody else has opened: `better-sqlite3` calls it `name`, `node:sqlite` `location()`. */
export function fileOf(handle: object): string | undefined {
  if ('name' in handle && typeof handle.name === 'string') return handle.name
  const file = 'location' in handle && typeof handle.location === 'function' ? handle.location() : undefined
  return typeof file === 'string' ? file : undefined
}

/** The primary result code, as `better-sqlite3` (a name in `code`) or `node:sqlite` (a number in `errcode`) give it. */
export function resultCodeOf(thrown: unknown): number | undefined {
  if (!(thrown instanceof Error)) return undefined
  if ('errcode' in thrown && typeof thrown.errcode === 'number') return thrown.errcode & 0xff
  if (!('code' in thrown) || typeof thrown.code !== 'string' || !thrown.code.startsWith('SQLITE_')) return undefined
  // SQLITE_IOERR_WRITE and the like are kinds of the one before the second underscore.
  return namedCodes[thrown.code.split('_', 2).join('_')] ?? 0
}
