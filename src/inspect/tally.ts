import type { SeenEdge } from '../../machines/index.ts'
import type { HistoryRecord } from '../history.ts'

/** What a step has done in a run. */
export interface StepTally {
  /** How many executions have settled. */
  settled: number
  /** How many attempts have failed and were made again. */
  retried: number
  /** How long its attempts took that settled, together. */
  totalMs: number
  /** Whether the run has failed of it. */
  hasFailed: boolean
}

/** A run, counted. */
export interface Tally {
  readonly steps: ReadonlyMap<string, StepTally>
  /** How many events of a type a step has returned or sent. */
  readonly countOf: (step: string, type: string) => number
  readonly seen: readonly SeenEdge[]
}

/** Counts what the records of a run tell. */
export function computeTally(history: readonly HistoryRecord[]): Tally {
  const steps = new Map<string, StepTally>()
  const edges = new Map<string, { readonly edge: SeenEdge; count: number }>()
  const at = (step: string): StepTally => {
    const known = steps.get(step) ?? { settled: 0, retried: 0, totalMs: 0, hasFailed: false }
    steps.set(step, known)
    return known
  }
  const see = (step: string, type: string) => {
    const key = JSON.stringify([step, type])
    const known = edges.get(key) ?? { edge: { step, type }, count: 0 }
    known.count++
    edges.set(key, known)
  }

  // What an execution did before it settled is recorded without its step.
  const stepOf = new Map<number, string>()
  for (const { execution, step } of history)
    if (execution !== undefined && step !== undefined) stepOf.set(execution, step)
  for (const record of history) {
    const { kind, execution, event, events = [], durationMs = 0 } = record
    if (kind === 'failed') {
      const failed = record.step ?? stepIn(record.error)
      if (failed !== undefined) at(failed).hasFailed = true
    }
    const step = record.step ?? stepOf.get(execution ?? 0)
    if (step === undefined) continue
    if (kind === 'settled') {
      const tally = at(step)
      tally.settled++
      tally.totalMs += durationMs
      for (const { type } of events) see(step, type)
    }
    if (kind === 'sent' && event !== undefined) see(step, event.type)
    if (kind === 'retried') at(step).retried++
  }
  return {
    steps,
    countOf: (step, type) => edges.get(JSON.stringify([step, type]))?.count ?? 0,
    seen: [...edges.values()].map(({ edge }) => edge),
  }
}

/** The step that an error of the engine tells of. */
function stepIn(error: unknown): string | undefined {
  const isTelling = typeof error === 'object' && error !== null && 'step' in error && typeof error.step === 'string'
  return isTelling ? (error.step as string) : undefined
}
