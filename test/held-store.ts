import { memoryStore, type Store } from 'blazen-xstate'
import { createGate } from './waiting.ts'

export interface HeldStore extends Store {
  /** How often `append` was called. */
  readonly appends: number
  /** From now on, appends wait. */
  hold(): void
  letGo(): void
  /** From now on, everything that writes rejects with this; `undefined` ends that. */
  failWith(error: unknown): void
}

/** A store that a test can slow down and break. */
export function heldStore(inner: Store = memoryStore()): HeldStore {
  let gate: ReturnType<typeof createGate> | undefined
  let failure: unknown
  let appends = 0
  return {
    ...bound(inner),
    append: async (batch: Parameters<Store['append']>[0]) => {
      appends++
      await gate?.opened
      if (failure !== undefined) throw failure
      return inner.append(batch)
    },
    get appends() {
      return appends
    },
    hold() {
      gate ??= createGate()
    },
    letGo() {
      gate?.open(undefined)
      gate = undefined
    },
    failWith(error: unknown) {
      failure = error
    },
  }
}

/** The methods of a store, to be overridden one by one. */
export function bound(store: Store): Store {
  return {
    create: (...args) => store.create(...args),
    append: (...args) => store.append(...args),
    load: (...args) => store.load(...args),
    records: (...args) => store.records(...args),
    compact: (...args) => store.compact(...args),
    info: (...args) => store.info(...args),
    list: (...args) => store.list(...args),
    delete: (...args) => store.delete(...args),
    claim: (...args) => store.claim(...args),
    renew: (...args) => store.renew(...args),
    release: (...args) => store.release(...args),
    post: (...args) => store.post(...args),
    inbox: (...args) => store.inbox(...args),
    watch: (...args) => store.watch(...args),
    close: () => store.close(),
  }
}
