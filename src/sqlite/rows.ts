import type { Base, Letter, RunInfo, StoredRecord } from '../store.ts'
import { fromDatabaseText } from '../store-rules.ts'
import type { SqliteStatement, SqliteValue } from './handle.ts'

/** A row of `blazen_run_infos`. */
export interface RunRow {
  readonly id: number
  readonly run_id: string
  readonly workflow: string
  readonly version: string | null
  readonly idempotency_key: string | null
  readonly status: string
  readonly seq: number
  readonly created_at: number
  readonly updated_at: number
  readonly owner: string | null
  readonly epoch: number
}

/** What an append has to know of a run. */
export type OwnedRow = Pick<RunRow, 'id' | 'seq' | 'status'>

/** The rows of a query, in the shape that its columns give them. */
export function rowsOf<Row>(statement: SqliteStatement, ...values: SqliteValue[]): Row[] {
  return statement.all(...values) as Row[]
}

/** The first row of a query. */
export function rowOf<Row>(statement: SqliteStatement, ...values: SqliteValue[]): Row | undefined {
  return (statement.get(...values) ?? undefined) as Row | undefined
}

export function toRunInfo(row: RunRow): RunInfo {
  return {
    runId: fromDatabaseText(row.run_id),
    workflow: fromDatabaseText(row.workflow),
    version: row.version === null ? null : fromDatabaseText(row.version),
    idempotencyKey: row.idempotency_key === null ? null : fromDatabaseText(row.idempotency_key),
    status: fromDatabaseText(row.status),
    seq: row.seq,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    owner: row.owner === null ? null : fromDatabaseText(row.owner),
    epoch: row.epoch,
  }
}

export function toRecord({ seq, at, kind, body, bytes }: StoredRecord): StoredRecord {
  return { seq, at, kind: fromDatabaseText(kind), body, bytes: toBytes(bytes) }
}

export function toBase({ seq, body, bytes }: Base): Base {
  return { seq, body, bytes: toBytes(bytes) }
}

export function toLetter({ id, at, body, bytes }: Letter): Letter {
  return { id: fromDatabaseText(id), at, body, bytes: toBytes(bytes) }
}

/** Drivers give a `Buffer`, which is a view of its own kind on the same bytes. */
function toBytes(bytes: Uint8Array | null): Uint8Array | null {
  return bytes && new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
