/** Stands in a log of writes for a key that was deleted. */
export const deleted: unique symbol = Symbol('deleted')

/** A write that depends on the value before it. Pure: it runs once for readers, and once on what is committed by then. */
export class Change {
  constructor(readonly apply: (before: unknown) => unknown) {}
}

/** What one execution has written and not yet committed, by key: the value, `deleted`, or a `Change`. */
export class Writes extends Map<string, unknown> {
  /** The keys whose value was worked out on the one before it. */
  changed: Set<string> | undefined
}

/**
 * State in two layers: what is committed, and over it the writes of executions that have not settled.
 * A write is seen by everybody at once; it becomes part of the run only when its execution commits, and leaves no
 * trace when its attempt is discarded. Values are opaque here.
 */
export class StateLog {
  readonly committed: Map<string, unknown>
  /** By key, the uncommitted writes in the order in which they were made; the last one is what readers see. */
  readonly #pending = new Map<string, Writes[]>()
  /** By key, what is on its way to be committed: written down, and not yet known to be. */
  readonly #staged = new Map<string, Writes>()

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

  /** Changes the value on behalf of the execution that owns `writes`. */
  change(writes: Writes, key: string, apply: (before: unknown) => unknown): void {
    const own = writes.has(key) ? writes.get(key) : undefined
    if (own === undefined && !writes.has(key)) this.write(writes, key, new Change(apply))
    else if (own instanceof Change) this.write(writes, key, new Change((before) => apply(own.apply(before))))
    else this.write(writes, key, apply(own === deleted ? undefined : own))
  }

  /**
   * Makes the writes ready to be committed: what depends on a value before is worked out on what is committed, and on
   * what was staged before and will be.
   */
  resolve(writes: Writes): void {
    for (const [key, value] of writes) {
      if (!(value instanceof Change)) continue
      const before = this.#staged.get(key)?.get(key) ?? this.committed.get(key)
      writes.set(key, value.apply(before === deleted ? undefined : before))
      writes.changed ??= new Set()
      writes.changed.add(key)
    }
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

  /** The writes will be committed, in this order, once they are written down. */
  stage(writes: Writes): void {
    for (const key of writes.keys()) this.#staged.set(key, writes)
  }

  /**
   * Makes the writes part of the run. Older ones to the same keys are void then, also if they commit later; but not
   * under a change, which goes beside what others write.
   */
  commit(writes: Writes): void {
    for (const [key, value] of writes) {
      const layers = this.#pending.get(key)
      const at = layers?.indexOf(writes) ?? -1
      if (layers !== undefined && at >= 0) {
        const first = writes.changed?.has(key) ? at : 0
        for (const older of layers.splice(first, at + 1 - first)) if (older !== writes) older.delete(key)
        if (layers.length === 0) this.#pending.delete(key)
      }
      if (this.#staged.get(key) === writes) this.#staged.delete(key)
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
    const layers = this.#pending.size > 0 ? this.#pending.get(key) : undefined
    if (layers !== undefined) return this.#seenThrough(layers, key)
    const value = this.committed.get(key)
    return value === undefined && !this.committed.has(key) ? deleted : value
  }

  #seenThrough(layers: readonly Writes[], key: string): unknown {
    let seen: unknown = this.committed.has(key) ? this.committed.get(key) : deleted
    for (const writes of layers) {
      const value = writes.get(key)
      seen = value instanceof Change ? value.apply(seen === deleted ? undefined : seen) : value
    }
    return seen
  }
}
