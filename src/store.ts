/**
 * Where runs are kept: a small port over records. The engine decides what a record holds; a store keeps them in order,
 * hands runs to one owner at a time, and takes in what others have to say to a run.
 *
 * - **Errors.** Every method may reject with whatever its database says, or with a `StoreError`; the engine tries again
 *   unless the error is permanent. So every method may be called again after it has rejected, also where the call did
 *   its work and only the answer was lost. After `close` all of them reject.
 * - **Times** of runs are those of their records; leases are measured by the store's own clock.
 * - **Texts.** Ids, keys, names and statuses are any strings of up to 500 characters, empty and ill-formed ones included.
 *   JSON texts are as `JSON.stringify` writes them, without a NUL or half a surrogate pair.
 *
 * `storeConformance` of `blazen-xstate/testing` says of any store whether it keeps to this.
 */
export interface Store {
  /**
   * Creates a run with its first records, owned by `owner` with its epoch. If there is a run with this id, or else with
   * this idempotency key for the workflow, nothing is written and that one is given; so it is when a call that did its
   * work is made again, and `info.owner` tells.
   */
  create(run: NewRun, owner: Owner): Promise<{ readonly created: boolean; readonly info: RunInfo }>

  /**
   * Appends to several runs in one transaction, each named once: all of a run's records or none of them. Resolves when
   * they are durable, with a verdict for each run, in order: `conflict` where the run has another owner by now, other
   * records, or is gone. A conflict changes nothing, and the other runs are none the worse for it.
   *
   * Appending again is safe: where the run has the same owner with the same epoch, and the very records under these
   * numbers (`hasSameRecords`), the verdict is `appended` and nothing is written. So a commit whose answer was lost
   * comes out right. An append does not prolong the lease; without records it changes the status and takes letters.
   */
  append(appends: readonly Append[]): Promise<readonly ('appended' | 'conflict')[]>

  /** A run as it has to be read to go on: the newest base, and the records behind it. */
  load(runId: string): Promise<StoredRun | undefined>

  /** Records of a run from number `from` on (1 is the first), in order, at most `limit`. */
  records(
    runId: string,
    options?: { readonly from?: number; readonly limit?: number },
  ): Promise<readonly StoredRecord[]>

  /**
   * Replaces the base; records up to and with number `dropTo`, at most `base.seq`, are deleted. A `conflict` (another
   * owner or epoch, a base beyond the last record) changes nothing.
   */
  compact(runId: string, owner: Owner, base: Base, dropTo: number): Promise<'compacted' | 'conflict'>

  /** What is known of a run without its records; `undefined` if there is none. */
  info(runId: string): Promise<RunInfo | undefined>

  /** Runs, the last created first. The pages that cursors lead through show every run once, though runs come and go. */
  list(filter?: RunFilter): Promise<RunPage>

  /** Deletes a run with all that belongs to it. False if there is none. */
  delete(runId: string): Promise<boolean>

  /**
   * Hands runs that have not ended and that nobody owns (never owned, given up, or the lease ran out) to `owner`, at most
   * `limit`, the first created first. Paused ones only if they are named in `runIds`. No two owners get the same run.
   */
  claim(claim: Claim): Promise<readonly RunInfo[]>

  /** Prolongs leases to `leaseMs` from now; gives the ids of runs that are not the owner's any more. */
  renew(owner: string, runIds: readonly string[], leaseMs: number): Promise<readonly string[]>

  /** Gives runs up, so that anybody may claim them at once. */
  release(owner: string, runIds: readonly string[]): Promise<void>

  /**
   * Puts a letter for a run's owner into its inbox. One with the same id, waiting or taken, is left as it is. False if
   * there is no such run.
   */
  post(runId: string, letter: Letter): Promise<boolean>

  /** The letters that wait for a run, the first posted first. They go with the append that names them. */
  inbox(runId: string): Promise<readonly Letter[]>

