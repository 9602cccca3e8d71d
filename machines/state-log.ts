/** Stands in a log of writes for a key that was deleted. */
export const deleted: unique symbol = Symbol('deleted')

/** Works a value out on the one before it. Pure: it runs once for readers, and once on what is committed by then. */
export type Recipe = (before: unknown) => unknown

/** A write that depends on the value before it: by recipes, one after the other. */
export class Change {
  readonly #recipes: Recipe[]
  /** What the first recipes gave, on what value: those that are added later go on from there. */
  #known: { readonly before: unknown; readonly after: unknown; readonly count: number } | undefined

  constructor(recipe: Recipe) {
    this.#recipes = [recipe]
  }

  /** Adds a recipe behind the others. */
  add(recipe: Recipe): void {
    this.#recipes.push(recipe)
  }

  /** The value after all recipes. */
  apply(before: unknown): unknown {
    const known = this.#known !== undefined && Object.is(this.#known.before, before) ? this.#known : undefined
    let after = known === undefined ? before : known.after
    const count = this.#recipes.length
    for (let at = known?.count ?? 0; at < count; at++) after = this.#recipes[at]?.(after)
    this.#known = { before, after, count }
    return after
  }
}

/** Under this key, a value has the entries that it is kept in beside its own, by key. */
export const parts: unique symbol = Symbol('parts')

/** A value that is kept in several entries, so that a change of it writes only those that changed. */
export interface Composite {
  readonly [parts]: ReadonlyMap<string, unknown>
}

const noParts: ReadonlyMap<string, unknown> = new Map()

function partsOf(value: unknown): ReadonlyMap<string, unknown> {
  return typeof value === 'object' && value !== null && parts in value ? (value as Composite)[parts] : noParts
}

/** What one execution has written and not yet committed, by key: the value, `deleted`, or a `Change`. */
export class Writes extends Map<string, unknown> {
  /** The keys whose value was worked out on the one before it. */
  changed: Set<string> | undefined
  /** They are on their way to be committed. */
  isStaged = false
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
  /** Keys whose values did not come along to this process, until they are written again, or deleted. */
  readonly #lost = new Set<string>()
  #watchers: Set<() => void> | undefined
  /** Goes up whenever what readers see may have changed. */
  version = 0

  constructor(committed: Iterable<readonly [string, unknown]> = []) {
    this.committed = new Map(committed)
  }

  /** Calls `watcher` whenever what readers see may have changed. Gives the way to end that. */
  watch(watcher: () => void): () => void {
    this.#watchers ??= new Set()
    this.#watchers.add(watcher)
    return () => {
      this.#watchers?.delete(watcher)
      if (this.#watchers?.size === 0) this.#watchers = undefined
    }
  }

  /** What readers see may have changed. */
  touch(): void {
    this.version++
    if (this.#watchers !== undefined) for (const watcher of this.#watchers) watcher()
  }

  /** The value that readers see, or `undefined` together with `has` being false. */
  get(key: string): unknown {
    const seen = this.#seen(key)
    return seen === deleted ? undefined : seen
  }

  /** Whether the key is there, with what is staged. */
  has(key: string): boolean {
    return this.#seen(key) !== deleted
  }

  /** The value of the key did not come along to this process. */
  lose(key: string): void {
    this.#lost.add(key)
  }

  /** Whether the value of a key is lost to readers: nobody has written it again, or deleted it. */
  isLost(key: string): boolean {
    return this.#lost.has(key) && !this.#pending.has(key) && !this.committed.has(key)
  }

  /** Whether it is so for what is committed. */
  isLostWhenCommitted(key: string): boolean {
    return this.#lost.has(key) && !this.committed.has(key)
  }

  /** All keys that readers see: committed ones in the order of their first write, then the others. */
  *keys(): IterableIterator<string> {
    for (const key of this.committed.keys()) if (this.has(key)) yield key
    for (const key of this.#pending.keys()) if (!this.committed.has(key) && this.has(key)) yield key
  }

  /** Changes the value on behalf of the execution that owns `writes`. */
  change(writes: Writes, key: string, recipe: Recipe): void {
    const own = writes.get(key)
    if (!writes.has(key)) {
      this.write(writes, key, new Change(recipe))
    } else if (own instanceof Change) {
      own.add(recipe)
      this.write(writes, key, own)
    } else {
      this.write(writes, key, recipe(own === deleted ? undefined : own))
    }
  }

  /**
   * Makes the writes ready to be committed: what depends on a value before is worked out on what is there by then, and
   * the entries of composite values are written, as far as they are others than those that are there.
   */
  resolve(writes: Writes): void {
    let entries: Map<string, unknown> | undefined
    for (const [key, value] of writes) {
      const before = this.upcoming(key)
      let after = value
      if (value instanceof Change) {
        after = value.apply(before)
        writes.set(key, after)
        writes.changed ??= new Set()
        writes.changed.add(key)
      }
      const gone = partsOf(before)
      const there = partsOf(after)
      if (gone.size === 0 && there.size === 0) continue
      entries ??= new Map()
      for (const part of gone.keys()) if (!there.has(part)) entries.set(part, deleted)
      for (const [part, entry] of there)
        if (!gone.has(part) || !Object.is(gone.get(part), entry)) entries.set(part, entry)
    }
    if (entries !== undefined) for (const [part, entry] of entries) writes.set(part, entry)
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
    this.touch()
  }

  /** What the next writes that are committed will find: what is committed, or about to be. */
  upcoming(key: string): unknown {
    const staged = this.#staged.get(key)
    const value = staged?.has(key) ? staged.get(key) : this.committed.get(key)
    return value === deleted ? undefined : value
  }

  /**
   * The writes will be committed, in this order, once they are written down. For all others they count already: what
   * they make void is void from now on, so that no record tells of it.
   */
  stage(writes: Writes): void {
    writes.isStaged = true
    for (const key of writes.keys()) {
      const layers = this.#pending.get(key)
      if (layers?.includes(writes)) {
        this.#withdraw(layers, writes, key)
        layers.splice(layers.filter((each) => each.isStaged).length, 0, writes)
      }
      this.#staged.set(key, writes)
    }
    this.touch()
  }

  /**
   * Makes the writes part of the run. Older ones to the same keys are void then, also if they commit later; but not
   * under a change, which goes beside what others write.
   */
  commit(writes: Writes): void {
    for (const [key, value] of writes) {
      const layers = this.#pending.get(key)
      if (layers?.includes(writes)) {
        this.#withdraw(layers, writes, key)
        if (layers.length === 0) this.#pending.delete(key)
      }
      if (this.#staged.get(key) === writes) this.#staged.delete(key)
      this.#lost.delete(key)
      if (value === deleted) this.committed.delete(key)
      else this.committed.set(key, value)
    }
    this.touch()
  }

  /** Takes the writes out of the layers, and with them the older ones that they make void. */
  #withdraw(layers: Writes[], writes: Writes, key: string): void {
    const at = layers.indexOf(writes)
    if (writes.changed?.has(key)) {
      layers.splice(at, 1)
      return
    }
    const first = layers.findIndex((each) => each === writes || !each.isStaged)
    for (const older of layers.splice(first, at + 1 - first)) if (older !== writes) older.delete(key)
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
    this.touch()
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
