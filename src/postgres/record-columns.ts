import type { StoredRecord } from '../store.ts'
import { toDatabaseText } from '../store-rules.ts'

/** The records of several runs, column by column, to go in one statement. */
export interface RecordColumns {
  /** In which of the runs. */
  readonly run: number[]
  readonly seq: number[]
  readonly at: number[]
  readonly kind: string[]
  readonly body: string[]
  /** Where its bytes begin in `bytes`, from 1; 0 for none. */
  readonly start: number[]
  readonly length: number[]
  /** The bytes of all records in one, which goes as it is: in an array of PostgreSQL each byte would be two digits. */
  readonly bytes: Buffer
}

/** How many values the columns are. */
export const columnCount = 8

export function toColumns(runs: readonly (readonly StoredRecord[])[]): RecordColumns {
  const records = runs.flatMap((own, run) => own.map((record) => ({ run, record })))
  const parts = records.flatMap(({ record }) => (record.bytes === null ? [] : [record.bytes]))
  let end = 1
  const start = records.map(({ record }) => {
    if (record.bytes === null) return 0
    const begin = end
    end += record.bytes.length
    return begin
  })
  return {
    run: records.map(({ run }) => run),
    seq: records.map(({ record }) => record.seq),
    at: records.map(({ record }) => record.at),
    kind: records.map(({ record }) => toDatabaseText(record.kind)),
    body: records.map(({ record }) => record.body),
    start,
    length: records.map(({ record }) => record.bytes?.length ?? 0),
    bytes: Buffer.concat(parts),
  }
}

/** The columns as the values of a statement. */
export function valuesOf({ run, seq, at, kind, body, start, length, bytes }: RecordColumns): unknown[] {
  return [run, seq, at, kind, body, start, length, bytes]
}

/** The rows of the columns, which are the values from number `first` on: `run seq at kind body bytes`. */
export function rowsFrom(first: number): string {
  const [run, seq, at, kind, body, start, length, bytes] = Array.from(
    { length: columnCount },
    (_, index) => `$${first + index}`,
  )
  return `
    SELECT run, seq, at, kind, body, CASE WHEN start > 0 THEN substring(${bytes}::bytea FROM start FOR length) END AS bytes
    FROM unnest(${run}::int[], ${seq}::bigint[], ${at}::float8[], ${kind}::text[], ${body}::text[], ${start}::int[], ${length}::int[])
      AS columns (run, seq, at, kind, body, start, length)`
}