  /**
   * Calls `listener` with the id of a run that got a letter, also from another process, soon after; now and then also
   * for a letter that waits since before. A store that cannot tell calls never.
   */
  watch(listener: (runId: string) => void): { unsubscribe(): void }

  /** Gives up what the store itself has opened. Closing twice does nothing. */
  close(): Promise<void>

  /** `close()`, for `await using`. */
  [Symbol.asyncDispose]?(): Promise<void>
}

/** Who owns a run. `epoch` grows by one with every claim, so that an owner that was asleep is fenced off. */
export interface Owner {
  readonly id: string
  readonly epoch: number
  /** How long the ownership lasts unless it is renewed. */
  readonly leaseMs: number
}

/** A run to be created. */
export interface NewRun {
  readonly runId: string
  readonly workflow: string
  readonly version: string | null
  readonly idempotencyKey: string | null
  readonly status: string
  /** At least one. */
  readonly records: readonly StoredRecord[]
}

/** One thing that happened to a run. */
export interface StoredRecord {
  /** Counted from 1 in a run, without gaps. */
  readonly seq: number
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly kind: string
  /** JSON text. */
  readonly body: string
  /** The bytes that the body refers to, as they are; `null` for none. */
  readonly bytes: Uint8Array | null
}

/** The picture of a run just after record `seq`. */
export interface Base {
  readonly seq: number
  /** JSON text. */
  readonly body: string
  readonly bytes: Uint8Array | null
}

/** What is appended to one run. */
export interface Append {
  readonly runId: string
  readonly owner: Owner
  /** The number of the last record that the owner knows. */
  readonly expectedSeq: number
  readonly records: readonly StoredRecord[]
  /** The run's status after these records. */
  readonly status: string
  /** Letters that these records took in: deleted with the same commit, their ids remembered, also of those that were never posted. */
  readonly taken: readonly string[]
}

/** A run as `list` tells of it: where it stands, without its records. */
export interface RunInfo {
  readonly runId: string
  readonly workflow: string
  readonly version: string | null
  readonly idempotencyKey: string | null
  readonly status: string
  /** The number of the last record. */
  readonly seq: number
  /** Milliseconds since the epoch: the time of the first record. */
  readonly createdAt: number
  /** Milliseconds since the epoch: the time of the last record. */
  readonly updatedAt: number
  /** The id of the owner, whose lease may have run out; `null` for none. */
  readonly owner: string | null
  readonly epoch: number
}

/** A run as it has to be read to go on. */
export interface StoredRun {
  readonly info: RunInfo
  readonly base: Base | undefined
  /** The records behind the base, or all of them. */
  readonly records: readonly StoredRecord[]
}

/** Which runs are listed, and where the page begins. All that is said has to hold. */
export interface RunFilter {
  readonly workflow?: string
  /** One status, or several. */
  readonly status?: string | readonly string[]
  /** Only runs created before this time, in milliseconds since the epoch. */
  readonly createdBefore?: number
  /** Only runs whose last record is older than this time. */
  readonly updatedBefore?: number
  /** From 1 to 1,000. @default 100 */
  readonly limit?: number
  /** Where the page before ended. */
  readonly cursor?: string
}

/** Some of the runs that were asked for. */
export interface RunPage {
  readonly runs: readonly RunInfo[]
  /** Where the next page begins; `undefined` after the last one. */
  readonly cursor: string | undefined
}

/** What an owner asks for. */
export interface Claim {
  readonly owner: string
  readonly leaseMs: number
  readonly limit: number
  /** The workflows that the owner knows. */
  readonly workflows: readonly string[]
  /** Only these of the runs, paused ones too. */
  readonly runIds?: readonly string[]
}

/** What somebody outside has to say to a run: an answer, an event, an abort. */
export interface Letter {
  /** Unique in a run; a letter with the same id is the same letter. */
  readonly id: string
  readonly at: number
  /** JSON text. */
  readonly body: string
  readonly bytes: Uint8Array | null
}
