import type { Store, StoredRecord } from './store.ts'

/** How many records are read at once. */
const pageSize = 1_000

/** All records of a run from number `from` on. */
export async function allRecords(store: Store, runId: string, from = 1): Promise<StoredRecord[]> {
  const all: StoredRecord[] = []
  for (;;) {
    const page = await store.records(runId, { from: (all.at(-1)?.seq ?? from - 1) + 1, limit: pageSize })
    all.push(...page)
    if (page.length < pageSize) return all
  }
}
