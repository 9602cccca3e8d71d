/** Stands in a log of writes for a key that was deleted. */
export const deleted: unique symbol = Symbol('deleted')

/** What one execution has written and not yet committed: the value, or `deleted`, by key. */
export type Writes = Map<string, unknown>

/**
 * State in two layers: what is committed, and over it the writes of executions that have not settled.
 * A write is seen by everybody at once; it becomes part of the run only when its execution commits, and leaves no
 * trace when its attempt is discarded. Values are opaque here.
 */
export class StateLog {
  readonly committed: Map<string, unknown>
  /** By key, the uncommitted writes in the order in which they were made; the last one is what readers see. */
  readonly #pending = new Map<string, Writes[]>()

  constructor(committed: Iterable<readonly [string, unknown]> = []) {
    this.committed = new Map(committed)
  }

  /** The value that readers see, or `undefined` together with `has` being false. */
  get(key: string): unknown {
    const seen = this.#seen(key)
    return seen === deleted ? undefined : seen
  }

  has(key: string): boolean {
    return this.#seen(key) !== deleted
  }

  /** All keys that readers see: committed ones in the order of their first write, then the others. */
  *keys(): IterableIterator<string> {
    for (const key of this.committed.keys()) if (this.has(key)) yield key
    for (const key of this.#pending.keys()) if (!this.committed.has(key) && this.has(key)) yield key
  }

  /** Writes `value` (or `deleted`) on behalf of the execution that owns `writes`. */
  write(writes: Writes, key: string, value: unknown): void {
    const layers = this.#pending.get(key)
    if (layers === undefined) {
      this.#pending.set(key, [writes])
    } else if (layers.at(-1) !== writes) {
      if (writes.has(key)) layers.splice(layers.indexOf(writes), 1)
      layers.push(writes)
    }
    writes.set(key, value)
  }

  /** Makes the writes part of the run. Older ones to the same keys are void then, also if they commit later. */
  commit(writes: Writes): void {
    for (const [key, value] of writes) {
      const layers = this.#pending.get(key) ?? []
      const older = layers.splice(0, layers.indexOf(writes) + 1)
      for (const each of older) if (each !== writes) each.delete(key)
      if (layers.length === 0) this.#pending.delete(key)
      if (value === deleted) this.committed.delete(key)
      else this.committed.set(key, value)
    }
  }

  /** Takes the writes back. */
  discard(writes: Writes): void {
    for (const key of writes.keys()) {
      const layers = this.#pending.get(key)
      const at = layers?.indexOf(writes) ?? -1
      if (layers === undefined || at < 0) continue
      if (layers.length === 1) this.#pending.delete(key)
      else layers.splice(at, 1)
    }
  }

  #seen(key: string): unknown {
    const writes = this.#pending.size > 0 ? this.#pending.get(key)?.at(-1) : undefined
    if (writes !== undefined) return writes.get(key)
    const value = this.committed.get(key)
    return value === undefined && !this.committed.has(key) ? deleted : value
  }
}
