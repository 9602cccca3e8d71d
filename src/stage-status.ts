import { computeProgress, nestedRuns, type Run } from '../machines/index.ts'
import { LiveRun } from './live-run.ts'
import { type StageStatus, stageRecord } from './stage-record.ts'
import type { Usage } from './telemetry.ts'

/** A stage of a run, as it stands. */
export interface StageState {
  readonly name: string
  /** `failed` where the run failed in it. */
  readonly status: StageStatus | 'failed'
  /** What it came to. */
  readonly result: unknown
  /** From when it began to its end; `undefined` before that. */
  readonly durationMs: number | undefined
  readonly skipped: boolean
  /** What its steps have used, in this process. */
  readonly usage: Usage
}

/** The stages of a run of a pipeline, in order; none of another workflow. */
export function stagesOf(run: Run): StageState[] {
  if (!(run.local instanceof LiveRun)) return []
  const { blueprint, telemetry } = run.local
  return (blueprint.stages ?? []).map((name) => {
    const { status = 'pending', result, durationMs } = stageRecord(run, name) ?? {}
    return {
      ...{ name, result, durationMs },
      status: status === 'running' && run.failure !== undefined ? 'failed' : status,
      skipped: status === 'skipped',
      usage: telemetry.usage(name),
    }
  })
}

/** How far a run is, from 0 to 1, as far as it tells. */
export function progressOf(run: Run): number {
  const live = run.local instanceof LiveRun ? run.local : undefined
  const stages = live?.blueprint.stages
  if (live === undefined || stages === undefined) return live?.telemetry.progress ?? 0
  const done = stages.filter((name) => ['completed', 'skipped'].includes(stageRecord(run, name)?.status ?? '')).length
  const below = [...nestedRuns(run)].filter(({ parent }) => parent === run)
  const current = below.reduce((sum, { child }) => sum + (child.hasEnded ? 1 : progressOf(child.run)), 0)
  return computeProgress(done, stages.length, below.length === 0 ? 0 : current / below.length)
}
