import { StoreError } from './errors.ts'
import type { Append, RunFilter, StoredRecord } from './store.ts'

/** The statuses that the engine gives its runs. */
export const runStatuses: readonly string[] = [
  ...['running', 'waiting', 'pausing', 'paused'],
  ...['completed', 'failed', 'aborted'],
]

/** The statuses of a run that has ended: nobody claims it any more. */
export const endedStatuses: readonly string[] = ['completed', 'failed', 'aborted']

/** Whether what is stored under the numbers of an append is the append itself, made before. */
export function hasSameRecords(stored: readonly StoredRecord[], append: Append): boolean {
  return (
    stored.length === append.records.length &&
    stored.every((record, index) => {
      const other = append.records[index]
      return other !== undefined && isSameRecord(record, other)
    })
  )
}

function isSameRecord(one: StoredRecord, other: StoredRecord): boolean {
  return (
    one.seq === other.seq &&
    one.at === other.at &&
    one.kind === other.kind &&
    one.body === other.body &&
    isSameBytes(one.bytes, other.bytes)
  )
}

function isSameBytes(one: Uint8Array | null, other: Uint8Array | null): boolean {
  if (one === null || other === null) return one === other
  return one.length === other.length && one.every((byte, index) => byte === other[index])
}

/** The number of the last record after an append. */
export function computeLastSeq({ expectedSeq, records }: Append): number {
  return records.at(-1)?.seq ?? expectedSeq
}

/** Throws on an append that no store could take: two for one run, or a gap in the numbers. */
export function checkAppends(appends: readonly Append[]): void {
  if (appends.length > 1 && new Set(appends.map(({ runId }) => runId)).size < appends.length)
    throw new TypeError('A run is named twice in one append: put its records together.')
  for (const { runId, expectedSeq, records } of appends) checkNumbers(runId, expectedSeq, records)
}

/** Throws where the records do not follow on number `expectedSeq`. */
export function checkNumbers(runId: string, expectedSeq: number, records: readonly StoredRecord[]): void {
  let expected = expectedSeq
  for (const { seq } of records)
    if (seq !== ++expected) throw new RangeError(`Run ${runId}: expected a record with number ${expected}, got ${seq}.`)
}

/** Throws on a compaction that would lose what the base does not hold. */
export function checkDropTo(runId: string, seq: number, dropTo: number): void {
  if (dropTo > seq)
    throw new RangeError(`Run ${runId}: records up to ${dropTo} cannot be dropped behind a base of record ${seq}.`)
}

/** How many runs a page has. */
export function pageSizeOf({ limit = 100 }: RunFilter): number {
  if (Number.isInteger(limit) && limit >= 1 && limit <= 1000) return limit
  throw new RangeError(`list: expected a limit from 1 to 1000, got ${limit}.`)
}

/** The statuses that a filter lets through; `undefined` for all. */
export function statusesOf({ status }: RunFilter): readonly string[] | undefined {
  return typeof status === 'string' ? [status] : status
}

/** The number in a cursor of ours, which says after which run the page begins; `undefined` for the first page. */
export function positionOf({ cursor }: RunFilter): number | undefined {
  if (cursor === undefined || /^\d{1,15}$/.test(cursor)) return cursor === undefined ? undefined : Number(cursor)
  throw new RangeError(`list: expected the cursor of another page, got ${JSON.stringify(cursor)}.`)
}

/** What every method of a closed store says. */
export function closedError(): StoreError {
  return new StoreError('store_closed', 'The store is closed: open another one on the same database.', true)
}

/**
 * A string as databases can keep it: they take no NUL, and turn half a surrogate pair into another character, so that
 * two ids would be one. Those, and the mark itself, are written as a mark and four hex digits; all others stay as they are.
 */
export function toDatabaseText(text: string): string {
  if (!suspect.test(text) || !unkept.test(text)) return text
  return text.replace(new RegExp(unkept, 'gu'), (char) => `\uffff${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** The string that {@link toDatabaseText} was given. */
export function fromDatabaseText(text: string): string {
  if (!text.includes('\uffff')) return text
  return text.replace(marked, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
}

/** What {@link unkept} may be in: a look that costs next to nothing, as most texts have no such character. */
const suspect = /[\0\ud800-\uffff]/
const unkept = /[\0\uffff]|\p{Surrogate}/u
const marked = /\uffff([0-9a-f]{4})/g
