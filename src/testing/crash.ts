import { createHost, type Host } from '../host.ts'
import { memoryStore } from '../memory-store.ts'
import type { Store, StoredRecord } from '../store.ts'
import type { AnyWorkflow } from '../workflow.ts'
import { createCutStore } from './cut-store.ts'

export interface CrashOptions {
  readonly input?: unknown
  /** The answers to input requests, by request id, or a function that gives them. */
  readonly answers?: Readonly<Record<string, unknown>> | ((requestId: string) => unknown)
  /** Effects outside the run that have to be the same however often it was cut: cleared before each run, read after it. */
  readonly effects?: { clear(): void; read(): unknown }
  /** How long one run may take, with all that it waits for. @default 10000 */
  readonly timeoutMs?: number
}

export interface CrashReport {
  /** How many records an undisturbed run has. */
  readonly records: number
  /** The numbers of the records at which the run was cut. */
  readonly cuts: readonly number[]
  readonly result: unknown
}

/** What there is to compare of a run. */
interface Outcome {
  readonly result: unknown
  readonly error: string | undefined
  readonly state: Readonly<Record<string, unknown>>
  readonly effects: unknown
  readonly records: readonly StoredRecord[]
}

/**
 * Runs a workflow once, then once for each of its records: the process "dies" when that record is stored, another one
 * recovers the run, and result, state and effects have to be the same. No step that settled runs again.
 *
 * @throws Error at the first difference.
 */
export async function crashAtEveryRecord(workflow: AnyWorkflow, options: CrashOptions = {}): Promise<CrashReport> {
  const expected = await runCutAt(workflow, options, Number.POSITIVE_INFINITY)
  const cuts: number[] = []
  for (let cut = 1; cut < expected.records.length; cut++) {
    const got = await runCutAt(workflow, options, cut)
    cuts.push(cut)
    compare(`cut at record ${cut}`, { ...expected, records: [] }, { ...got, records: [] })
    checkRecords(cut, got.records)
  }
  return { records: expected.records.length, cuts, result: expected.result }
}

async function runCutAt(workflow: AnyWorkflow, options: CrashOptions, cut: number): Promise<Outcome> {
  options.effects?.clear()
  let skippedMs = 0
  const store = memoryStore({ now: () => Date.now() + skippedMs })
  const cutStore = createCutStore(store, cut)
  const settings = { workflows: [workflow], pollMs: 10, leaseMs: '1h', graceMs: 0 } as const
  const first = createHost({ store: cutStore, ...settings, recover: false })
  const { runId } = await first.run(workflow, options.input as never)
  const stopped = new AbortController()
  const until = Date.now() + (options.timeoutMs ?? 10_000)
  try {
    await Promise.race([answer(first, runId, options, stopped.signal, until), cutStore.cut])
    if (!cutStore.isCut) return await outcomeOf(first, store, runId, options)
    stopped.abort()
    // The dead host's lease runs out.
    skippedMs += 7_200_000
    await using second = createHost({ store, ...settings })
    await answer(second, runId, options, new AbortController().signal, until)
    return await outcomeOf(second, store, runId, options)
  } finally {
    stopped.abort()
    if (!cutStore.isCut) await first.close()
  }
}

/** Answers what the run asks, until it has ended. */
async function answer(
  host: Host,
  runId: string,
  { answers }: CrashOptions,
  signal: AbortSignal,
  until: number,
): Promise<void> {
  while (!signal.aborted) {
    const run = await host.get(runId)
    const status = await run?.status()
    if (status === undefined || status === 'completed' || status === 'failed' || status === 'aborted') return
    for (const { requestId } of (await run?.pendingInputs()) ?? []) {
      const response = typeof answers === 'function' ? answers(requestId) : answers?.[requestId]
      // It may have been answered just before the process died.
      await run?.respondToInput(requestId, response).catch(() => {})
    }
    if (Date.now() > until)
      throw new Error(`The run has not ended in time: it is ${status}, after ${await lastRecords(host, runId)}.`)
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
}

async function lastRecords(host: Host, runId: string): Promise<string> {
  return (await host.history(runId)).map(({ seq, kind, step }) => `${seq} ${kind} ${step ?? ''}`.trim()).join(', ')
}

async function outcomeOf(host: Host, store: Store, runId: string, { effects }: CrashOptions): Promise<Outcome> {
  await ended(store, runId)
  const settled = await host.get(runId).then((run) =>
    run?.result().then(
      (result) => ({ result, error: undefined }),
      (error: unknown) => ({ result: undefined, error: String(error) }),
    ),
  )
  const state: Record<string, unknown> = {}
  for (const { writes = [] } of await host.history(runId)) for (const [key, value] of writes) state[key] = value
  return {
    result: settled?.result,
    error: settled?.error?.replaceAll(runId, 'the run'),
    state,
    effects: effects?.read(),
    records: await store.records(runId),
  }
}

async function ended(store: Store, runId: string): Promise<void> {
  for (;;) {
    const status = (await store.info(runId))?.status
    if (status === 'completed' || status === 'failed' || status === 'aborted' || status === undefined) return
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
}

/** Numbers without gaps, and every execution settled at most once. */
function checkRecords(cut: number, records: readonly StoredRecord[]): void {
  const settled = new Set<unknown>()
  const begun = new Map<string, number>()
  for (const [index, { seq, kind, body }] of records.entries()) {
    if (seq !== index + 1) throw new Error(`cut at record ${cut}: expected record ${index + 1}, got ${seq}.`)
    if (kind !== 'settled' && kind !== 'begun') continue
    const { execution: id, step, in: way = [], child } = JSON.parse(body)
    if (kind === 'begun') {
      // A run that is begun anew has executions of its own.
      const key = JSON.stringify([...way, [id, step, child.name]])
      begun.set(key, (begun.get(key) ?? 0) + 1)
      continue
    }
    const execution = JSON.stringify([way, begun.get(JSON.stringify(way)), id])
    if (settled.has(execution))
      throw new Error(`cut at record ${cut}: execution ${execution} of step "${step}" settled twice.`)
    settled.add(execution)
  }
}

function compare(where: string, expected: Outcome, got: Outcome): void {
  // What else had settled when a run failed is chance.
  const parts = expected.error === undefined ? (['error', 'result', 'state', 'effects'] as const) : (['error'] as const)
  for (const part of parts) {
    const [one, other] = [toText(expected[part]), toText(got[part])]
    if (one !== other) throw new Error(`${where}: expected ${part} ${one}, got ${other}.`)
  }
}

/** A text that two equal values have in common, whatever the order of their keys. */
function toText(value: unknown): string {
  return (
    JSON.stringify(value, (_, each: unknown) => {
      if (each instanceof Map || each instanceof Set) return { [each.constructor.name]: [...each] }
      if (typeof each === 'bigint') return { bigint: String(each) }
      if (typeof each !== 'object' || each === null || Array.isArray(each)) return each
      return Object.fromEntries(Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1)))
    }) ?? 'undefined'
  )
}
