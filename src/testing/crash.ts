import { createHost, type Host } from '../host.ts'
import { memoryStore } from '../memory-store.ts'
import type { Store, StoredRecord } from '../store.ts'
import { endedStatuses } from '../store-rules.ts'
import type { AnyWorkflow } from '../workflow.ts'
import { createCutStore } from './cut-store.ts'
import { type Answers, driveRun } from './driven-run.ts'
import { mockSteps } from './mock-steps.ts'
import { realNow, realPause } from './real-time.ts'
import { checkCalls, settledIn } from './settled-calls.ts'
import { virtualTime } from './virtual-time.ts'

/** What a function gets of the machine's time before time passes over it; a dead process's wait for as long in vain. */
const patienceMs = 100

/** How the run is started, answered and judged. */
export interface CrashOptions {
  readonly input?: unknown
  /**
   * The answers to input requests, by request id, or a function that gives them; `undefined` is none. What a run inside
   * asks has the path to it before its own id: `{ 'order#1/approve': 'yes' }`.
   */
  readonly answers?: Answers
  /** Effects outside the run that have to be the same however often it was cut: cleared before each run, read after it. */
  readonly effects?: { clear(): void; read(): unknown }
  /**
   * Whether the process also dies just before each record is stored: what it tells of has happened, and nobody knows,
   * so the function is called again, and its effects have to bear that.
   *
   * @default true where `effects` are given
   */
  readonly lostRecords?: boolean
  /** How long one run may take, in the machine's own time: delays, retries and timeouts pass at once. @default 10000 */
  readonly timeoutMs?: number
}

/** What was found the same, wherever the run was cut. */
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
 * recovers the run, and result, state and effects have to be the same. No function is called again for an execution that
 * had settled. Time is virtual: a workflow may wait for days. An input request with a timeout that has no answer in
 * `answers` runs out of time. The run has the same id however often it is cut, so that what holds `ctx.executionId` is
 * the same too.
 *
 * @throws Error at the first difference, and at once where the run waits for an answer that `answers` does not have, or
 * one is refused by its schema.
 */
export async function crashAtEveryRecord(workflow: AnyWorkflow, options: CrashOptions = {}): Promise<CrashReport> {
  // Not the same for all calls: what they do outside, by the keys of their executions, is not of one another.
  const runId = crypto.randomUUID()
  const expected = await runCutAt(workflow, options, { runId, seq: Number.POSITIVE_INFINITY, where: '' })
  const cuts: number[] = []
  const tryCut = async (cut: Cut) => {
    const got = await runCutAt(workflow, options, cut)
    compare(cut.where, expected, got)
    checkRecords(cut.where, got.records)
  }
  const { effects, lostRecords = effects !== undefined } = options
  for (let seq = 1; seq < expected.records.length; seq++) {
    await tryCut({ runId, seq, where: `cut at record ${seq}` })
    const next = seq + 1
    if (lostRecords) await tryCut({ runId, seq: next, where: `cut before record ${next}`, lost: true })
    cuts.push(seq)
  }
  return { records: expected.records.length, cuts, result: expected.result }
}

/** When a process dies. */
interface Cut {
  readonly runId: string
  readonly seq: number
  readonly where: string
  /** Whether that record is not stored any more. */
  readonly lost?: boolean
}

async function runCutAt(workflow: AnyWorkflow, options: CrashOptions, cut: Cut): Promise<Outcome> {
  const { runId } = cut
  const { answers, effects } = options
  effects?.clear()
  let skippedMs = 0
  const store = memoryStore({ now: () => Date.now() + skippedMs })
  const cutStore = createCutStore(store, cut.seq, cut.lost)
  const until = realNow() + (options.timeoutMs ?? 10_000)
  const time = virtualTime({ patience: patienceMs })
  const settings = { pollMs: 10, leaseMs: '1h', graceMs: 0 } as const
  const first = createHost({ ...settings, store: cutStore, clock: time.clock, workflows: [workflow], recover: false })
  try {
    await first.run(workflow, options.input as never, { runId })
    const here = { host: first, runId, answers, until }
    const driven = driveRun({ ...here, time, isOver: () => cutStore.isCut, isHeld: true })
    await Promise.race([driven, cutStore.cut])
    if (!cutStore.isCut) return await outcomeOf(first, store, runId, options)
    // The dead host's lease runs out, and its timers are nobody's.
    skippedMs += 7_200_000
    const later = virtualTime({ start: time.now(), patience: patienceMs })
    const settled = await settledIn(store, runId)
    const watched = mockSteps(workflow, {})
    await using second = createHost({ ...settings, store, clock: later.clock, workflows: [watched] })
    await driveRun({ ...here, host: second, time: later, isOver: () => false, isHeld: false })
    checkCalls(cut.where, settled, watched)
    return await outcomeOf(second, store, runId, options)
  } finally {
    if (!cutStore.isCut) await first.close()
  }
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
    error: settled?.error,
    state,
    effects: effects?.read(),
    records: await store.records(runId),
  }
}

async function ended(store: Store, runId: string): Promise<void> {
  for (;;) {
    const status = (await store.info(runId))?.status
    if (status === undefined || endedStatuses.includes(status)) return
    await realPause(1)
  }
}

/** Numbers without gaps, and every execution settled at most once. */
function checkRecords(where: string, records: readonly StoredRecord[]): void {
  const settled = new Set<unknown>()
  const begun = new Map<string, number>()
  for (const [index, { seq, kind, body }] of records.entries()) {
    if (seq !== index + 1) throw new Error(`${where}: expected record ${index + 1}, got ${seq}.`)
    if (kind !== 'settled' && kind !== 'begun') continue
    const { execution: id, step, in: way = [], child } = JSON.parse(body)
    if (kind === 'begun') {
      // A run that is begun anew has executions of its own.
      const key = JSON.stringify([...way, [id, step, child.name]])
      begun.set(key, (begun.get(key) ?? 0) + 1)
      continue
    }
    const execution = JSON.stringify([way, begun.get(JSON.stringify(way)), id])
    if (settled.has(execution)) throw new Error(`${where}: execution ${execution} of step "${step}" settled twice.`)
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
