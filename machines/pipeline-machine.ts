import { startType, stopType } from './execution.ts'

/**
 * A pipeline is a workflow machine with a step for each of its stages, which invokes the machines of the workflows that
 * the stage runs. Each stage is called once, by the one before it:
 *
 * ```
 *   StartEvent ──▶ extract ──blazen::Stage::enrich──▶ enrich ──▶ … ──▶ publish ──▶ StopEvent
 *                     │                                  ├─ tags ────┐
 *                  a run of                              └─ summary ─┴─ joined
 *                  extractor
 * ```
 *
 * So all that holds for a workflow holds for it, and is said once: transitions, snapshots, records, pausing, timers.
 */
export interface StageRoute {
  readonly name: string
  readonly accepts: string
  readonly emits: string
}

/** How stages follow each other. */
export function toStageRoutes(names: readonly string[]): StageRoute[] {
  return names.map((name, at) => {
    const next = names[at + 1]
    return {
      name,
      accepts: at === 0 ? startType : toStageType(name),
      emits: next === undefined ? stopType : toStageType(next),
    }
  })
}

/** The type of the event that calls a stage. */
export function toStageType(stage: string): string {
  return `blazen::Stage::${stage}`
}

/**
 * How far a pipeline is, from 0 to 1.
 *
 * @param current what is done of the stage that runs, from 0 to 1.
 */
export function computeProgress(done: number, stages: number, current: number): number {
  return stages === 0 ? 0 : Math.min(1, (done + Math.max(0, Math.min(1, current))) / stages)
}
