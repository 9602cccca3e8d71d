import type { AnyActorRef, AnyEventObject } from 'xstate'
import {
  clockOf,
  fail,
  type Journal,
  now,
  type Run,
  type Settled,
  stopType,
  toData,
  wakeSteps,
} from '../machines/index.ts'
import { sizeOf, toBase } from './base.ts'
import { Blobs } from './codec.ts'
import { InputRequestError, RunFinishedError, RunOwnershipLostError, StoreError } from './errors.ts'
import type { Writing } from './group-commit.ts'
import { unwrap, wrap } from './inner-fact.ts'
import type { Lease } from './lease.ts'
import { answeredIn, findRequest, requestIds } from './open-request.ts'
import { computeStatus, encodeFact, isFromOutside, type RecordBody } from './record-codec.ts'
import { type Departing, Packer } from './snapshot-write.ts'
import type { Base, Owner, RunInfo, StoredRecord } from './store.ts'
import { endedStatuses } from './store-rules.ts'

/** What a journal needs of where its run lives. */
export interface JournalPlace {
  readonly owner: Owner
  readonly commit: { add(writing: Writing): void }
  /** `undefined` where nobody else can have the run. */
  readonly lease: Lease | undefined
  /** How to write down values of this run, and where to put the bytes. */
  readonly departing: (run: Run, blobs: Blobs) => Departing
  /** Keeps a new base; `undefined` where none is wanted. */
  readonly keepBase: ((base: Base) => void) | undefined
  readonly records: () => Promise<readonly StoredRecord[]>
  /** The run asks somebody. */
  readonly onAsked: () => void
  /** The run has ended, and all of it is written. */
  readonly onEnd: () => void
  /** The run is not this process's any more, or cannot be written. */
  readonly onLost: (error: unknown) => void
}

/**
 * A new base is written when what lies behind the last one, in characters and bytes, is more than this, and than twice
 * that base: so bases are at most a third of what is written, and reading a run is at most three times reading its base.
 */
const leastBehindBase = 64 * 1024

type RecordText = RecordBody & { readonly bytes: Uint8Array | null }

const completed = { kind: 'completed', body: {}, bytes: null } as const

const noRequests: ReadonlySet<string> = new Set()

const done: ReadonlySet<string> = new Set(endedStatuses)

/** Writes a run's facts to where records are kept, and sends them to the run again when they are there. */
export class RunJournal implements Journal {
  folding: AnyEventObject | undefined
  readonly #place: JournalPlace
  readonly #waiting = new Map<AnyEventObject, { resolve(): void; reject(error: unknown): void }>()
  readonly #letters = new WeakMap<AnyEventObject, string>()
  /** The requests whose answers are on their way. */
  readonly #answering = new Set<string>()
  #actor: AnyActorRef | undefined
  /** The number of the last record that was handed in. */
  #seq = 0
  /** The status that was handed in last. */
  #status = 'running'
  /** Where the run was when it was last told of. */
  #told = 'running'
  #inFlight = 0
  #unwritten = 0
  /** A fact that ends the run is on its way, or the run has ended. */
  #ending = false
  #lost: { readonly error: unknown } | undefined
  #behindBase = 0
  #baseSize = 0

  constructor(place: JournalPlace) {
    this.#place = place
  }

  /**
   * Belongs to the run of `actor` from now on.
   *
   * @param seq the number of the last record that is written.
   * @param status the run's status in the store.
   */
  attach(actor: AnyActorRef, seq: number, status: string, sizes: { behindBase: number; base: number }): void {
    this.#actor = actor
    this.#seq = seq
    this.#status = status
    this.#told = status
    this.#behindBase = sizes.behindBase
    this.#baseSize = sizes.base
  }

  /** Whether all that was handed in is where it is kept. */
  get isWritten(): boolean {
    return this.#unwritten === 0
  }

  /** Whether the run goes on elsewhere, or not at all. */
  get isLost(): boolean {
    return this.#lost !== undefined
  }

  get isBusy(): boolean {
    return this.#inFlight > 0
  }

  get isSure(): boolean {
    return this.#place.lease?.isSure ?? true
  }

