import { StoreError } from './errors.ts'
import type { Append, Store } from './store.ts'
import { isPermanent, type RetryPlace, untilStored } from './store-retry.ts'

/** What a run has to write, and what to do when it is written, or never will be. */
export interface Writing extends Append {
  /** Whether the run was lost meanwhile: then nothing of it is written any more. */
  isLost(): boolean
  onWritten(): void
  onLost(error: unknown): void
}

/**
 * Writes for many runs in one transaction each time: what comes while one is under way goes into the next. A store that
 * is away is tried again, ever less often; what was to be written waits, and nothing of it is run twice.
 */
export class GroupCommit {
  readonly #store: Store
  readonly #place: RetryPlace
  #waiting: Writing[] = []
  #busy: Promise<void> | undefined

  constructor(store: Store, place: RetryPlace) {
    this.#store = store
    this.#place = place
  }

  add(writing: Writing): void {
    this.#waiting.push(writing)
    this.#busy ??= this.#write()
  }

  /** Resolves when all that was added is written, or lost. */
  async flush(): Promise<void> {
    while (this.#busy !== undefined) await this.#busy
  }

  async #write(): Promise<void> {
    // What happens in this turn of the event loop, in all runs, is one commit.
    await nextTurn()
    while (this.#waiting.length > 0) {
      // A run that was lost may be here again, under another epoch.
      const batch = join(this.#waiting.filter((writing) => !writing.isLost()))
      this.#waiting = []
      if (batch.length > 0) await this.#append(batch)
    }
    this.#busy = undefined
  }

  async #append(batch: readonly Joined[]): Promise<void> {
    let verdicts: readonly ('appended' | 'conflict')[]
    try {
      verdicts = await untilStored(this.#place, () => this.#store.append(batch))
    } catch (error) {
      if (batch.length === 1 || !isPermanent(error)) {
        for (const { parts } of batch) for (const part of parts) part.onLost(error)
        return
      }
      // What cannot be written of one run is no matter of the others.
      for (const one of batch) await this.#append([one])
      return
    }
    for (const [at, { parts, runId }] of batch.entries()) {
      for (const part of parts) {
        if (verdicts[at] === 'appended') tell(part)
        else part.onLost(conflictOf(runId))
      }
    }
  }
}

/** What goes wrong in one run is no matter of the others. */
function tell(part: Writing): void {
  try {
    part.onWritten()
  } catch (error) {
    part.onLost(error)
  }
}

function conflictOf(runId: string): StoreError {
  return new StoreError('conflict', `Run ${runId} has another owner, or other records, by now.`, true)
}

/** All that a run has to write, in order, as one append. */
interface Joined extends Append {
  readonly parts: readonly Writing[]
}

function join(waiting: readonly Writing[]): Joined[] {
  const runs = new Map<string, Writing[]>()
  for (const writing of waiting) {
    const parts = runs.get(writing.runId)
    if (parts === undefined) runs.set(writing.runId, [writing])
    else parts.push(writing)
  }
  return [...runs.values()].map((parts) => {
    const [first, last] = [parts[0] as Writing, parts.at(-1) as Writing]
    const isOne = parts.length === 1
    const records = isOne ? first.records : parts.flatMap((part) => part.records)
    const taken = isOne ? first.taken : parts.flatMap((part) => part.taken)
    const { runId, owner, expectedSeq } = first
    return { runId, owner, expectedSeq, records, taken, status: last.status, parts }
  })
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof setImmediate === 'function') setImmediate(resolve)
    else setTimeout(resolve, 0)
  })
}
