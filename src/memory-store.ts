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
} from './store.ts'
import {
  checkAppends,
  checkDropTo,
  checkNumbers,
  closedError,
  computeLastSeq,
  endedStatuses,
  hasSameRecords,
  pageSizeOf,
  positionOf,
  statusesOf,
} from './store-rules.ts'

/** Options of `memoryStore`. */
export interface MemoryStoreOptions {
  /** The clock that leases are measured with, in milliseconds. @default Date.now */
  readonly now?: () => number
}

/** What is kept of a run. */
interface Entry {
  /** Grows with every run, so that a page can begin behind one that is gone. */
  readonly position: number
  info: RunInfo
  leaseUntil: number
  base: Base | undefined
  /** Those behind the last that was dropped. */
  records: StoredRecord[]
  readonly waiting: Map<string, Letter>
  readonly taken: Set<string>
}

/** Keeps runs in this process: for tests, and for runs that may go with it. */
export function memoryStore({ now = Date.now }: MemoryStoreOptions = {}): Store & AsyncDisposable {
  return new MemoryStore(now)
}

class MemoryStore implements Store, AsyncDisposable {
  readonly #now: () => number
  /** In the order in which they were created. */
  readonly #runs = new Map<string, Entry>()
  /** Ids by workflow and idempotency key. */
  readonly #keys = new Map<string, string>()
  readonly #listeners = new Set<(runId: string) => void>()
  #lastPosition = 0
  #isClosed = false

  constructor(now: () => number) {
    this.#now = now
  }

