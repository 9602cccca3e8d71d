import { type Attempt, type Run, Writes } from '../machines/index.ts'
import { read, type Stored, store } from './codec.ts'
import { LiveRun } from './live-run.ts'
import { toStageKey } from './state-key.ts'

/** Where a stage of a pipeline stands. */
export type StageStatus = 'pending' | 'running' | 'completed' | 'skipped'

/** What a pipeline keeps of a stage, among its state. */
export interface StageRecord {
  readonly status: Exclude<StageStatus, 'pending'>
  /** When it began, in milliseconds since the epoch. */
  readonly startedAt: number
  /** The attempt that this is of. */
  readonly attempt: number
  /** Of a stage with branches: those whose conditions hold. */
  readonly chosen?: readonly string[]
  readonly durationMs?: number
  readonly result?: unknown
}

export function stageRecord(run: Run, stage: string): StageRecord | undefined {
  return run.state.get(toStageKey(stage)) === undefined ? undefined : (readEntry(run, stage) as StageRecord)
}

export function writeStageRecord(attempt: Attempt, stage: string, record: StageRecord): void {
  writeEntry(attempt, stage, record)
}

export function pipelineInput(run: Run): unknown {
  return readEntry(run, '')
}

export function writePipelineInput(attempt: Attempt, input: unknown): void {
  writeEntry(attempt, '', input)
}

function readEntry(run: Run, stage: string): unknown {
  return read(run.state.get(toStageKey(stage)) as Stored)
}

function writeEntry(attempt: Attempt, stage: string, value: unknown): void {
  const { run } = attempt
  attempt.writes ??= new Writes()
  run.state.write(attempt.writes, toStageKey(stage), store(value, LiveRun.of(run).blueprint.classes))
}
