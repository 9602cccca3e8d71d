import { StoreError } from '../errors.ts'
import type { PostgresPool } from './pool.ts'

/**
 * Each brings the tables from the version that is its index to the next one. What is here has been released and does
 * not change.
 *
 * - No index holds `seq` and `updated_at`, so that an append mostly rewrites a run's row in its page (a HOT update).
 * - Times are of JavaScript; leases are of the server, so that the clocks of its clients need not agree.
 * - A letter that was taken keeps its id, and loses its body.
 */
const migrations = [
  (schema: string) => `
  CREATE TABLE ${schema}.runs (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id text NOT NULL UNIQUE,
    workflow text NOT NULL,
    version text,
    idempotency_key text,
    status text NOT NULL,
    seq bigint NOT NULL,
    created_at double precision NOT NULL,
    updated_at double precision NOT NULL,
    owner text,
    epoch bigint NOT NULL,
    lease_until timestamptz NOT NULL,
    UNIQUE (workflow, idempotency_key)
  ) WITH (fillfactor = 70);
  CREATE INDEX runs_status ON ${schema}.runs (status, id);
  CREATE INDEX runs_free ON ${schema}.runs (lease_until) WHERE status NOT IN ('completed', 'failed', 'aborted');
  CREATE TABLE ${schema}.records (
    run bigint NOT NULL,
    seq bigint NOT NULL,
    at double precision NOT NULL,
    kind text NOT NULL,
    body text NOT NULL,
    bytes bytea,
    PRIMARY KEY (run, seq)
  );
  ALTER TABLE ${schema}.records ALTER bytes SET STORAGE EXTERNAL;
  CREATE TABLE ${schema}.bases (
    run bigint PRIMARY KEY,
    seq bigint NOT NULL,
    body text NOT NULL,
    bytes bytea
  );
  ALTER TABLE ${schema}.bases ALTER bytes SET STORAGE EXTERNAL;
  CREATE TABLE ${schema}.letters (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run bigint NOT NULL,
    id text NOT NULL,
    at double precision NOT NULL,
    body text,
    bytes bytea,
    UNIQUE (run, id)
  );
  CREATE INDEX letters_waiting ON ${schema}.letters (run, number) WHERE body IS NOT NULL;
  `,
]

/** Makes the tables, or brings those of an older version up to date; asks for no rights where they are. */
export async function migrate(pool: PostgresPool, name: string): Promise<void> {
  if ((await readVersion(pool, name)) === migrations.length) return
  const schema = quoteName(name)
  const client = await pool.connect()
  let isDone = false
  try {
    await client.query({ text: 'BEGIN' })
    // Of several processes that start on an empty database, one makes the tables.
    await client.query({
      text: "SELECT pg_advisory_xact_lock(hashtext('blazen-xstate'), hashtext($1))",
      values: [name],
    })
    const version = await readVersion(client, name)
    if (version === 0) await client.query({ text: `CREATE SCHEMA IF NOT EXISTS ${schema}` })
    if (version === 0) await client.query({ text: `CREATE TABLE ${schema}.schema_version (version integer NOT NULL)` })
    for (const migration of migrations.slice(version)) await client.query({ text: migration(schema) })
    await client.query({ text: `DELETE FROM ${schema}.schema_version` })
    await client.query({ text: `INSERT INTO ${schema}.schema_version VALUES (${migrations.length})` })
    await client.query({ text: 'COMMIT' })
    isDone = true
  } finally {
    client.release(!isDone)
  }
}

async function readVersion(client: Pick<PostgresPool, 'query'>, name: string): Promise<number> {
  // `to_regclass` would answer from a cache that does not know what was committed while the lock was waited for.
  const table = "SELECT 1 FROM pg_catalog.pg_tables WHERE schemaname = $1 AND tablename = 'schema_version'"
  if ((await client.query({ text: table, values: [name] })).rows.length === 0) return 0
  const { rows } = await client.query({ text: `SELECT version FROM ${quoteName(name)}.schema_version` })
  const version = Number((rows[0] as { version: number } | undefined)?.version ?? 0)
  if (version <= migrations.length) return version
  throw new StoreError(
    'store_newer',
    `The schema ${name} has tables of version ${version}, and this blazen-xstate knows versions up to ${migrations.length}: update the package.`,
    true,
  )
}

/** A name as SQL takes it, whatever it is. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
