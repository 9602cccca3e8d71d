import type { Append, Letter, NewRun, Owner, RunInfo, Store, StoredRecord } from '../store.ts'

/** One thing that a store must do. */
export interface StoreTest {
  readonly name: string
  /** Whether it takes a second store on the same database. */
  readonly isShared?: boolean
  readonly test: (bench: Bench) => Promise<void>
}

/** What a case works with; its ids and workflows are its own, so that a database may be used again and again. */
export class Bench {
  readonly workflow = `workflow-${random()}`
  readonly prefix = random()
  readonly owner: Owner = { id: `owner-${this.prefix}`, epoch: 1, leaseMs: 60_000 }

  constructor(
    readonly store: Store,
    /** Another store on the same database. */
    readonly other: Store,
    readonly wait: (ms: number) => Promise<void>,
  ) {}

  id(name: string): string {
    return `${name}-${this.prefix}`
  }

  newRun(name: string, rest: Partial<NewRun> = {}): NewRun {
    return {
      runId: this.id(name),
      workflow: this.workflow,
      version: null,
      idempotencyKey: null,
      status: 'running',
      records: [record(1)],
      ...rest,
    }
  }

  async create(name: string, rest: Partial<NewRun> = {}, owner: Partial<Owner> = {}): Promise<RunInfo> {
    const { info } = await this.store.create(this.newRun(name, rest), { ...this.owner, ...owner })
    return info
  }

  /** An append of records with the numbers, to a run of that name. */
  append(name: string, seqs: readonly number[], rest: Partial<Append> = {}): Append {
    return {
      runId: this.id(name),
      owner: this.owner,
      expectedSeq: (seqs[0] ?? 1) - 1,
      records: seqs.map((seq) => record(seq)),
      status: 'running',
      taken: [],
      ...rest,
    }
  }

  /** Claims of this case's workflow. */
  claim(owner: string, { store = this.store, leaseMs = 60_000, limit = 100, runIds = [] as string[] } = {}) {
    const named = runIds.length > 0 ? { runIds } : {}
    return store.claim({ owner, leaseMs, limit, workflows: [this.workflow], ...named })
  }
}

export function record(seq: number, rest: Partial<StoredRecord> = {}): StoredRecord {
  return { seq, at: 1_700_000_000_000 + seq, kind: 'settled', body: `{"n":${seq}}`, bytes: null, ...rest }
}

export function letter(id: string, rest: Partial<Letter> = {}): Letter {
  return { id, at: 1_700_000_000_000, body: `{"letter":${JSON.stringify(id)}}`, bytes: null, ...rest }
}

function random(): string {
  return Math.random().toString(36).slice(2, 12)
}
