import type { AnyActorRef, AnyEventObject } from 'xstate'
import { fail, type Journal, type Run, type Settled, stopType } from '../machines/index.ts'
import { Blobs } from './codec.ts'
import { RunOwnershipLostError, StoreError } from './errors.ts'
import type { GroupCommit } from './group-commit.ts'
import { LiveRun } from './live-run.ts'
import { encodeFact, type RecordBody } from './record-codec.ts'
import { type Departing, Packer, toSnapshot } from './snapshot-write.ts'
import type { Owner, StoredRecord } from './store.ts'

/** What a journal needs of its host. */
export interface JournalPlace {
  readonly commit: GroupCommit
  readonly owner: Owner
  /** How to write down values of this run's workflow. */
  readonly departing: (blobs: Blobs) => Omit<Departing, 'session' | 'lostSession' | 'lostState' | 'onDrop'>
  /** Writes a new base. */
  readonly compact: (base: { seq: number; body: string; bytes: Uint8Array | null }) => void
  /** The run has ended here, or was lost; `isLost` says which. */
  readonly onEnd: (isLost: boolean) => void
  /** Something of the run may be in the inbox for it. */
  readonly onWaiting: () => void
}

/** The least that has to lie behind a base before a new one is written, in characters and bytes. */
const leastBehindBase = 64 * 1024

/** Writes a run's facts to the store, and sends them on when they are durable. */
export class RunJournal implements Journal {
  folding: AnyEventObject | undefined
  readonly #place: JournalPlace
  readonly #waiting = new Map<AnyEventObject, { resolve(): void; reject(error: unknown): void }>()
  readonly #letters = new WeakMap<AnyEventObject, string>()
  #actor: AnyActorRef | undefined
  #seq: number
  #status: string
  #lost: unknown
  #behindBase = 0
  #baseSize = 0

  constructor(place: JournalPlace, seq: number, status: string) {
    this.#place = place
    this.#seq = seq
    this.#status = status
  }

  /** The run's actor, which has not started. `behindBase` is what was read behind the base, `baseSize` the base. */
  attach(actor: AnyActorRef, behindBase = 0, baseSize = 0): void {
    this.#actor = actor
    this.#behindBase = behindBase
    this.#baseSize = baseSize
  }

  get status(): string {
    return this.#status
  }

  submit(fact: AnyEventObject): void {
    if (this.#lost !== undefined) return
    const letter = this.#letters.get(fact)
    this.#write(this.#encode(fact), this.#statusAfter(fact), letter === undefined ? [] : [letter], fact)
  }

  durable(fact: AnyEventObject): Promise<void> {
    if (this.#lost !== undefined) return Promise.reject(this.#lost)
    return new Promise((resolve, reject) => this.#waiting.set(fact, { resolve, reject }))
  }

  /** Sends a fact that came as a letter; the letter goes with its record. */
  sendLetter(fact: AnyEventObject, letter: string): Promise<void> {
    this.#letters.set(fact, letter)
    const durable = this.durable(fact)
    this.#actor?.send(fact)
    return durable
  }

  #write(record: RecordBody, status: string, taken: readonly string[], fact?: AnyEventObject): void {
    const actor = this.#actor
    if (actor === undefined) return
    const blobs = this.#blobs
    this.#blobs = undefined
    const expectedSeq = this.#seq
    const stored: StoredRecord = {
      seq: ++this.#seq,
      at: this.#run.local instanceof LiveRun ? this.#run.local.now() : Date.now(),
      kind: record.kind,
      body: JSON.stringify(record.body),
      bytes: blobs?.toBytes() ?? null,
    }
    this.#behindBase += stored.body.length + (stored.bytes?.length ?? 0)
    this.#place.commit.add({
      runId: this.#run.id,
      owner: this.#place.owner,
      expectedSeq,
      records: [stored],
      status,
      taken,
      onWritten: () => {
        if (fact !== undefined) this.#fold(actor, fact, stored.seq)
      },
      onLost: (error) => this.#lose(actor, error),
    })
  }

  #fold(actor: AnyActorRef, fact: AnyEventObject, seq: number): void {
    this.folding = fact
    actor.send(fact)
    this.folding = undefined
    this.#waiting.get(fact)?.resolve()
    this.#waiting.delete(fact)
    const { value } = actor.getSnapshot()
    const before = this.#status
    this.#status = value
    if (value !== before) this.#note(value)
    if (this.#seq === seq && this.#behindBase > Math.max(leastBehindBase, this.#baseSize)) this.#writeBase(actor, seq)
  }

  /** Tells of what followed from the facts. */
  #note(status: string): void {
    const pack = this.#pack()
    switch (status) {
      case 'waiting':
        this.#write({ kind: 'waiting', body: { requests: [...this.#run.requests.keys()] } }, status, [])
        this.#place.onWaiting()
        return
      case 'paused':
        this.#write({ kind: 'paused', body: {} }, status, [])
        return
      case 'completed':
        this.#write({ kind: 'completed', body: { result: pack.result(this.#run.result) } }, status, [])
        this.#end()
        return
      case 'failed':
      case 'aborted': {
        const { failure } = this.#run
        // A failure that was no fact followed from what was written before: nothing was left to do.
        if (failure?.kind === 'stalled') this.#write({ kind: 'failed', body: { failure: pack.failure(failure) } }, status, [])
        this.#end()
      }
    }
  }

  #end(): void {
    void this.#place.commit.flush().then(() => this.#place.onEnd(false))
  }

  #lose(actor: AnyActorRef, error: unknown): void {
    if (this.#lost !== undefined) return
    const isConflict = error instanceof StoreError && error.code === 'conflict'
    this.#lost = isConflict ? new RunOwnershipLostError(this.#run.id) : error
    for (const { reject } of this.#waiting.values()) reject(this.#lost)
    this.#waiting.clear()
    if (actor.getSnapshot().status === 'active') {
      this.folding = fail({ kind: 'error', error: this.#lost })
      actor.send(this.folding)
      this.folding = undefined
    }
    this.#place.onEnd(true)
  }

  #writeBase(actor: AnyActorRef, seq: number): void {
    if (actor.getSnapshot().status !== 'active') return
    const blobs = new Blobs()
    const snapshot = actor.getSnapshot()
    const body = JSON.stringify(
      toSnapshot({ status: 'active', value: snapshot.value, data: this.#data() }, { ...this.#departing(blobs) }),
    )
    const bytes = blobs.toBytes()
    this.#baseSize = body.length + (bytes?.length ?? 0)
    this.#behindBase = 0
    this.#place.compact({ seq, body, bytes })
  }

  #blobs: Blobs | undefined

  #encode(fact: AnyEventObject): RecordBody {
    try {
      return encodeFact(fact, this.#pack())
    } catch (error) {
      return encodeFact(fail({ kind: 'error', error }), this.#pack())
    }
  }

  get #run(): Run {
    return this.#actor?.getSnapshot().context.run
  }
}
