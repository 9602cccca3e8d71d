import { readFileSync } from 'node:fs'
import { createHost, type HistoryRecord, type RunInfo, type Store } from 'blazen-xstate'
import { expect } from 'vitest'
import { type Call, expectedOf, ledger, toCallKey } from './ledger.ts'

/** Waits until all runs have ended. */
export async function allEnded(store: Store, giveUpAfterMs = 60_000): Promise<RunInfo[]> {
  const giveUpAt = Date.now() + giveUpAfterMs
  for (;;) {
    const going = (await store.list({ status: ['running', 'waiting', 'pausing', 'paused'] })).runs
    if (going.length === 0) break
    if (Date.now() > giveUpAt) throw new Error(`These do not end: ${JSON.stringify(going, null, 1)}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  const runs: RunInfo[] = []
  for (let cursor: string | undefined; ; ) {
    const page = await store.list({ limit: 1_000, ...(cursor === undefined ? {} : { cursor }) })
    runs.push(...page.runs)
    cursor = page.cursor
    if (cursor === undefined) return runs
  }
}

/** What was found of runs that have ended well. */
export interface Audit {
  readonly runs: number
  readonly records: number
  readonly calls: number
}

/**
 * Holds that every run of the ledger came out as one that was never disturbed; that its records are without a gap and
 * each execution settled once; and that no function was called again after its call had settled.
 *
 * @param naps how often a process was put to sleep: each time, one call that was about to be made is made late.
 */
export async function audit(store: Store, effects: string, naps = 0): Promise<Audit> {
  const runs = await allEnded(store)
  const calls = readCalls(effects)
  const last = new Map(calls.map(({ executionId, call }) => [executionId, call]))
  await using host = createHost({ store, workflows: [ledger(effects)], recover: false })
  let records = 0
  const late: string[] = []
  for (const { runId, status, seq } of runs) {
    const run = await host.get(runId)
    expect([runId, status, await run?.result()]).toEqual([runId, 'completed', expectedOf(runId)])
    const history = (await run?.history()) ?? []
    expect(history.map((record) => record.seq)).toEqual(Array.from({ length: seq }, (_, at) => at + 1))
    expect(history.at(-1)?.kind).toBe('completed')
    const settled = settledIn(runId, history)
    expect(new Set(settled.map(({ executionId }) => executionId)).size).toBe(settled.length)
    for (const { executionId, call } of settled) {
      expect(call).toBeTypeOf('string')
      if (last.get(executionId) !== call) late.push(executionId)
    }
    records += seq
  }
  expect(late.slice(naps)).toEqual([])
  return { runs: runs.length, records, calls: calls.length }
}

/** The calls whose effects are in the run. */
function settledIn(runId: string, history: readonly HistoryRecord[]): { executionId: string; call: unknown }[] {
  return history.flatMap(({ kind, execution, writes }) => {
    if (kind !== 'settled') return []
    const executionId = `${runId}/${execution}`
    return [{ executionId, call: writes?.find(([key]) => key === toCallKey(executionId))?.[1] }]
  })
}

function readCalls(effects: string): Call[] {
  const lines = readFileSync(effects, 'utf8').split('\n')
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line))
}
