import type { Store } from '../store.ts'
import type { StepCalls } from './mock-steps.ts'

/** By the id of an execution that has settled: its step, and the number of the record that says so. */
export type SettledCalls = ReadonlyMap<string, { readonly step: string; readonly seq: number }>

export async function settledIn(store: Store, runId: string): Promise<SettledCalls> {
  const settled = new Map<string, { step: string; seq: number }>()
  for (const { seq, kind, body } of await store.records(runId)) {
    if (kind !== 'settled') continue
    const { execution, step, in: way } = JSON.parse(body)
    // The functions of runs inside are not watched.
    if (way !== undefined) continue
    settled.set(`${runId}/${execution}`, { step, seq })
  }
  return settled
}

/** @throws Error where a function was called for an execution that had settled. */
export function checkCalls(where: string, settled: SettledCalls, watched: StepCalls<unknown, unknown>): void {
  for (const [executionId, { step, seq }] of settled) {
    if (watched.calls(step).every((call) => call.executionId !== executionId)) continue
    throw new Error(
      `${where}: the function of step "${step}" was called again for execution ${executionId}, which had settled in record ${seq}.`,
    )
  }
}
