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
  fromDatabaseText,
  hasSameRecords,
  pageSizeOf,
  positionOf,
  statusesOf,
  toDatabaseText,
} from '../store-rules.ts'
import { LetterWatch } from './letter-watch.ts'
import type { PostgresPool, PostgresQuery } from './pool.ts'
import { toStoreError } from './postgres-error.ts'
import { toColumns, valuesOf } from './record-columns.ts'
import {
  type LetterRow,
  type LoadedRow,
  type RecordRow,
  type RunRow,
  toBase,
  toLetter,
  toRecord,
  toRunInfo,
} from './rows.ts'
import { migrate, quoteName } from './schema.ts'
import { type Statements, statementsOf } from './statements.ts'

/** A store in a schema of a PostgreSQL database. Each call but `delete` is one statement, which is one transaction. */
export class PostgresStore implements Store, AsyncDisposable {
  readonly #open: () => Promise<PostgresPool>
  readonly #isOurs: boolean
  readonly #schema: string
  readonly #statements: Statements
  /** Prepared statements are of a connection, which several stores may share. */
  readonly #namePrefix: string | undefined
  readonly #channel: string
  readonly #watch: LetterWatch
  #opening: Promise<PostgresPool> | undefined
  #isClosed = false

  constructor(open: () => Promise<PostgresPool>, isOurs: boolean, schema: string) {
    this.#open = open
    this.#isOurs = isOurs
    this.#schema = schema
    this.#statements = statementsOf(quoteName(schema))
    this.#namePrefix = /^\w{1,40}$/.test(schema) ? `blazen:${schema}:` : undefined
    // Names of channels are short; one that is shared does no harm.
    this.#channel = `blazen:${schema.replace(/\W/g, '_')}`.slice(0, 60)
    this.#watch = new LetterWatch({
      connect: async () => (await this.#pool()).connect(),
      channel: quoteName(this.#channel),
      waiting: this.#statements.waiting,
    })
  }

  async create(run: NewRun, owner: Owner): Promise<{ created: boolean; info: RunInfo }> {
    checkNumbers(run.runId, 0, run.records)
    const last = run.records.at(-1)
    const now = Date.now()
    const runId = toDatabaseText(run.runId)
    const workflow = toDatabaseText(run.workflow)
    const key = toNullableText(run.idempotencyKey)
    const named = [runId, workflow, toNullableText(run.version), key, toDatabaseText(run.status)]
    const times = [last?.seq ?? 0, run.records[0]?.at ?? now, last?.at ?? now]
    const owned = [toDatabaseText(owner.id), owner.epoch, owner.leaseMs]
    const values = [...named, ...times, ...owned, ...valuesOf(toColumns([run.records]))]
    // One that is in the way may be deleted before it is looked at.
    for (;;) {
      const [created] = await this.#query<RunRow>('create', values)
      if (created) return { created: true, info: toRunInfo(created) }
      const [existing] = await this.#query<RunRow>('existing', [runId, workflow, key])
      if (existing) return { created: false, info: toRunInfo(existing) }
    }
  }

