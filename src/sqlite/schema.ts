import { StoreError } from '../errors.ts'
import type { SqliteHandle } from './handle.ts'
import { resultCodeOf } from './sqlite-error.ts'

/**
 * Each brings the tables from the version that is its index to the next one. What is here has been released and does
 * not change.
 *
 * - What a commit costs is the pages that it touches. So the records of a commit for one run, or a few, lie with those of
 *   the run: one page. Those of a commit for many runs lie in the order in which they came, in `blazen_shared_records`:
 *   as many pages as they fill, not one for each run. A record's key is the run's `id` in the upper 32 bits and its
 *   number in the lower, in both.
 * - An append writes its records and nothing else, unless it changes the run's status: the number and the time of the last
 *   record are read from the records, and are in the run's row only for when a compaction has dropped them all.
 * - A letter that was taken keeps its id, and loses its body.
 */
const migrations = [
  `
  CREATE TABLE blazen_runs (
    id INTEGER PRIMARY KEY,
    run_id TEXT NOT NULL UNIQUE,
    workflow TEXT NOT NULL,
    version TEXT,
    idempotency_key TEXT,
    status TEXT NOT NULL,
    seq INTEGER NOT NULL,
    created_at REAL NOT NULL,
    updated_at REAL NOT NULL,
    owner TEXT,
    epoch INTEGER NOT NULL,
    lease_until REAL NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX blazen_runs_key ON blazen_runs (workflow, idempotency_key) WHERE idempotency_key IS NOT NULL;
  CREATE INDEX blazen_runs_status ON blazen_runs (status);
  CREATE INDEX blazen_runs_workflow ON blazen_runs (workflow);
  CREATE INDEX blazen_runs_free ON blazen_runs (lease_until) WHERE status NOT IN ('completed', 'failed', 'aborted');
  CREATE TABLE blazen_records (
    key INTEGER PRIMARY KEY CHECK (key > 0),
    at REAL NOT NULL,
    kind TEXT NOT NULL,
    body TEXT NOT NULL,
    bytes BLOB
  ) STRICT;
  CREATE TABLE blazen_shared_records (
    number INTEGER PRIMARY KEY,
    key INTEGER NOT NULL UNIQUE CHECK (key > 0),
    at REAL NOT NULL,
    kind TEXT NOT NULL,
    body TEXT NOT NULL,
    bytes BLOB
  ) STRICT;
  CREATE TABLE blazen_bases (
    run INTEGER PRIMARY KEY,
    seq INTEGER NOT NULL,
    body TEXT NOT NULL,
    bytes BLOB
  ) STRICT;
  CREATE TABLE blazen_letters (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    run INTEGER NOT NULL,
    id TEXT NOT NULL,
    at REAL NOT NULL,
    body TEXT,
    bytes BLOB,
    UNIQUE (run, id)
  ) STRICT;
  CREATE VIEW blazen_run_infos AS
    SELECT id, run_id, workflow, version, idempotency_key, status,
      max(
        seq,
        coalesce((
          SELECT key & 4294967295 FROM blazen_records
          WHERE key BETWEEN run.id << 32 AND (run.id << 32) | 4294967295 ORDER BY key DESC LIMIT 1
        ), 0),
        coalesce((
          SELECT key & 4294967295 FROM blazen_shared_records
          WHERE key BETWEEN run.id << 32 AND (run.id << 32) | 4294967295 ORDER BY key DESC LIMIT 1
        ), 0)
      ) AS seq,
      created_at,
      coalesce((
        SELECT at FROM (
          SELECT key, at FROM blazen_records WHERE key BETWEEN run.id << 32 AND (run.id << 32) | 4294967295
          UNION ALL
          SELECT key, at FROM blazen_shared_records WHERE key BETWEEN run.id << 32 AND (run.id << 32) | 4294967295
          ORDER BY key DESC LIMIT 1
        )
      ), updated_at) AS updated_at,
      owner, epoch, lease_until
    FROM blazen_runs run;
  CREATE INDEX blazen_letters_waiting ON blazen_letters (run, number) WHERE body IS NOT NULL;
  `,
]

/** Makes the tables, or brings those of an older version up to date; writes nothing where they are. */
export function migrate(handle: SqliteHandle, file: string | undefined): void {
  if (readVersion(handle, file) === migrations.length) return
  handle.exec('BEGIN IMMEDIATE')
  try {
    const version = readVersion(handle, file)
    if (version === 0) handle.exec('CREATE TABLE IF NOT EXISTS blazen_schema (version INTEGER NOT NULL)')
    for (const migration of migrations.slice(version)) handle.exec(migration)
    handle.exec(`DELETE FROM blazen_schema; INSERT INTO blazen_schema (version) VALUES (${migrations.length})`)
    handle.exec('COMMIT')
  } catch (error) {
    rollBack(handle)
    throw error
  }
}

/** After some failures, as on a full disk, SQLite has rolled back by itself, and says so. */
export function rollBack(handle: SqliteHandle): void {
  try {
    handle.exec('ROLLBACK')
  } catch {}
}

function readVersion(handle: SqliteHandle, file: string = 'The database'): number {
  const table = handle.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'blazen_schema'").get()
  const row = table === undefined ? undefined : handle.prepare('SELECT version FROM blazen_schema').get()
  const version = Number((row as { version: number } | undefined)?.version ?? 0)
  if (version <= migrations.length) return version
  throw new StoreError(
    'store_newer',
    `${file} has tables of version ${version}, and this blazen-xstate knows versions up to ${migrations.length}: update the package.`,
    true,
  )
}

/** How hard a commit is pressed onto the disk; see `synchronous` of the options. */
export type Synchronous = 'normal' | 'full' | 'off'

/** Sets up the connection: a write-ahead log, patience with other writers. */
export function configure(handle: SqliteHandle, synchronous: Synchronous, busyTimeoutMs: number): void {
  handle.exec(`PRAGMA busy_timeout = ${Math.max(0, Math.trunc(busyTimeoutMs))}`)
  handle.exec(`PRAGMA synchronous = ${{ normal: 'NORMAL', full: 'FULL', off: 'OFF' }[synchronous]}`)
  const { journal_mode } = handle.prepare('PRAGMA journal_mode').get() as { journal_mode: string }
  if (journal_mode === 'wal' || journal_mode === 'memory') return
  // Where others do the same at this moment, SQLite says so at once, whatever the timeout.
  const giveUpAt = Date.now() + busyTimeoutMs
  for (;;) {
    try {
      handle.exec('PRAGMA journal_mode = WAL')
      return
    } catch (error) {
      if (resultCodeOf(error) !== 5 || Date.now() >= giveUpAt) throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5)
    }
  }
}
