import type { ClassRegistry } from '../class-codec.ts'
import { answeredBy } from '../inbox.ts'
import type { Store } from '../store.ts'
import { historyOf } from './run-view.ts'
import { toJson } from './shown-value.ts'

/** A record that answers a request. */
export interface FoundAnswer {
  readonly seq: number
  readonly response: unknown
}

/** What answers a request first after record `seq`. Of a run inside, the id has the way before it. */
export async function findAnswer(
  store: Store,
  runId: string,
  requestId: string,
  seq: number,
  classes: ClassRegistry,
): Promise<FoundAnswer | undefined> {
  for (let from = seq + 1; ; ) {
    const records = await store.records(runId, { from, limit: 1_000 })
    const found = records.find(({ kind, body }) => kind === 'answered' && answeredBy(JSON.parse(body)) === requestId)
    if (found !== undefined) return { seq: found.seq, response: historyOf(found, classes).response }
    const last = records.at(-1)
    if (last === undefined || records.length < 1_000) return undefined
    from = last.seq + 1
  }
}

/** Whether two values are the same, as far as they are shown. */
export function isSameShown(one: unknown, other: unknown): boolean {
  return JSON.stringify(toJson(one)) === JSON.stringify(toJson(other))
}
