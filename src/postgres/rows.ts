import type { Base, Letter, RunInfo, StoredRecord } from '../store.ts'
import { fromDatabaseText } from '../store-rules.ts'

/** A row of `runs`. `pg` gives a bigint as a string, or as what the user has set. */
export interface RunRow {
  readonly id: string | number | bigint
  readonly run_id: string
  readonly workflow: string
  readonly version: string | null
  readonly idempotency_key: string | null
  readonly status: string
  readonly seq: string | number | bigint
  readonly created_at: number
  readonly updated_at: number
  readonly owner: string | null
  readonly epoch: string | number | bigint
}

export interface RecordRow {
  readonly seq: string | number | bigint
  readonly at: number
  readonly kind: string
  readonly body: string
  readonly bytes: Uint8Array | null
}

export interface LetterRow extends Omit<RecordRow, 'seq' | 'kind'> {
  readonly id: string
}

/** A run with its base and one of the records behind it; the base's parts are in the first row only. */
export interface LoadedRow extends RunRow {
  readonly base_seq: string | number | bigint | null
  readonly base_body: string | null
  readonly base_bytes: Uint8Array | null
  readonly record_seq: string | number | bigint | null
  readonly at: number
  readonly kind: string
  readonly body: string
  readonly bytes: Uint8Array | null
}

export function toRunInfo(row: RunRow): RunInfo {
  return {
    runId: fromDatabaseText(row.run_id),
    workflow: fromDatabaseText(row.workflow),
    version: row.version === null ? null : fromDatabaseText(row.version),
    idempotencyKey: row.idempotency_key === null ? null : fromDatabaseText(row.idempotency_key),
    status: fromDatabaseText(row.status),
    seq: Number(row.seq),
    createdAt: Number(row.created_at),
    updatedAt: Number(row.updated_at),
    owner: row.owner === null ? null : fromDatabaseText(row.owner),
    epoch: Number(row.epoch),
  }
}

export function toRecord({ seq, at, kind, body, bytes }: RecordRow): StoredRecord {
  return { seq: Number(seq), at: Number(at), kind: fromDatabaseText(kind), body, bytes: toBytes(bytes) }
}

export function toLetter({ id, at, body, bytes }: LetterRow): Letter {
  return { id: fromDatabaseText(id), at: Number(at), body, bytes: toBytes(bytes) }
}

export function toBase({ base_seq, base_body, base_bytes }: LoadedRow): Base | undefined {
  if (base_seq === null) return undefined
  return { seq: Number(base_seq), body: base_body ?? '', bytes: toBytes(base_bytes) }
}

/** `pg` gives a `Buffer`, which may be a part of a bigger one that it would keep alive. */
function toBytes(bytes: Uint8Array | null): Uint8Array | null {
  return bytes && new Uint8Array(bytes)
}
