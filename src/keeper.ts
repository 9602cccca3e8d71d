import { type Clock, now } from '../machines/index.ts'
import type { Compiled } from './compile.ts'
import { RunOwnershipLostError } from './errors.ts'
import type { Lease } from './lease.ts'
import type { OwnedRun, OwnedRuns } from './owned-runs.ts'
import type { RunInfo, Store } from './store.ts'
import { endedStatuses } from './store-rules.ts'

export interface KeeperPlace {
  readonly store: Store
  /** The owner's id. */
  readonly id: string
  readonly leaseMs: number
  readonly lease: Lease
  readonly pollMs: number
  readonly clock: Clock
  readonly recover: boolean
  readonly maxRuns: number
  /** How long runs are kept after their end; `undefined` for ever. */
  readonly retentionMs: number | undefined
  readonly workflows: ReadonlyMap<string, Compiled>
  readonly report: (error: unknown) => void
}

/** How many runs are claimed at once. */
const claimSize = 100
/** Few, so that renewals do not stand in a queue behind them. */
const recoveredAtOnce = 4
/** How many inboxes are looked into at each poll, for stores that do not say when a letter comes. */
const inboxesAtOnce = 20
const retentionPollMs = 60_000

/**
 * Looks after the runs of a host from time to time: claims, leases, letters, retention. That is what goes on between
 * processes and their store, whatever the time is in the runs; so it is not on their clock.
 */
export class Keeper {
  readonly #runs: OwnedRuns
  readonly #place: KeeperPlace
  readonly #timers: unknown[] = []
  readonly #taking = new Map<string, Promise<OwnedRun | undefined>>()
  #watching: { unsubscribe(): void } | undefined
  #claiming: Promise<void> | undefined
  /** Runs that are being claimed, until they are expected. */
  #asking: Promise<unknown> | undefined
  #renewing: Promise<void> | undefined
  /** There may be more to claim than there was room for. */
  #isBehind = false
  #isStopped = false
  #nextInbox = 0

  constructor(runs: OwnedRuns, place: KeeperPlace) {
    this.#runs = runs
    this.#place = place
  }

