import type { Append, NewRun, Store } from '../store.ts'

/** A store as a process sees it that dies when a record is stored: from then on nothing answers. */
export interface CutStore extends Store {
  readonly isCut: boolean
  /** Resolves when it is cut. */
  readonly cut: Promise<void>
}

const never = () => new Promise<never>(() => {})

/** Cuts when record `seq` of any run is stored, or, where it is `lost`, just before it would be. */
export function createCutStore(store: Store, seq: number, lost = false): CutStore {
  let isCut = false
  let tell = () => {}
  const cut = new Promise<void>((resolve) => {
    tell = resolve
  })
  const end = () => {
    isCut = true
    tell()
    return never()
  }
  const alive = <Arguments extends unknown[], Result>(fn: (...args: Arguments) => Promise<Result>) => {
    return (...args: Arguments): Promise<Result> => (isCut ? never() : fn(...args))
  }
  return {
    create: alive(async (run: NewRun, owner) => {
      const created = await store.create(run, owner)
      // The caller has to learn the id; nothing else of it comes to pass.
      if (seq <= run.records.length) void end()
      return created
    }),
    append: alive(async (appends: readonly Append[]) => {
      const last = Math.max(...appends.map(({ records, expectedSeq }) => records.at(-1)?.seq ?? expectedSeq))
      if (last < seq) return store.append(appends)
      const kept = appends.map((each) => ({
        ...each,
        records: each.records.filter((record) => (lost ? record.seq < seq : record.seq <= seq)),
      }))
      // What only follows from a lost record is lost with it.
      if (!lost || kept.some(({ records }) => records.length > 0)) await store.append(kept)
      return end()
    }),
    load: alive((runId) => store.load(runId)),
    records: alive((runId, options) => store.records(runId, options)),
    compact: alive((...args) => store.compact(...args)),
    info: alive((runId) => store.info(runId)),
    list: alive((filter) => store.list(filter)),
    delete: alive((runId) => store.delete(runId)),
    claim: alive((claim) => store.claim(claim)),
    renew: alive((...args) => store.renew(...args)),
    release: alive((...args) => store.release(...args)),
    post: alive((...args) => store.post(...args)),
    inbox: alive((runId) => store.inbox(runId)),
    watch: () => ({ unsubscribe: () => {} }),
    close: async () => {},
    get isCut() {
      return isCut
    },
    cut,
  }
}
