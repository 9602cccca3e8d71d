import type { SqliteHandle, SqliteStatement } from './handle.ts'

/**
 * Writes one record of a run that its owner may write, and that follows on the last. Where it is not so, the key is 0,
 * which breaks a rule of the table, and the row is ignored, as one is whose key is there.
 */
function insertNext(into: string, other: string): string {
  return `
    INSERT OR IGNORE INTO ${into} (key, at, kind, body, bytes) VALUES (
      coalesce((
        SELECT (id << 32) | ? FROM blazen_runs run WHERE run_id = ? AND owner = ? AND epoch = ? AND status = ?
          AND (
            EXISTS (SELECT 1 FROM ${into} WHERE key = (run.id << 32) | ?)
            OR EXISTS (SELECT 1 FROM ${other} WHERE key = (run.id << 32) | ?)
          )
          AND NOT EXISTS (SELECT 1 FROM ${other} WHERE key = (run.id << 32) | ?)
      ), 0), ?, ?, ?, ?
    )`
}

const texts = {
  begin: 'BEGIN IMMEDIATE',
  beginReading: 'BEGIN',
  commit: 'COMMIT',

  insertRun: `
    INSERT INTO blazen_runs
      (run_id, workflow, version, idempotency_key, status, seq, created_at, updated_at, owner, epoch, lease_until)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING *`,
  run: 'SELECT * FROM blazen_run_infos WHERE run_id = ?',
  runOfKey: 'SELECT * FROM blazen_run_infos WHERE workflow = ? AND idempotency_key = ?',
  runOfId: 'SELECT * FROM blazen_run_infos WHERE id = ?',
  deleteRun: 'DELETE FROM blazen_runs WHERE run_id = ? RETURNING id',

  ownedRun: 'SELECT id, seq, status FROM blazen_run_infos WHERE run_id = ? AND owner = ? AND epoch = ?',
  setStatus: 'UPDATE blazen_runs SET status = ? WHERE id = ?',
  keepLast: `
    UPDATE blazen_runs SET (seq, updated_at) = (SELECT seq, updated_at FROM blazen_run_infos info WHERE info.id = blazen_runs.id)
    WHERE id = ?`,

  insertNext: insertNext('blazen_records', 'blazen_shared_records'),
  insertNextShared: insertNext('blazen_shared_records', 'blazen_records'),
  insertRecord: 'INSERT INTO blazen_records (key, at, kind, body, bytes) VALUES ((? << 32) | ?, ?, ?, ?, ?)',
  insertShared: 'INSERT INTO blazen_shared_records (key, at, kind, body, bytes) VALUES ((? << 32) | ?, ?, ?, ?, ?)',
  records: `
    SELECT key & 4294967295 AS seq, at, kind, body, bytes FROM (
      SELECT key, at, kind, body, bytes FROM blazen_records WHERE key BETWEEN (? << 32) | ? AND (? << 32) | ?
      UNION ALL
      SELECT key, at, kind, body, bytes FROM blazen_shared_records
      WHERE key BETWEEN (? << 32) | ? AND (? << 32) | ?
      ORDER BY key LIMIT ?
    )`,
  deleteRecords: 'DELETE FROM blazen_records WHERE key BETWEEN ? << 32 AND (? << 32) | ?',
  deleteShared: 'DELETE FROM blazen_shared_records WHERE key BETWEEN ? << 32 AND (? << 32) | ?',

  base: 'SELECT seq, body, bytes FROM blazen_bases WHERE run = ?',
  putBase: 'INSERT OR REPLACE INTO blazen_bases (run, seq, body, bytes) VALUES (?, ?, ?, ?)',
  deleteBase: 'DELETE FROM blazen_bases WHERE run = ?',

  postLetter: `
    INSERT INTO blazen_letters (run, id, at, body, bytes) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (run, id) DO NOTHING`,
  takeLetter: `
    INSERT INTO blazen_letters (run, id, at) VALUES (?, ?, 0)
    ON CONFLICT (run, id) DO UPDATE SET body = NULL, bytes = NULL`,
  letters: 'SELECT id, at, body, bytes FROM blazen_letters WHERE run = ? AND body IS NOT NULL ORDER BY number',
  deleteLetters: 'DELETE FROM blazen_letters WHERE run = ?',
  lastLetter: 'SELECT coalesce(max(number), 0) AS number FROM blazen_letters',
  lettersSince: `
    SELECT letter.number, run.run_id FROM blazen_letters letter JOIN blazen_runs run ON run.id = letter.run
    WHERE letter.number > ? ORDER BY letter.number`,

  freeRuns: `
    SELECT id FROM blazen_runs
    WHERE lease_until <= ? AND status NOT IN ('completed', 'failed', 'aborted') AND status <> 'paused'
      AND workflow IN (SELECT value FROM json_each(?))
    ORDER BY id LIMIT ?`,
  freeNamedRuns: `
    SELECT id FROM blazen_runs
    WHERE lease_until <= ? AND status NOT IN ('completed', 'failed', 'aborted')
      AND workflow IN (SELECT value FROM json_each(?)) AND run_id IN (SELECT value FROM json_each(?))
    ORDER BY id LIMIT ?`,
  claimRun: 'UPDATE blazen_runs SET owner = ?, epoch = epoch + 1, lease_until = ? WHERE id = ?',
  renewRun: 'UPDATE blazen_runs SET lease_until = ? WHERE run_id = ? AND owner = ? RETURNING id',
  releaseRun: 'UPDATE blazen_runs SET owner = NULL, lease_until = 0 WHERE run_id = ? AND owner = ?',
}

/** All that a store asks of its database, prepared; only the listing is put together as it is asked for. */
export type Statements = { readonly [Name in keyof typeof texts]: SqliteStatement }

export function prepareStatements(handle: SqliteHandle): Statements {
  const prepared = Object.entries(texts).map(([name, sql]) => [name, handle.prepare(sql)])
  return Object.fromEntries(prepared) as Statements
}