  start(): void {
    const { store, pollMs, leaseMs, retentionMs, report } = this.#place
    this.#every(Math.max(1, leaseMs / 3), () => this.renew())
    this.#every(pollMs, () => this.#poll())
    if (retentionMs !== undefined) {
      this.#every(Math.min(retentionPollMs, Math.max(pollMs, retentionMs)), () => this.#forget(retentionMs))
    }
    try {
      this.#watching = store.watch((runId) => {
        if (this.#runs.owns(runId)) void this.#runs.lookInto(runId)
      })
    } catch (error) {
      report(error)
    }
    this.#claim()
  }

  /** Claims nothing more; resolves when what is being claimed is here, or given up. */
  async stop(): Promise<void> {
    this.#isStopped = true
    for (const timer of this.#timers) clearInterval(timer as ReturnType<typeof setInterval>)
    this.#watching?.unsubscribe()
    await Promise.allSettled([this.#claiming, ...this.#taking.values()])
  }

  /** A run has left memory. */
  onRoom(): void {
    if (this.#isBehind) this.#claim()
  }

  /** Claims one run, whatever its status, and goes on with it. */
  take(runId: string): Promise<OwnedRun | undefined> {
    let taking = this.#taking.get(runId)
    if (taking === undefined) {
      taking = this.#take(runId).finally(() => this.#taking.delete(runId))
      this.#taking.set(runId, taking)
    }
    return taking
  }

  async #take(runId: string): Promise<OwnedRun | undefined> {
    const { store, id, leaseMs, workflows } = this.#place
    // What is being claimed with others may be this one.
    await this.#asking
    const here = await this.#runs.get(runId)
    if (here !== undefined || this.#isStopped) return here
    const since = Date.now()
    const [info] = await store.claim({
      owner: id,
      leaseMs,
      limit: 1,
      workflows: [...workflows.keys()],
      runIds: [runId],
    })
    const compiled = info === undefined ? undefined : workflows.get(info.workflow)
    if (info === undefined || compiled === undefined) return undefined
    if (this.#isStopped) {
      await store.release(id, [runId])
      return undefined
    }
    this.#runs.expect(info, since)
    return this.#runs.recover(info, compiled)
  }

  #claim(): void {
    if (!this.#place.recover || this.#isStopped) return
    this.#claiming ??= this.#claimAll()
      .catch(this.#place.report)
      .finally(() => {
        this.#claiming = undefined
      })
  }

  async #claimAll(): Promise<void> {
    const { lease, maxRuns } = this.#place
    // What was this host's and outlived its lease, while the process slept, is its own as long as nobody has it.
    if (!lease.isSure) await this.renew()
    for (;;) {
      const limit = Math.min(claimSize, maxRuns - this.#runs.size)
      this.#isBehind = limit <= 0
      if (limit <= 0 || this.#isStopped) return
      const asking = this.#claimFree(limit)
      this.#asking = asking.catch(() => {})
      const claimed = await asking
      const left = [...claimed]
      const recoverNext = async () => {
        for (let info = left.shift(); info !== undefined; info = left.shift()) await this.#recover(info)
      }
      await Promise.all(Array.from({ length: recoveredAtOnce }, recoverNext))
      this.#runs.park()
      if (claimed.length < limit) return
    }
  }

  async #claimFree(limit: number): Promise<readonly RunInfo[]> {
    const { store, id, leaseMs, workflows } = this.#place
    const since = Date.now()
    const claimed = await store.claim({ owner: id, leaseMs, limit, workflows: [...workflows.keys()] })
    for (const info of claimed) this.#runs.expect(info, since)
    return claimed
  }

  /** What cannot be recovered keeps its lease until it runs out, so that the others have their turn. */
  async #recover(info: RunInfo): Promise<void> {
    const { workflows, report, store, id } = this.#place
    const compiled = workflows.get(info.workflow)
    if (compiled === undefined || this.#isStopped) {
      this.#runs.lose(info.runId)
      return store.release(id, [info.runId])
    }
    try {
      await this.#runs.recover(info, compiled)
    } catch (error) {
      if (!(error instanceof RunOwnershipLostError)) report(error)
    }
  }

  async #poll(): Promise<void> {
    this.#runs.park()
    this.#claim()
    const { ids } = this.#runs
    for (let left = Math.min(inboxesAtOnce, ids.length); left > 0; left--) {
      const runId = ids[this.#nextInbox++ % ids.length] as string
      const letters = await this.#place.store.inbox(runId)
      if (letters.length > 0) await this.#runs.lookInto(runId)
    }
  }

  /** Makes sure of the runs that are here; what is not the host's any more ends here. */
  renew(): Promise<void> {
    this.#renewing ??= this.#renew().finally(() => {
      this.#renewing = undefined
    })
    return this.#renewing
  }

  async #renew(): Promise<void> {
    const { store, id, leaseMs, lease } = this.#place
    const { ids } = this.#runs
    const renewal = lease.ask()
    const lost = ids.length === 0 ? [] : await store.renew(id, ids, leaseMs)
    for (const runId of lost) this.#runs.lose(runId)
    if (lease.renewed(renewal)) for (const { journal } of this.#runs.inMemory) journal.wake()
  }

  async #forget(retentionMs: number): Promise<void> {
    const { store, workflows, clock } = this.#place
    for (const workflow of workflows.keys()) {
      for (;;) {
        const filter = { workflow, status: endedStatuses, updatedBefore: now(clock) - retentionMs }
        const { runs } = await store.list(filter)
        for (const { runId } of runs) await store.delete(runId)
        if (runs.length === 0 || this.#isStopped) break
      }
    }
  }

  /** Not while it is still at it, and never a reason for the process to live on. */
  #every(ms: number, fn: () => Promise<void>): void {
    let isBusy = false
    const timer: { unref?(): void } = setInterval(() => {
      if (isBusy || this.#isStopped) return
      isBusy = true
      fn()
        .catch(this.#place.report)
        .finally(() => {
          isBusy = false
        })
    }, ms) as unknown as { unref?(): void }
    timer.unref?.()
    this.#timers.push(timer)
  }
}
