import type { Store } from './store.ts'

/** The number of the last record of a run, up to number `last`, that is older than `time`; 0 if there is none. */
export async function lastBefore(store: Store, runId: string, last: number, time: number): Promise<number> {
  let [low, high] = [0, last]
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    // Where records are dropped already, the one that comes first behind them speaks for them.
    const [record] = await store.records(runId, { from: middle, limit: 1 })
    if (record === undefined || record.seq > high || record.at >= time) high = middle - 1
    else low = record.seq
  }
  return low
}
