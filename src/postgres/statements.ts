import { rowsFrom } from './record-columns.ts'

const lease = (ms: string) => `clock_timestamp() + ${ms}::float8 * interval '1 millisecond'`

const free = "lease_until <= statement_timestamp() AND status NOT IN ('completed', 'failed', 'aborted')"

/** All that a store asks of the tables in a schema, which is quoted; only the listing is put together as it is asked for. */
export function statementsOf(schema: string) {
  /** Locks the owner's rows of the runs that a value names, in the order of the value: so no two statements wait for each other. */
  const owned = (runIds: string) => `
    owned AS (
      SELECT run.id FROM unnest(${runIds}::text[]) AS named (run_id), LATERAL (
        SELECT id FROM ${schema}.runs WHERE runs.run_id = named.run_id AND runs.owner = $1 FOR NO KEY UPDATE
      ) run
    )`
  const claim = (condition: string) => `
    WITH free AS (
      SELECT id FROM ${schema}.runs WHERE ${free} AND workflow = ANY ($3::text[]) AND ${condition}
      ORDER BY id LIMIT $4 FOR NO KEY UPDATE SKIP LOCKED
    )
    UPDATE ${schema}.runs SET owner = $1, epoch = epoch + 1, lease_until = ${lease('$2')}
    FROM free WHERE runs.id = free.id RETURNING runs.*`
  return {
    create: `
      WITH run AS (
        INSERT INTO ${schema}.runs
          (run_id, workflow, version, idempotency_key, status, seq, created_at, updated_at, owner, epoch, lease_until)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, ${lease('$11')})
        ON CONFLICT DO NOTHING RETURNING *
      ), added AS (
        INSERT INTO ${schema}.records (run, seq, at, kind, body, bytes)
        SELECT run.id, record.seq, record.at, record.kind, record.body, record.bytes FROM run, (${rowsFrom(12)}) record
      )
      SELECT * FROM run`,
    existing: `
      SELECT * FROM ${schema}.runs WHERE run_id = $1 OR (workflow = $2 AND idempotency_key = $3)
      ORDER BY run_id <> $1 LIMIT 1`,

    append: `
      WITH append AS (
        SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::float8[], $7::text[])
          WITH ORDINALITY AS append (run_id, owner, epoch, expected, last, at, status, number)
      ), owned AS (
        SELECT run.id, append.* FROM append, LATERAL (
          SELECT id FROM ${schema}.runs
          WHERE runs.run_id = append.run_id AND runs.owner = append.owner
            AND runs.epoch = append.epoch AND runs.seq = append.expected
          FOR NO KEY UPDATE
        ) run
      ), advanced AS (
        UPDATE ${schema}.runs SET seq = owned.last, updated_at = coalesce(owned.at, updated_at), status = owned.status
        FROM owned WHERE runs.id = owned.id
      ), added AS (
        INSERT INTO ${schema}.records (run, seq, at, kind, body, bytes)
        SELECT owned.id, record.seq, record.at, record.kind, record.body, record.bytes
        FROM owned JOIN (${rowsFrom(10)}) record ON record.run = owned.number - 1
      ), taken AS (
        INSERT INTO ${schema}.letters (run, id, at)
        SELECT DISTINCT owned.id, letter.id, 0
        FROM owned JOIN unnest($8::int[], $9::text[]) AS letter (run, id) ON letter.run = owned.number - 1
        ON CONFLICT (run, id) DO UPDATE SET body = NULL, bytes = NULL
      )
      SELECT number - 1 AS index FROM owned`,

    load: `
      SELECT run.*, base.seq AS base_seq, record.seq AS record_seq, record.at, record.kind, record.body, record.bytes,
        CASE WHEN row_number() OVER (ORDER BY record.seq) = 1 THEN base.body END AS base_body,
        CASE WHEN row_number() OVER (ORDER BY record.seq) = 1 THEN base.bytes END AS base_bytes
      FROM ${schema}.runs run
        LEFT JOIN ${schema}.bases base ON base.run = run.id
        LEFT JOIN ${schema}.records record ON record.run = run.id AND record.seq > coalesce(base.seq, 0)
      WHERE run.run_id = $1 ORDER BY record.seq`,
    records: `
      SELECT record.* FROM ${schema}.runs run JOIN ${schema}.records record ON record.run = run.id
      WHERE run.run_id = $1 AND record.seq >= $2 ORDER BY record.seq LIMIT $3`,
    compact: `
      WITH owned AS (
        SELECT id FROM ${schema}.runs WHERE run_id = $1 AND owner = $2 AND epoch = $3 AND seq >= $4 FOR NO KEY UPDATE
      ), base AS (
        INSERT INTO ${schema}.bases (run, seq, body, bytes) SELECT id, $4, $5, $6 FROM owned
        ON CONFLICT (run) DO UPDATE SET seq = excluded.seq, body = excluded.body, bytes = excluded.bytes
      ), dropped AS (
        DELETE FROM ${schema}.records USING owned WHERE records.run = owned.id AND records.seq <= $7
      )
      SELECT id FROM owned`,
    info: `SELECT * FROM ${schema}.runs WHERE run_id = $1`,

    deleteRun: `DELETE FROM ${schema}.runs WHERE run_id = $1 RETURNING id`,
    deleteRest: `
      WITH records AS (DELETE FROM ${schema}.records WHERE run = $1),
        bases AS (DELETE FROM ${schema}.bases WHERE run = $1)
      DELETE FROM ${schema}.letters WHERE run = $1`,

    claim: claim("status <> 'paused'"),
    claimNamed: claim('run_id = ANY ($5::text[])'),
    renew: `
      WITH ${owned('$2')}
      UPDATE ${schema}.runs SET lease_until = ${lease('$3')} FROM owned WHERE runs.id = owned.id RETURNING runs.run_id`,
    release: `
      WITH ${owned('$2')}
      UPDATE ${schema}.runs SET owner = NULL, lease_until = '-infinity' FROM owned WHERE runs.id = owned.id`,

    // The lock keeps the run from being deleted meanwhile, and lets appends pass.
    post: `
      WITH run AS (
        SELECT id FROM ${schema}.runs WHERE run_id = $1 FOR KEY SHARE
      ), posted AS (
        INSERT INTO ${schema}.letters (run, id, at, body, bytes) SELECT run.id, $2, $3, $4, $5 FROM run
        ON CONFLICT (run, id) DO NOTHING RETURNING number
      )
      SELECT (SELECT count(*) FROM run) AS runs, (SELECT count(pg_notify($6, $1)) FROM posted) AS notified`,
    inbox: `
      SELECT letter.id, letter.at, letter.body, letter.bytes
      FROM ${schema}.runs run JOIN ${schema}.letters letter ON letter.run = run.id
      WHERE run.run_id = $1 AND letter.body IS NOT NULL ORDER BY letter.number`,
    waiting: `
      SELECT run_id FROM ${schema}.runs run WHERE status NOT IN ('completed', 'failed', 'aborted')
        AND EXISTS (SELECT FROM ${schema}.letters WHERE letters.run = run.id AND letters.body IS NOT NULL)`,
  }
}

export type Statements = ReturnType<typeof statementsOf>
