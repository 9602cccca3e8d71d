import { type AnyActorRef, createActor } from 'xstate'
import { type Clock, halt, type Journal, nestedRuns, now, type Run } from '../machines/index.ts'
import { allRecords } from './all-records.ts'
import { sizeOf, toMigrated, toStarted } from './base.ts'
import { ArrivedRun, type Compiled, createRun, RunInput } from './compile.ts'
import { BlazenError, RunOwnershipLostError } from './errors.ts'
import type { GroupCommit } from './group-commit.ts'
import { WorkflowHandler } from './handler.ts'
import { Inbox } from './inbox.ts'
import type { Lease } from './lease.ts'
import { LiveRun, type OnInput } from './live-run.ts'
import { lastBefore } from './retention.ts'
import { RunJournal } from './run-journal.ts'
import type { Arrived } from './snapshot-read.ts'
import type { Start } from './start.ts'
import type { Base, NewRun, Owner, RunInfo, Store, StoredRecord, StoredRun } from './store.ts'
import { hasSameRecords } from './store-rules.ts'
import { readStoredRun } from './stored-run.ts'

/** What the runs of a host need of it. */
export interface OwningPlace {
  readonly store: Store
  /** The owner's id. */
  readonly id: string
  readonly leaseMs: number
  readonly clock: Clock
  readonly commit: GroupCommit
  readonly lease: Lease
  readonly onInput: OnInput | undefined
  /** How long records are kept that a base covers; `undefined` for as long as their run. */
  readonly retentionMs: number | undefined
  /** Does it again until the store does it, or `tries` times. */
  readonly stored: <Result>(fn: () => Promise<Result>, tries?: number) => Promise<Result>
  /** Something failed that nobody waits for. */
  readonly report: (error: unknown) => void
  /** There is room for another run. */
  readonly onRoom: () => void
}

/** A run that this process owns. */
export interface OwnedRun {
  readonly runId: string
  readonly compiled: Compiled
  readonly owner: Owner
  readonly handler: WorkflowHandler
  readonly journal: RunJournal
  readonly inbox: Inbox
  /** Somebody has its handler, so that it has to stay. */
  held: boolean
}

/** A run that is owned and not in memory: it waits for somebody. */
interface ParkedRun {
  readonly info: RunInfo
  readonly compiled: Compiled
  /** Brings it back when it is due. */
  readonly timer: unknown
}

/** A run that is owned and on its way into memory. */
interface ArrivingRun {
  readonly info: RunInfo
  /** Resolves when it is there; to nothing where it never will be. */
  readonly here: Promise<OwnedRun | undefined>
  settle(run: OwnedRun | undefined): void
}

/** How often a store is asked for what is needed to recover a run: the others have to have their turn. */
const recoveryTries = 6

/** The runs that a process owns: most are in memory, those that only wait are not. */
export class OwnedRuns {
  readonly #place: OwningPlace
  readonly #runs = new Map<string, OwnedRun>()
  readonly #parked = new Map<string, ParkedRun>()
  /** Those that are being read, or are just about to begin. */
  readonly #arriving = new Map<string, ArrivingRun>()
  readonly #watchers = new Set<(actor: AnyActorRef) => void>()
  #isResting = false
  #isClosed = false

  constructor(place: OwningPlace) {
    this.#place = place
  }

  /** How many are in memory, or soon will be. */
  get size(): number {
    return this.#runs.size + this.#arriving.size
  }