  async create(run: NewRun, owner: Owner): Promise<{ created: boolean; info: RunInfo }> {
    this.#requireOpen()
    checkNumbers(run.runId, 0, run.records)
    const key = run.idempotencyKey === null ? undefined : toKey(run.workflow, run.idempotencyKey)
    const sameKey = key === undefined ? undefined : this.#keys.get(key)
    const existing = this.#runs.get(run.runId) ?? (sameKey === undefined ? undefined : this.#runs.get(sameKey))
    if (existing) return { created: false, info: existing.info }
    const { records, ...named } = run
    const last = records.at(-1)
    const info = {
      ...named,
      seq: last?.seq ?? 0,
      createdAt: records[0]?.at ?? this.#now(),
      updatedAt: last?.at ?? this.#now(),
      owner: owner.id,
      epoch: owner.epoch,
    }
    this.#runs.set(run.runId, {
      position: ++this.#lastPosition,
      info,
      leaseUntil: this.#now() + owner.leaseMs,
      base: undefined,
      records: records.map(copy),
      waiting: new Map(),
      taken: new Set(),
    })
    if (key !== undefined) this.#keys.set(key, run.runId)
    return { created: true, info }
  }

  async append(appends: readonly Append[]): Promise<('appended' | 'conflict')[]> {
    this.#requireOpen()
    checkAppends(appends)
    return appends.map((append) => this.#append(append))
  }

  #append(append: Append): 'appended' | 'conflict' {
    const entry = this.#ownedBy(append.runId, append.owner)
    if (!entry) return 'conflict'
    if (entry.info.seq !== append.expectedSeq) {
      const { expectedSeq } = append
      const stored = entry.records.filter(({ seq }) => seq > expectedSeq && seq <= computeLastSeq(append))
      return stored.length > 0 && hasSameRecords(stored, append) ? 'appended' : 'conflict'
    }
    const last = append.records.at(-1)
    entry.records.push(...append.records.map(copy))
    entry.info = {
      ...entry.info,
      status: append.status,
      seq: last?.seq ?? entry.info.seq,
      updatedAt: last?.at ?? entry.info.updatedAt,
    }
    for (const id of append.taken) {
      entry.waiting.delete(id)
      entry.taken.add(id)
    }
    return 'appended'
  }

  async load(runId: string): Promise<StoredRun | undefined> {
    this.#requireOpen()
    const entry = this.#runs.get(runId)
    if (!entry) return undefined
    const { info, base } = entry
    const records = entry.records.filter(({ seq }) => seq > (base?.seq ?? 0)).map(copy)
    return { info, base: base && copy(base), records }
  }

  async records(runId: string, { from = 1, limit }: { from?: number; limit?: number } = {}): Promise<StoredRecord[]> {
    this.#requireOpen()
    const all = this.#runs.get(runId)?.records.filter(({ seq }) => seq >= from) ?? []
    return all.slice(0, limit).map(copy)
  }

  async compact(runId: string, owner: Owner, base: Base, dropTo: number): Promise<'compacted' | 'conflict'> {
    this.#requireOpen()
    checkDropTo(runId, base.seq, dropTo)
    const entry = this.#ownedBy(runId, owner)
    if (!entry || base.seq > entry.info.seq) return 'conflict'
    entry.base = copy(base)
    entry.records = entry.records.filter(({ seq }) => seq > dropTo)
    return 'compacted'
  }

  async info(runId: string): Promise<RunInfo | undefined> {
    this.#requireOpen()
    return this.#runs.get(runId)?.info
  }

  async list(filter: RunFilter = {}): Promise<RunPage> {
    this.#requireOpen()
    const size = pageSizeOf(filter)
    const before = positionOf(filter) ?? Number.POSITIVE_INFINITY
    const statuses = statusesOf(filter)
    const found = [...this.#runs.values()].reverse().filter(({ position, info }) => {
      return (
        position < before &&
        (filter.workflow === undefined || info.workflow === filter.workflow) &&
        (statuses === undefined || statuses.includes(info.status)) &&
        (filter.createdBefore === undefined || info.createdAt < filter.createdBefore) &&
        (filter.updatedBefore === undefined || info.updatedAt < filter.updatedBefore)
      )
    })
    const page = found.slice(0, size)
    return {
      runs: page.map(({ info }) => info),
      cursor: found.length > size ? String(page.at(-1)?.position) : undefined,
    }
  }

  async delete(runId: string): Promise<boolean> {
    this.#requireOpen()
    const info = this.#runs.get(runId)?.info
    if (info && info.idempotencyKey !== null) this.#keys.delete(toKey(info.workflow, info.idempotencyKey))
    return this.#runs.delete(runId)
  }

  async claim({ owner, leaseMs, limit, workflows, runIds }: Claim): Promise<RunInfo[]> {
    this.#requireOpen()
    const now = this.#now()
    const claimed: RunInfo[] = []
    for (const entry of this.#runs.values()) {
      const { info } = entry
      if (claimed.length >= limit) break
      if (entry.leaseUntil > now || endedStatuses.includes(info.status)) continue
      if (!workflows.includes(info.workflow) || !(runIds?.includes(info.runId) ?? info.status !== 'paused')) continue
      entry.info = { ...info, owner, epoch: info.epoch + 1 }
      entry.leaseUntil = now + leaseMs
      claimed.push(entry.info)
    }
    return claimed
  }

  async renew(owner: string, runIds: readonly string[], leaseMs: number): Promise<string[]> {
    this.#requireOpen()
    return runIds.filter((runId) => {
      const entry = this.#runs.get(runId)
      if (entry?.info.owner !== owner) return true
      entry.leaseUntil = this.#now() + leaseMs
      return false
    })
  }

  async release(owner: string, runIds: readonly string[]): Promise<void> {
    this.#requireOpen()
    for (const runId of runIds) {
      const entry = this.#runs.get(runId)
      if (entry?.info.owner !== owner) continue
      entry.info = { ...entry.info, owner: null }
      entry.leaseUntil = Number.NEGATIVE_INFINITY
    }
  }

  async post(runId: string, letter: Letter): Promise<boolean> {
    this.#requireOpen()
    const entry = this.#runs.get(runId)
    if (!entry) return false
    if (entry.waiting.has(letter.id) || entry.taken.has(letter.id)) return true
    entry.waiting.set(letter.id, copy(letter))
    for (const listener of this.#listeners) queueMicrotask(() => listener(runId))
    return true
  }

  async inbox(runId: string): Promise<Letter[]> {
    this.#requireOpen()
    return [...(this.#runs.get(runId)?.waiting.values() ?? [])].map(copy)
  }

  watch(listener: (runId: string) => void): { unsubscribe(): void } {
    this.#requireOpen()
    const own = (runId: string) => listener(runId)
    this.#listeners.add(own)
    return { unsubscribe: () => void this.#listeners.delete(own) }
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#listeners.clear()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #ownedBy(runId: string, owner: Owner): Entry | undefined {
    const entry = this.#runs.get(runId)
    return entry?.info.owner === owner.id && entry.info.epoch === owner.epoch ? entry : undefined
  }

  #requireOpen(): void {
    if (this.#isClosed) throw closedError()
  }
}

function toKey(workflow: string, idempotencyKey: string): string {
  return JSON.stringify([workflow, idempotencyKey])
}

/** A stored value is a value: bytes that change later change nothing here. */
function copy<Kept extends { readonly bytes: Uint8Array | null }>(kept: Kept): Kept {
  return kept.bytes === null ? kept : { ...kept, bytes: new Uint8Array(kept.bytes) }
}
