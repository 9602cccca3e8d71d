import { StoreError } from '../errors.ts'
import type {
  Append,
  Base,
  Claim,
  Letter,
  NewRun,
  Owner,
  RunFilter,
  RunInfo,
  RunPage,
  Store,
  StoredRecord,
  StoredRun,
} from '../store.ts'
import {
  checkAppends,
  checkDropTo,
  checkNumbers,
  closedError,
  computeLastSeq,
  hasSameRecords,
  pageSizeOf,
  positionOf,
  statusesOf,
  toDatabaseText,
} from '../store-rules.ts'
import type { SqliteHandle, SqliteValue } from './handle.ts'
import { LetterWatch } from './letter-watch.ts'
import { type OwnedRow, type RunRow, rowOf, rowsOf, toBase, toLetter, toRecord, toRunInfo } from './rows.ts'
import { rollBack } from './schema.ts'
import { toStoreError } from './sqlite-error.ts'
import { prepareStatements, type Statements } from './statements.ts'

/** The highest number that a record can have. */
const maxSeq = 2 ** 32 - 1
/** Records of more runs than these in one commit lie together, and not each with its run. */
const fewRuns = 3

/** What is being done, for an error; a function where saying it costs. */
type Doing = string | (() => string)

/** What `create` gives. */
interface Creation {
  readonly created: boolean
  readonly info: RunInfo
}

/** Runs that are created in one transaction. */
interface Creates {
  readonly runs: { readonly run: NewRun; readonly owner: Owner }[]
  /** For each run, what to give or to throw. */
  readonly settled: Promise<(() => Creation)[]>
}

/** A store on an open database with its tables made. Everything is done at once; promises are for the port's sake. */
export class SqliteStore implements Store, AsyncDisposable {
  readonly #handle: SqliteHandle
  readonly #statements: Statements
  readonly #watch: LetterWatch
  /** The file of the database, for errors. */
  readonly #file: string | undefined
  readonly #onClose: () => void
  #creating: Creates | undefined
  #isClosed = false

  constructor(handle: SqliteHandle, file: string | undefined, onClose: () => void) {
    this.#handle = handle
    this.#file = file
    this.#statements = prepareStatements(handle)
    this.#watch = new LetterWatch(this.#statements)
    this.#onClose = onClose
  }

  async create(run: NewRun, owner: Owner): Promise<Creation> {
    checkNumbers(run.runId, 0, run.records)
    // What is created at once, by whoever, is one transaction.
    this.#creating ??= this.#nextCreates()
    const { runs, settled } = this.#creating
    const place = runs.push({ run, owner }) - 1
    return ((await settled)[place] as () => Creation)()
  }

  async append(appends: readonly Append[]): Promise<('appended' | 'conflict')[]> {
    checkAppends(appends)
    const [first] = appends
    const doing = () => `writing ${naming(appends.map(({ runId }) => runId))}`
    // A statement is a transaction by itself.
    if (appends.length === 1 && first !== undefined && this.#guard(doing, () => this.#appendNext(first, false)))
      return ['appended']
    return this.#write(doing, () => appends.map((append) => this.#append(append, appends.length > fewRuns)))
  }

  async load(runId: string): Promise<StoredRun | undefined> {
    return this.#read(`reading ${naming([runId])}`, () => {
      const row = this.#find(runId)
      if (!row) return undefined
      const base = rowOf<Base>(this.#statements.base, row.id)
      const records = this.#select(row.id, (base?.seq ?? 0) + 1)
      return { info: toRunInfo(row), base: base && toBase(base), records }
    })
  }