  get ids(): readonly string[] {
    return [...this.#runs.keys(), ...this.#parked.keys(), ...this.#arriving.keys()]
  }

  get inMemory(): Iterable<OwnedRun> {
    return this.#runs.values()
  }

  /** Tells of the actor of every run that is, or comes, into memory; gives what ends it. */
  watch(onActor: (actor: AnyActorRef) => void): () => void {
    this.#watchers.add(onActor)
    for (const { handler } of this.#runs.values()) onActor(handler.actor)
    return () => this.#watchers.delete(onActor)
  }

  /** A run that is here, or on its way: back in memory if it was not. */
  async get(runId: string): Promise<OwnedRun | undefined> {
    const parked = this.#parked.get(runId)
    return parked === undefined ? (this.#runs.get(runId) ?? this.#arriving.get(runId)?.here) : this.#revive(parked)
  }

  owns(runId: string): boolean {
    return this.#runs.has(runId) || this.#parked.has(runId) || this.#arriving.has(runId)
  }

  /** Starts a run once it is in the store; gives what is there already under its id or key. */
  async create(compiled: Compiled, start: Start): Promise<OwnedRun | RunInfo> {
    const { runId, event, timeoutMs, onInput, signal } = start
    const owner = { id: this.#place.id, epoch: 1, leaseMs: this.#place.leaseMs }
    const journal = this.#createJournal(runId, compiled, owner)
    const input = new RunInput(runId, event, timeoutMs, onInput ?? this.#onInput(compiled), signal, journal)
    const actor = createRun(compiled, input, this.#place.clock)
    return this.#createStored(compiled, actor, owner, journal, start.idempotencyKey)
  }

  /** Starts a run from a picture, as a new one. */
  async createFrom(compiled: Compiled, picture: Arrived): Promise<OwnedRun | RunInfo> {
    const owner = { id: this.#place.id, epoch: 1, leaseMs: this.#place.leaseMs }
    const journal = this.#createJournal(picture.data.id, compiled, owner)
    const arrived = new ArrivedRun(picture, { onInput: this.#onInput(compiled), journal })
    const actor = createActor(compiled.machine, { snapshot: arrived as never, clock: this.#place.clock })
    return this.#createStored(compiled, actor, owner, journal, null)
  }

  async #createStored(
    compiled: Compiled,
    actor: AnyActorRef,
    owner: Owner,
    journal: RunJournal,
    idempotencyKey: string | null,
  ): Promise<OwnedRun | RunInfo> {
    const { name: workflow, options } = compiled.definition
    const started = toStarted(actor, compiled.departing)
    const { id: runId }: Run = actor.getSnapshot().context.run
    const version = options.version ?? null
    const create = { runId, workflow, version, idempotencyKey, status: 'running', records: [started] }
    const since = Date.now()
    let tries = 0
    const { created, info } = await this.#place.stored(() => {
      tries++
      return this.#place.store.create(create, owner)
    })
    if (!created && !(tries > 1 && (await this.#hasCreated(create, owner, info)))) return info
    if (this.#isClosed) {
      await this.#place.store.release(owner.id, [runId]).catch(this.#place.report)
      throw new BlazenError(
        'host_closed',
        `The host was closed while run ${runId} was being started: it is in the store, and the next host there begins it.`,
      )
    }
    this.expect(info, since)
    let run: OwnedRun | undefined
    try {
      journal.attach(actor, 1, 'running', { behindBase: 0, base: started.body.length })
      run = this.#begin(compiled, actor, owner, journal)
    } finally {
      this.#arrived(info, run)
    }
    journal.catchUp()
    return run
  }

  /** Whether a run that is there was created by this very call: only the answer was lost. */
  async #hasCreated({ runId, records }: NewRun, owner: Owner, info: RunInfo): Promise<boolean> {
    if (info.runId !== runId || info.owner !== owner.id || info.epoch !== owner.epoch || info.seq !== 1) return false
    const stored = await this.#place.stored(() => this.#place.store.records(runId, { limit: 1 }))
    return hasSameRecords(stored, { runId, owner, expectedSeq: 0, records, status: info.status, taken: [] })
  }

  /** Goes on with a run that was claimed, and is expected. */
  async recover(info: RunInfo, compiled: Compiled): Promise<OwnedRun> {
    let run: OwnedRun | undefined
    try {
      run = await this.#recover(info, compiled)
    } finally {
      this.#arrived(info, run)
    }
    run.journal.catchUp()
    void run.inbox.read()
    return run
  }

  async #recover(info: RunInfo, compiled: Compiled): Promise<OwnedRun> {
    const { runId, epoch } = info
    const stored = await this.#load(info)
    const owner = { id: this.#place.id, epoch, leaseMs: this.#place.leaseMs }
    const { picture, sizes, isMigrated } = readStoredRun(compiled, stored)
    const journal = this.#createJournal(runId, compiled, owner)
    const arrived = new ArrivedRun(picture, { onInput: this.#onInput(compiled), journal })
    const actor = createActor(compiled.machine, { snapshot: arrived as never, clock: this.#place.clock })
    if (isMigrated && picture.status === 'active') {
      const base = await this.#migrate(compiled, actor, owner, stored.info)
      this.#requireExpected(info)
      journal.attach(actor, base.seq, stored.info.status, { behindBase: 0, base: sizeOf([base]) })
    } else {
      journal.attach(actor, stored.info.seq, stored.info.status, sizes)
    }
    return this.#begin(compiled, actor, owner, journal)
  }

  /**
   * A run is to be here soon: from now on it is renewed with the others.
   *
   * @param since when the store was asked for it.
   */
  expect(info: RunInfo, since: number): void {
    this.lose(info.runId)
    this.#addArriving(info)
    this.#place.lease.obtained(since)
  }

  #addArriving(info: RunInfo): Promise<OwnedRun | undefined> {
    let settle: ArrivingRun['settle'] = () => {}
    const here = new Promise<OwnedRun | undefined>((resolve) => {
      settle = resolve
    })
    this.#arriving.set(info.runId, { info, here, settle })
    return here
  }

  /** The run is here, or its way has ended. */
  #arrived(info: RunInfo, run: OwnedRun | undefined): void {
    const arriving = this.#arriving.get(info.runId)
    if (arriving?.info !== info) return
    this.#arriving.delete(info.runId)
    arriving.settle(run)
  }

  /** What was lost on the way, or comes to a host that was closed meanwhile, is not begun. */
  #requireExpected(info: RunInfo): void {
    const { runId } = info
    if (this.#arriving.get(runId)?.info !== info || this.#isClosed) throw new RunOwnershipLostError(runId)
  }

  async #load(info: RunInfo): Promise<StoredRun> {
    const { runId } = info
    const stored = await this.#place.stored(() => this.#place.store.load(runId), recoveryTries)
    this.#requireExpected(info)
    if (stored === undefined) throw new RunOwnershipLostError(runId)
    return stored
  }

  /**
   * Writes down that the run has gone over to the workflow as it is, before anything of it happens there: what is behind
   * that record is folded with the routes that are in it. The version that `list` tells stays that of the start.
   */
  async #migrate(
    { departing }: Compiled,
    actor: AnyActorRef,
    owner: Owner,
    { runId, seq, status }: RunInfo,
  ): Promise<StoredRecord> {
    const record = toMigrated(actor, departing, seq + 1)
    const append = { runId, owner, expectedSeq: seq, records: [record], status, taken: [] }
    const [verdict] = await this.#place.stored(() => this.#place.store.append([append]), recoveryTries)
    if (verdict !== 'appended') throw new RunOwnershipLostError(runId)
    return record
  }

  /** Takes out of memory what only waits for somebody, and whose handler nobody has. */
  park(): void {
    const at = now(this.#place.clock)
    for (const run of this.#runs.values()) {
      const { runId, compiled, owner, handler, journal } = run
      const { run: data }: { run: Run } = handler.actor.getSnapshot().context
      const isQuiet = handler.status === 'waiting' && journal.isWritten && !run.inbox.isBusy && !data.inline
      const all = [data, ...Array.from(nestedRuns(data), ({ child }) => child.run)]
      if (run.held || !isQuiet || all.some((each) => LiveRun.of(each).session.entries.size > 0)) continue
      const dueAt = Math.min(...all.flatMap((each) => [...each.timers.values()].map((timer) => timer.dueAt)))
      if (dueAt <= at) continue
      const info = journal.toInfo(compiled.definition.name, owner)
      this.#parked.set(runId, { info, compiled, timer: this.#wakeAfter(dueAt - at, runId) })
      journal.lose(new RunOwnershipLostError(runId))
    }
  }

  /** Brings back a parked run when it is due; sooner where that is further off than JavaScript can count. */
  #wakeAfter(ms: number, runId: string): unknown {
    if (ms === Number.POSITIVE_INFINITY) return undefined
    const { clock } = this.#place
    const timer = clock.setTimeout(() => this.get(runId), Math.min(ms, 2 ** 31 - 1))
    // No reason for the process to live on.
    ;(timer as { unref?(): void }).unref?.()
    return timer
  }

  #unpark(runId: string): void {
    const timer = this.#parked.get(runId)?.timer
    if (timer !== undefined) this.#place.clock.clearTimeout(timer)
    this.#parked.delete(runId)
  }

  /** Something may be in the inbox of a run. */
  async lookInto(runId: string): Promise<void> {
    const run = await this.get(runId)
    await run?.inbox.read()
  }

  /** Begins nothing more, and resolves when nothing is at work, or the time is up. */
  async rest(until: number): Promise<void> {
    this.#isResting = true
    const isAtWork = ({ handler }: OwnedRun) => halt(handler.actor.getSnapshot().context.run)
    while ([...this.#runs.values()].filter(isAtWork).length > 0 && Date.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }

  /** Lets go of all runs, also of those that come too late; gives the ids of those that were here. */
  close(): readonly string[] {
    this.#isClosed = true
    const { ids } = this
    for (const runId of ids)
      this.lose(runId, 'was handed over when its host was closed: any host on the store goes on with it.')
    return ids
  }

  /**
   * A run is not this process's any more.
   *
   * @param fate what has become of it.
   */
  lose(runId: string, fate = 'goes on in another process, which has claimed it. Ask the host for it again.'): void {
    this.#unpark(runId)
    const arriving = this.#arriving.get(runId)
    if (arriving !== undefined) this.#arrived(arriving.info, undefined)
    this.#runs.get(runId)?.journal.lose(new RunOwnershipLostError(runId, fate))
  }

  #revive(parked: ParkedRun): Promise<OwnedRun | undefined> {
    const { info, compiled } = parked
    this.#unpark(info.runId)
    const here = this.#addArriving(info)
    this.recover(info, compiled).catch((error) => {
      if (!(error instanceof RunOwnershipLostError)) this.#place.report(error)
    })
    return here
  }

  #begin(compiled: Compiled, actor: AnyActorRef, owner: Owner, journal: RunJournal): OwnedRun {
    const { id: runId }: Run = actor.getSnapshot().context.run
    for (const onActor of this.#watchers) onActor(actor)
    if (this.#isResting) (actor.getSnapshot().context.run as Run).halted = true
    actor.start()
    const handler = new WorkflowHandler(actor)
    const inbox = new Inbox({ ...this.#place, runId, compiled, handler, journal })
    const run = { runId, compiled, owner, handler, journal, inbox, held: false }
    this.#runs.set(runId, run)
    // An actor that somebody stopped leaves its run to whoever claims it.
    const left = () => {
      if (actor.getSnapshot().status !== 'stopped' || this.#runs.get(runId) !== run) return
      this.lose(runId)
      this.#place.store.release(owner.id, [runId]).catch(this.#place.report)
    }
    actor.subscribe({ complete: left, error: () => {} })
    return run
  }

  #onInput({ definition }: Compiled): OnInput | undefined {
    return definition.options.onInput ?? this.#place.onInput
  }

  #createJournal(runId: string, { departing }: Compiled, owner: Owner): RunJournal & Journal {
    const { store, commit, lease, clock, report, onRoom, retentionMs } = this.#place
    const keep = async (base: Base): Promise<void> => {
      const before = retentionMs === undefined ? 0 : now(clock) - retentionMs
      const dropTo = retentionMs === undefined ? 0 : await lastBefore(store, runId, base.seq, before)
      await store.compact(runId, owner, base, dropTo)
    }
    let keeping: Promise<void> = Promise.resolve()
    const leave = () => {
      // Another copy of the run may be here by now.
      if (this.#runs.get(runId)?.journal !== journal) return
      this.#runs.delete(runId)
      onRoom()
    }
    const journal: RunJournal = new RunJournal({
      ...{ owner, commit, lease, departing },
      keepBase: (base: Base) => {
        keeping = keeping.then(() => keep(base)).catch(report)
      },
      records: () => allRecords(store, runId),
      onAsked: () => void this.#runs.get(runId)?.inbox.read(),
      onEnd: leave,
      onLost: leave,
    })
    return journal
  }
}