  async append(appends: readonly Append[]): Promise<('appended' | 'conflict')[]> {
    checkAppends(appends)
    if (appends.length === 0) return []
    // In one order in all processes, so that no two statements wait for each other.
    const sorted = appends.toSorted((one, other) => (one.runId < other.runId ? -1 : 1))
    const taken = sorted.flatMap((append, run) => append.taken.map((id) => ({ run, id: toDatabaseText(id) })))
    const rows = await this.#query<{ index: string }>('append', [
      sorted.map(({ runId }) => toDatabaseText(runId)),
      sorted.map(({ owner }) => toDatabaseText(owner.id)),
      sorted.map(({ owner }) => owner.epoch),
      sorted.map(({ expectedSeq }) => expectedSeq),
      sorted.map(computeLastSeq),
      sorted.map(({ records }) => records.at(-1)?.at ?? null),
      sorted.map(({ status }) => toDatabaseText(status)),
      taken.map(({ run }) => run),
      taken.map(({ id }) => id),
      ...valuesOf(toColumns(sorted.map(({ records }) => records))),
    ])
    const done = new Set(rows.map(({ index }) => sorted[Number(index)]))
    return Promise.all(
      appends.map(async (append) => (done.has(append) || (await this.#hasAppended(append)) ? 'appended' : 'conflict')),
    )
  }

  async load(runId: string): Promise<StoredRun | undefined> {
    const rows = await this.#query<LoadedRow>('load', [toDatabaseText(runId)])
    const [first] = rows
    if (!first) return undefined
    const records = rows.flatMap((row) => (row.record_seq === null ? [] : [toRecord({ ...row, seq: row.record_seq })]))
    return { info: toRunInfo(first), base: toBase(first), records }
  }

  async records(runId: string, { from = 1, limit }: { from?: number; limit?: number } = {}): Promise<StoredRecord[]> {
    return (await this.#query<RecordRow>('records', [toDatabaseText(runId), from, limit ?? null])).map(toRecord)
  }

  async compact(runId: string, owner: Owner, base: Base, dropTo: number): Promise<'compacted' | 'conflict'> {
    checkDropTo(runId, base.seq, dropTo)
    const owned = [toDatabaseText(runId), toDatabaseText(owner.id), owner.epoch]
    const rows = await this.#query('compact', [...owned, base.seq, base.body, toBuffer(base.bytes), dropTo])
    return rows.length > 0 ? 'compacted' : 'conflict'
  }

  async info(runId: string): Promise<RunInfo | undefined> {
    const [row] = await this.#query<RunRow>('info', [toDatabaseText(runId)])
    return row && toRunInfo(row)
  }

  async list(filter: RunFilter = {}): Promise<RunPage> {
    const size = pageSizeOf(filter)
    const rows = await this.#ask<RunRow>(toListing(quoteName(this.#schema), filter, size + 1))
    const page = rows.slice(0, size)
    return { runs: page.map(toRunInfo), cursor: rows.length > size ? String(page.at(-1)?.id) : undefined }
  }

  async delete(runId: string): Promise<boolean> {
    return this.#guard(async (pool) => {
      const client = await pool.connect()
      let isDone = false
      try {
        await client.query({ text: 'BEGIN' })
        const { rows } = await client.query({ text: this.#statements.deleteRun, values: [toDatabaseText(runId)] })
        // A statement of its own, which sees what was appended until the run was locked.
        for (const row of rows) await client.query({ text: this.#statements.deleteRest, values: [(row as RunRow).id] })
        await client.query({ text: 'COMMIT' })
        isDone = true
        return rows.length > 0
      } finally {
        client.release(!isDone)
      }
    })
  }

  async claim({ owner, leaseMs, limit, workflows, runIds }: Claim): Promise<RunInfo[]> {
    const values = [toDatabaseText(owner), leaseMs, workflows.map(toDatabaseText), limit]
    const rows = await (runIds === undefined
      ? this.#query<RunRow>('claim', values)
      : this.#query<RunRow>('claimNamed', [...values, runIds.map(toDatabaseText)]))
    return rows.sort((one, other) => Number(one.id) - Number(other.id)).map(toRunInfo)
  }

  async renew(owner: string, runIds: readonly string[], leaseMs: number): Promise<string[]> {
    if (runIds.length === 0) return []
    const rows = await this.#query<{ run_id: string }>('renew', [toDatabaseText(owner), toSorted(runIds), leaseMs])
    const renewed = new Set(rows.map(({ run_id }) => fromDatabaseText(run_id)))
    return runIds.filter((runId) => !renewed.has(runId))
  }

  async release(owner: string, runIds: readonly string[]): Promise<void> {
    if (runIds.length > 0) await this.#query('release', [toDatabaseText(owner), toSorted(runIds)])
  }

  async post(runId: string, { id, at, body, bytes }: Letter): Promise<boolean> {
    const letter = [toDatabaseText(id), at, body, toBuffer(bytes)]
    const [row] = await this.#query<{ runs: string }>('post', [toDatabaseText(runId), ...letter, this.#channel])
    return Number(row?.runs) > 0
  }

  async inbox(runId: string): Promise<Letter[]> {
    return (await this.#query<LetterRow>('inbox', [toDatabaseText(runId)])).map(toLetter)
  }

  watch(listener: (runId: string) => void): { unsubscribe(): void } {
    if (this.#isClosed) throw closedError()
    return this.#watch.add(listener)
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#watch.stop()
    const pool = await this.#opening?.catch(() => undefined)
    if (this.#isOurs) await pool?.end()
    else pool?.removeListener('error', ignore)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** Whether this very append was made before: the answer to it was lost. */
  async #hasAppended(append: Append): Promise<boolean> {
    const { runId, owner, expectedSeq, records } = append
    const info = await this.info(runId)
    if (records.length === 0 || info?.owner !== owner.id || info.epoch !== owner.epoch) return false
    return hasSameRecords(await this.records(runId, { from: expectedSeq + 1, limit: records.length }), append)
  }

  #query<Row>(name: keyof Statements, values: unknown[]): Promise<Row[]> {
    const text = this.#statements[name]
    return this.#ask<Row>(this.#namePrefix ? { text, values, name: this.#namePrefix + name } : { text, values })
  }

  #ask<Row>(query: PostgresQuery): Promise<Row[]> {
    return this.#guard(async (pool) => (await pool.query(query)).rows as Row[])
  }

  async #guard<Result>(work: (pool: PostgresPool) => Promise<Result>): Promise<Result> {
    if (this.#isClosed) throw closedError()
    try {
      return await work(await this.#pool())
    } catch (error) {
      throw toStoreError(error)
    }
  }

  /** The pool, its tables made. Tried again at the next call if it fails. */
  #pool(): Promise<PostgresPool> {
    this.#opening ??= this.#prepare().catch((error: unknown) => {
      this.#opening = undefined
      throw error
    })
    return this.#opening
  }

  async #prepare(): Promise<PostgresPool> {
    const pool = await this.#open()
    // An idle connection that breaks would else end the process.
    pool.on('error', ignore)
    try {
      await migrate(pool, this.#schema)
      return pool
    } catch (error) {
      pool.removeListener('error', ignore)
      if (this.#isOurs) await pool.end()
      throw error
    }
  }
}

function ignore(): void {}

function toListing(schema: string, filter: RunFilter, limit: number): PostgresQuery {
  const conditions: [condition: (value: string) => string, value: unknown][] = [
    [(value) => `id < ${value}`, positionOf(filter)],
    [(value) => `workflow = ${value}`, filter.workflow === undefined ? undefined : toDatabaseText(filter.workflow)],
    [(value) => `status = ANY (${value}::text[])`, statusesOf(filter)?.map(toDatabaseText)],
    [(value) => `created_at < ${value}`, filter.createdBefore],
    [(value) => `updated_at < ${value}`, filter.updatedBefore],
  ]
  const given = conditions.filter(([, value]) => value !== undefined)
  const where = given.map(([condition], index) => condition(`$${index + 1}`)).join(' AND ')
  return {
    text: `SELECT * FROM ${schema}.runs ${where && `WHERE ${where}`} ORDER BY id DESC LIMIT ${limit}`,
    values: given.map(([, value]) => value),
  }
}

function toNullableText(text: string | null): string | null {
  return text === null ? null : toDatabaseText(text)
}

function toSorted(runIds: readonly string[]): string[] {
  return runIds.map(toDatabaseText).sort()
}

/** `pg` sends a `Buffer` as it is, and anything else as text. */
function toBuffer(bytes: Uint8Array | null): Buffer | null {
  return bytes && Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