  /** The run is its owner's for certain again. */
  wake(): void {
    if (this.#actor?.getSnapshot().status === 'active') wakeSteps(this.#actor)
  }

  /** The run as its store has it, or will have it when all is written that was handed in. */
  toInfo(workflow: string, { id: owner, epoch }: Owner): RunInfo {
    const { id: runId } = this.#run
    const unknown = { version: null, idempotencyKey: null, createdAt: 0, updatedAt: 0 }
    return { ...unknown, runId, workflow, status: this.#status, seq: this.#seq, owner, epoch }
  }

  records(): Promise<readonly StoredRecord[]> {
    return this.#place.records()
  }

  durable(sent: AnyEventObject): Promise<void> {
    if (this.#lost !== undefined) return Promise.reject(this.#lost.error)
    const { status, context } = this.#actor?.getSnapshot() ?? {}
    // An actor that has ended takes no event, and would say nothing of this one.
    if (status !== 'active') return Promise.reject(new RunFinishedError(context?.run.id ?? '', this.#status))
    return new Promise((resolve, reject) => this.#waiting.set(sent, { resolve, reject }))
  }

  /** Sends a fact that came as a letter; the letter goes with its record. */
  async sendLetter(fact: AnyEventObject, letter: string): Promise<void> {
    this.#letters.set(fact, letter)
    const durable = this.durable(fact)
    this.#actor?.send(fact)
    await durable
  }

  /** Takes a letter out of the inbox that has nothing to say. */
  dropLetter(letter: string): void {
    this.#write([], this.#status, [letter], () => {})
  }

  submit(fact: AnyEventObject, sent: AnyEventObject): void {
    if (this.#lost !== undefined) {
      this.#reject(sent, this.#lost.error)
      return
    }
    const letter = this.#letters.get(sent)
    const taken = letter === undefined ? [] : [letter]
    const refusal = this.#refusalOf(fact)
    if (refusal !== undefined) {
      this.#reject(sent, refusal)
      if (taken.length > 0) this.#write([], this.#status, taken, () => {})
      return
    }
    const blobs = new Blobs()
    let kept = fact
    let record: RecordBody
    try {
      record = this.#encode(fact, blobs)
    } catch (error) {
      const isAwaited = this.#waiting.has(sent)
      this.#reject(sent, error)
      // What somebody outside can mend is no failure of the run.
      if (isAwaited && isFromOutside(unwrap(this.#run, fact).fact)) {
        if (taken.length > 0) this.#write([], this.#status, taken, () => {})
        return
      }
      kept = wrap(unwrap(this.#run, fact).way, fail({ kind: 'error', error }))
      record = this.#encode(kept, blobs)
    }
    if (kept.type === 'blazen.failed') this.#ending = true
    const answered = answeredIn(this.#run, kept)
    if (answered !== undefined) this.#answering.add(answered)
    const isLast = this.#completes(kept)
    this.#inFlight++
    const { kind, body } = record
    const records: RecordText[] = [{ kind, body, bytes: blobs.toBytes() }]
    if (isLast) {
      records.push(completed)
      this.#ending = true
      this.#told = completed.kind
    }
    const status = isLast ? completed.kind : computeStatus(this.#status, kept)
    this.#write(records, status, taken, (seq) => this.#fold(kept, sent, seq))
  }

  /**
   * Whether nothing can come between the fact and the end of the run, where it completes: then the note of that is of the
   * same commit, and what is handed in later comes too late.
   */
  #completes(fact: AnyEventObject): boolean {
    if (fact.type !== 'blazen.settled' || this.isBusy || this.#actor?.getSnapshot().value !== 'running') return false
    const { execution, events } = fact as unknown as Settled
    return events.length === 1 && events[0]?.type === stopType && this.#run.open.has(execution)
  }

  /** Tells of what the run was already when it came here: recovered from its records, it may have ended long ago. */
  catchUp(): void {
    this.#tell(undefined)
  }

  /** The run goes on elsewhere, or not at all: what is here of it ends, and is not written. */
  lose(error: unknown): void {
    if (this.#lost !== undefined) return
    this.#lost = { error }
    for (const { reject } of this.#waiting.values()) reject(error)
    this.#waiting.clear()
    // It may be at something at this moment, and take the event when it is done with that.
    this.folding = fail({ kind: 'error', error })
    if (this.#actor?.getSnapshot().status === 'active') this.#actor.send(this.folding)
    this.#place.onLost(error)
  }

  #refusalOf(fact: AnyEventObject): unknown {
    const { id } = this.#run
    if (this.#ending) return new RunFinishedError(id, this.#status)
    const requestId = answeredIn(this.#run, fact)
    if (requestId === undefined) return undefined
    if (findRequest(this.#run, requestId) !== undefined && !this.#answering.has(requestId)) return undefined
    return new InputRequestError(`The request "${requestId}" of run ${id} is answered already.`, requestId)
  }

  #encode(fact: AnyEventObject, blobs: Blobs): RecordBody {
    const departing = this.#place.departing(this.#run, blobs)
    const { fact: inner, child, way } = unwrap(this.#run, fact)
    const pack = new Packer(child === undefined ? departing : departing.child(child))
    const { kind, body } = encodeFact(inner, pack)
    pack.done(this.#run.id, isFromOutside(inner) ? 'message' : 'record')
    if (way.length === 0) return { kind, body }
    const asked = answeredIn(this.#run, fact)
    return { kind, body: { ...body, in: way, ...(asked === undefined ? {} : { asked }) } }
  }

  #write(
    texts: readonly RecordText[],
    status: string,
    taken: readonly string[],
    onWritten: (seq: number) => void,
  ): void {
    if (this.#lost !== undefined || this.#actor === undefined) return
    const expectedSeq = this.#seq
    const at = Math.round(now(clockOf(this.#actor)))
    const records: StoredRecord[] = []
    for (const { kind, body, bytes } of texts)
      records.push({ seq: ++this.#seq, at, kind, body: JSON.stringify(body), bytes })
    this.#behindBase += sizeOf(records)
    this.#status = status
    this.#unwritten++
    this.#place.commit.add({
      runId: this.#run.id,
      owner: this.#place.owner,
      expectedSeq,
      records,
      status,
      taken,
      isLost: () => this.#lost !== undefined,
      onWritten: () => {
        this.#unwritten--
        if (this.#lost === undefined) onWritten(expectedSeq + records.length)
      },
      onLost: (error) => {
        const isConflict = error instanceof StoreError && error.code === 'conflict'
        this.lose(
          isConflict
            ? new RunOwnershipLostError(
                this.#run.id,
                'has another owner by now, or was deleted. Ask a host for it again.',
              )
            : error,
        )
      },
    })
  }

  #fold(fact: AnyEventObject, sent: AnyEventObject, seq: number): void {
    const actor = this.#actor
    if (actor === undefined) return
    this.#inFlight--
    const answered = answeredIn(this.#run, fact)
    if (answered !== undefined) this.#answering.delete(answered)
    if (actor.getSnapshot().status !== 'active') {
      this.#reject(sent, new RunFinishedError(this.#run.id, this.#status))
      return
    }
    const open = requestIds(this.#run)
    const asked = open.length === 0 ? noRequests : new Set(open)
    this.#send(actor, fact)
    this.#waiting.get(sent)?.resolve()
    this.#waiting.delete(sent)
    // What was held up by facts on their way is so no longer.
    if (actor.getSnapshot().value === 'pausing' && !this.isBusy) actor.send({ type: 'blazen.check' })
    this.#tell(fact)
    for (const requestId of requestIds(this.#run)) {
      if (asked.has(requestId)) continue
      this.#place.onAsked()
      break
    }
    if (this.#behindBase > Math.max(leastBehindBase, 2 * this.#baseSize)) this.#writeBase(actor, seq)
  }

  #send(actor: AnyActorRef, fact: AnyEventObject): void {
    this.folding = fact
    try {
      actor.send(fact)
    } finally {
      this.folding = undefined
    }
  }

  /** Writes down what followed from the facts, where no fact says it. */
  #tell(fact: AnyEventObject | undefined): void {
    const { value, status } = this.#actor?.getSnapshot() ?? {}
    if (status !== 'active') this.#tellEnd(String(value), fact)
    else if (!this.isBusy && (value !== this.#told || value !== this.#status)) this.#tellStatus(value)
  }

  #tellStatus(value: string): void {
    this.#told = value
    const note: RecordBody | undefined =
      value === 'waiting'
        ? { kind: 'waiting', body: { requests: requestIds(this.#run) } }
        : value === 'paused'
          ? { kind: 'paused', body: {} }
          : undefined
    if (note !== undefined) this.#note(note, value)
    else if (value !== this.#status) this.#write([], value, [], () => {})
  }

  #tellEnd(value: string, fact: AnyEventObject | undefined): void {
    const isTold = fact?.type === 'blazen.failed' || done.has(this.#told)
    this.#ending = true
    this.#told = value
    for (const { reject } of this.#waiting.values()) reject(new RunFinishedError(this.#run.id, value))
    this.#waiting.clear()
    const { failure } = this.#run
    if (isTold) {
      this.#place.onEnd()
    } else if (failure === undefined) {
      this.#note(completed, value, this.#place.onEnd)
    } else {
      const blobs = new Blobs()
      const { kind, body } = this.#encode(fail(failure), blobs)
      this.#note({ kind, body, bytes: blobs.toBytes() }, value, this.#place.onEnd)
    }
  }

  #note(note: RecordBody & { readonly bytes?: Uint8Array | null }, status: string, onWritten = () => {}): void {
    this.#write([{ bytes: null, ...note }], status, [], onWritten)
  }

  #writeBase(actor: AnyActorRef, seq: number): void {
    const { status, value } = actor.getSnapshot()
    const { keepBase, departing } = this.#place
    if (status !== 'active' || keepBase === undefined) return
    const at = now(clockOf(actor))
    const base = toBase({ status, value, data: toData(this.#run) }, departing, this.#run, seq, at)
    this.#behindBase = 0
    this.#baseSize = sizeOf([base])
    keepBase(base)
  }

  #reject(sent: AnyEventObject, error: unknown): void {
    this.#waiting.get(sent)?.reject(error)
    this.#waiting.delete(sent)
  }

  get #run(): Run {
    return this.#actor?.getSnapshot().context.run
  }
}
