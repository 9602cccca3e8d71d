import { fromDatabaseText } from '../store-rules.ts'
import { rowOf, rowsOf } from './rows.ts'
import type { Statements } from './statements.ts'

/** How often the letters of other processes are looked for: the look is one step in an index. */
const pollMs = 100

/** Tells listeners of new letters: of those that this process posts at once, of the others' at the next look. */
export class LetterWatch {
  readonly #statements: Statements
  readonly #listeners = new Set<(runId: string) => void>()
  #timer: ReturnType<typeof setInterval> | undefined
  #lastNumber = 0

  constructor(statements: Statements) {
    this.#statements = statements
  }

  add(listener: (runId: string) => void): { unsubscribe(): void } {
    if (this.#listeners.size === 0) this.#start()
    const own = (runId: string) => listener(runId)
    this.#listeners.add(own)
    return {
      unsubscribe: () => {
        this.#listeners.delete(own)
        if (this.#listeners.size === 0) this.stop()
      },
    }
  }

  /** A letter was posted here. */
  look(): void {
    if (this.#timer !== undefined) queueMicrotask(() => this.#look())
  }

  stop(): void {
    this.#listeners.clear()
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #start(): void {
    this.#lastNumber = rowOf<{ number: number }>(this.#statements.lastLetter)?.number ?? 0
    this.#timer = setInterval(() => this.#look(), pollMs)
    this.#timer.unref()
  }

  #look(): void {
    if (this.#timer === undefined) return
    for (const runId of this.#readNew()) for (const listener of this.#listeners) queueMicrotask(() => listener(runId))
  }

  #readNew(): Set<string> {
    try {
      const rows = rowsOf<{ number: number; run_id: string }>(this.#statements.lettersSince, this.#lastNumber)
      this.#lastNumber = rows.at(-1)?.number ?? this.#lastNumber
      return new Set(rows.map(({ run_id }) => fromDatabaseText(run_id)))
    } catch {
      // Locked, or on a disk that is away: the next look finds what this one did not.
      return new Set()
    }
  }
}