  async records(runId: string, { from = 1, limit }: { from?: number; limit?: number } = {}): Promise<StoredRecord[]> {
    return this.#read(`reading records of ${naming([runId])}`, () => {
      const row = this.#find(runId)
      return row ? this.#select(row.id, Math.max(1, from), maxSeq, limit) : []
    })
  }

  async compact(runId: string, owner: Owner, base: Base, dropTo: number): Promise<'compacted' | 'conflict'> {
    checkDropTo(runId, base.seq, dropTo)
    return this.#write(`compacting ${naming([runId])}`, () => {
      const { ownedRun, putBase, keepLast } = this.#statements
      const run = rowOf<OwnedRow>(ownedRun, toDatabaseText(runId), toDatabaseText(owner.id), owner.epoch)
      if (!run || base.seq > run.seq) return 'conflict'
      putBase.run(run.id, base.seq, base.body, base.bytes)
      keepLast.run(run.id)
      this.#deleteRecords(run.id, Math.max(0, dropTo))
      return 'compacted'
    })
  }

  async info(runId: string): Promise<RunInfo | undefined> {
    return this.#guard(`looking at ${naming([runId])}`, () => {
      const row = this.#find(runId)
      return row && toRunInfo(row)
    })
  }

  async list(filter: RunFilter = {}): Promise<RunPage> {
    const size = pageSizeOf(filter)
    const { sql, values } = toListing(filter)
    return this.#guard('listing runs', () => {
      const rows = rowsOf<RunRow>(this.#handle.prepare(sql), ...values, size + 1)
      const page = rows.slice(0, size)
      return { runs: page.map(toRunInfo), cursor: rows.length > size ? String(page.at(-1)?.id) : undefined }
    })
  }

  async delete(runId: string): Promise<boolean> {
    return this.#write(`deleting ${naming([runId])}`, () => {
      const { deleteRun, deleteBase, deleteLetters } = this.#statements
      const row = rowOf<{ id: number }>(deleteRun, toDatabaseText(runId))
      if (!row) return false
      this.#deleteRecords(row.id, maxSeq)
      deleteBase.run(row.id)
      deleteLetters.run(row.id)
      return true
    })
  }

  async claim(claim: Claim): Promise<RunInfo[]> {
    // Looking needs no lock, and mostly there is nothing to be had.
    if (this.#guard('claiming runs', () => this.#findFree(claim)).length === 0) return []
    return this.#write('claiming runs', () => {
      const leaseUntil = Date.now() + claim.leaseMs
      const { claimRun, runOfId } = this.#statements
      return this.#findFree(claim).map(({ id }) => {
        claimRun.run(toDatabaseText(claim.owner), leaseUntil, id)
        return toRunInfo(rowOf<RunRow>(runOfId, id) as RunRow)
      })
    })
  }

  async renew(owner: string, runIds: readonly string[], leaseMs: number): Promise<string[]> {
    if (runIds.length === 0) return []
    return this.#write('renewing leases', () => {
      const leaseUntil = Date.now() + leaseMs
      const ownerId = toDatabaseText(owner)
      return runIds.filter((runId) => !rowOf(this.#statements.renewRun, leaseUntil, toDatabaseText(runId), ownerId))
    })
  }

  async release(owner: string, runIds: readonly string[]): Promise<void> {
    if (runIds.length === 0) return
    this.#write('giving runs up', () => {
      for (const runId of runIds) this.#statements.releaseRun.run(toDatabaseText(runId), toDatabaseText(owner))
    })
  }

  async post(runId: string, letter: Letter): Promise<boolean> {
    const isPosted = this.#write(`posting a letter to ${naming([runId])}`, () => {
      const row = this.#find(runId)
      if (!row) return false
      this.#statements.postLetter.run(row.id, toDatabaseText(letter.id), letter.at, letter.body, letter.bytes)
      return true
    })
    if (isPosted) this.#watch.look()
    return isPosted
  }

  async inbox(runId: string): Promise<Letter[]> {
    return this.#read(`reading the inbox of ${naming([runId])}`, () => {
      const row = this.#find(runId)
      return row ? rowsOf<Letter>(this.#statements.letters, row.id).map(toLetter) : []
    })
  }

  watch(listener: (runId: string) => void): { unsubscribe(): void } {
    return this.#guard('looking for letters', () => this.#watch.add(listener))
  }

  readonly [Symbol.asyncDispose] = (): Promise<void> => this.close()

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#watch.stop()
    this.#onClose()
  }

  #nextCreates(): Creates {
    const runs: Creates['runs'] = []
    const settled = Promise.resolve().then(() => {
      this.#creating = undefined
      const doing = `creating ${naming(runs.map(({ run }) => run.runId))}`
      const create = () => runs.map(({ run, owner }) => this.#create(run, owner, runs.length > fewRuns))
      try {
        return this.#write(doing, create).map((creation) => () => creation)
      } catch (error) {
        const isAway = error instanceof StoreError && !error.permanent
        if (isAway || runs.length === 1) throw error
        // One that cannot be created is no matter of the others.
        return runs.map(
          ({ run, owner }) =>
            () =>
              this.#write(`creating ${naming([run.runId])}`, () => this.#create(run, owner, false)),
        )
      }
    })
    return { runs, settled }
  }

  #create(run: NewRun, owner: Owner, isShared: boolean): Creation {
    const existing = this.#findExisting(run)
    if (existing) return { created: false, info: toRunInfo(existing) }
    const now = Date.now()
    const last = run.records.at(-1)
    const row = rowOf<RunRow>(
      this.#statements.insertRun,
      toDatabaseText(run.runId),
      toDatabaseText(run.workflow),
      run.version === null ? null : toDatabaseText(run.version),
      run.idempotencyKey === null ? null : toDatabaseText(run.idempotencyKey),
      toDatabaseText(run.status),
      last?.seq ?? 0,
      run.records[0]?.at ?? now,
      last?.at ?? now,
      toDatabaseText(owner.id),
      owner.epoch,
      now + owner.leaseMs,
    ) as RunRow
    this.#insert(row.id, run.records, isShared)
    return { created: true, info: toRunInfo(row) }
  }

  /**
   * What most steps are: one record that follows on the last, and nothing else. One statement sees to that and writes
   * it; false where it is not so, and nothing is written.
   */
  #appendNext({ runId, owner, expectedSeq, records, status, taken }: Append, isShared: boolean): boolean {
    const [record] = records
    if (record === undefined || records.length > 1 || taken.length > 0) return false
    const { seq, at, kind, body, bytes } = record
    const { insertNext, insertNextShared } = this.#statements
    const { changes } = (isShared ? insertNextShared : insertNext).run(
      seq,
      toDatabaseText(runId),
      toDatabaseText(owner.id),
      owner.epoch,
      toDatabaseText(status),
      expectedSeq,
      expectedSeq,
      seq,
      at,
      toDatabaseText(kind),
      body,
      bytes,
    ) as { readonly changes: number | bigint }
    return Number(changes) === 1
  }

  #append(append: Append, isShared: boolean): 'appended' | 'conflict' {
    if (this.#appendNext(append, isShared)) return 'appended'
    const { runId, owner, expectedSeq, records, taken } = append
    const { ownedRun, setStatus, takeLetter } = this.#statements
    const run = rowOf<OwnedRow>(ownedRun, toDatabaseText(runId), toDatabaseText(owner.id), owner.epoch)
    if (!run) return 'conflict'
    if (run.seq !== expectedSeq) return this.#hasAppended(run, append) ? 'appended' : 'conflict'
    const status = toDatabaseText(append.status)
    if (status !== run.status) setStatus.run(status, run.id)
    this.#insert(run.id, records, isShared)
    for (const id of taken) takeLetter.run(run.id, toDatabaseText(id))
    return 'appended'
  }

  /** Whether this very append was made before. */
  #hasAppended({ id }: OwnedRow, append: Append): boolean {
    if (append.records.length === 0) return false
    return hasSameRecords(this.#select(id, append.expectedSeq + 1, computeLastSeq(append)), append)
  }

  #insert(id: number, records: readonly StoredRecord[], isShared: boolean): void {
    const { insertRecord, insertShared } = this.#statements
    const insert = isShared ? insertShared : insertRecord
    for (const { seq, at, kind, body, bytes } of records) insert.run(id, seq, at, toDatabaseText(kind), body, bytes)
  }

  #deleteRecords(id: number, to: number): void {
    const { deleteRecords, deleteShared } = this.#statements
    deleteRecords.run(id, id, to)
    deleteShared.run(id, id, to)
  }

  #find(runId: string): RunRow | undefined {
    return rowOf<RunRow>(this.#statements.run, toDatabaseText(runId))
  }

  #findExisting({ runId, workflow, idempotencyKey }: NewRun): RunRow | undefined {
    const run = this.#find(runId)
    if (run || idempotencyKey === null) return run
    return rowOf<RunRow>(this.#statements.runOfKey, toDatabaseText(workflow), toDatabaseText(idempotencyKey))
  }

  #findFree({ workflows, runIds, limit }: Claim): { id: number }[] {
    const { freeRuns, freeNamedRuns } = this.#statements
    const named = toJson(workflows)
    return runIds === undefined
      ? rowsOf(freeRuns, Date.now(), named, limit)
      : rowsOf(freeNamedRuns, Date.now(), named, toJson(runIds), limit)
  }

  #select(id: number, from: number, to = maxSeq, limit = -1): StoredRecord[] {
    if (from > maxSeq) return []
    const span = [id, from, id, to]
    return rowsOf<StoredRecord>(this.#statements.records, ...span, ...span, limit).map(toRecord)
  }

  /** One transaction, all of it or nothing; `doing` says in an error what it is. */
  #write<Result>(doing: Doing, work: () => Result): Result {
    return this.#transact(this.#statements.begin, doing, work)
  }

  /** Several queries on the same state of the database. */
  #read<Result>(doing: Doing, work: () => Result): Result {
    return this.#transact(this.#statements.beginReading, doing, work)
  }

  #transact<Result>(begin: Statements['begin'], doing: Doing, work: () => Result): Result {
    return this.#guard(doing, () => {
      begin.run()
      try {
        const result = work()
        this.#statements.commit.run()
        return result
      } catch (error) {
        rollBack(this.#handle)
        throw error
      }
    })
  }

  #guard<Result>(doing: Doing, work: () => Result): Result {
    if (this.#isClosed) throw closedError()
    try {
      return work()
    } catch (error) {
      throw toStoreError(error, { file: this.#file, doing: typeof doing === 'string' ? doing : doing() })
    }
  }
}

/** A few runs in words. */
function naming(runIds: readonly string[]): string {
  const some = runIds.slice(0, 3).map((runId) => JSON.stringify(runId))
  return `${runIds.length === 1 ? 'run' : 'runs'} ${some.join(', ')}${runIds.length > 3 ? ' and others' : ''}`
}

function toListing(filter: RunFilter): { sql: string; values: SqliteValue[] } {
  const statuses = statusesOf(filter)
  const conditions: [condition: string, value: SqliteValue | undefined][] = [
    ['id < ?', positionOf(filter)],
    ['workflow = ?', filter.workflow === undefined ? undefined : toDatabaseText(filter.workflow)],
    ['status IN (SELECT value FROM json_each(?))', statuses && toJson(statuses)],
    ['created_at < ?', filter.createdBefore],
    ['updated_at < ?', filter.updatedBefore],
  ]
  const given = conditions.flatMap(([condition, value]) => (value === undefined ? [] : [{ condition, value }]))
  const where = given.length === 0 ? '' : `WHERE ${given.map(({ condition }) => condition).join(' AND ')}`
  return {
    sql: `SELECT * FROM blazen_run_infos ${where} ORDER BY id DESC LIMIT ?`,
    values: given.map(({ value }) => value),
  }
}

function toJson(texts: readonly string[]): string {
  return JSON.stringify(texts.map(toDatabaseText))
}
