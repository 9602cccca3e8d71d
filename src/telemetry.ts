import { EventValidationError } from './errors.ts'
import type { AnyEvent, AnyEventType, WorkflowEvent } from './event.ts'

const progressType = 'blazen::ProgressEvent'
const usageType = 'blazen::UsageEvent'

/** How far a step is. */
export interface ProgressData {
  /** From 0 to 100. In its place, `current` of `total`. */
  readonly percent?: number
  readonly current?: number
  /** Above 0. */
  readonly total?: number
  /** What is being done. */
  readonly message?: string
}

/** Tells of the progress of a run: write it to the stream. */
export type ProgressEvent = WorkflowEvent<typeof progressType, ProgressData>

export interface ProgressEventType extends AnyEventType {
  (data: ProgressData): ProgressEvent
  readonly type: typeof progressType
  is(event: unknown): event is ProgressEvent
}

/**
 * Write it to the stream, `ctx.writeEventToStream(ProgressEvent({ current: 3, total: 10 }))`, and `handler.progress`
 * tells of it.
 *
 * @throws EventValidationError for what is no progress.
 */
export const ProgressEvent: ProgressEventType = Object.assign(
  (data: ProgressData): ProgressEvent => {
    const { percent, current, total } = data
    const isPercent = percent !== undefined && percent >= 0 && percent <= 100
    const isShare = current !== undefined && total !== undefined && current >= 0 && total > 0 && current <= total
    if (isPercent || isShare) return { ...data, type: progressType }
    throw new EventValidationError(
      `ProgressEvent takes a percent from 0 to 100, or current of total, got ${JSON.stringify(data)}.`,
      progressType,
    )
  },
  { type: progressType, schema: undefined, is: (event: unknown) => isOf(event, progressType) },
) as ProgressEventType

/** What a call of a model, or of anything that is paid for, has used. */
export interface UsageData {
  readonly model?: string
  /** Tokens that went in. */
  readonly inputTokens?: number
  /** Tokens that came out. */
  readonly outputTokens?: number
  /** In the currency that you count in. */
  readonly cost?: number
}

/** Tells what a run has used: write it to the stream. */
export type UsageEvent = WorkflowEvent<typeof usageType, UsageData>

export interface UsageEventType extends AnyEventType {
  (data: UsageData): UsageEvent
  readonly type: typeof usageType
  is(event: unknown): event is UsageEvent
}

/**
 * Write it to the stream, `ctx.writeEventToStream(UsageEvent({ inputTokens: 812, outputTokens: 44, cost: 0.003 }))`, and
 * `handler.usage` adds it up.
 *
 * @throws EventValidationError for a number that is negative or none.
 */
export const UsageEvent: UsageEventType = Object.assign(
  (data: UsageData): UsageEvent => {
    const { inputTokens = 0, outputTokens = 0, cost = 0 } = data
    if ([inputTokens, outputTokens, cost].every((number) => Number.isFinite(number) && number >= 0))
      return { ...data, type: usageType }
    throw new EventValidationError(
      `UsageEvent takes numbers from 0, as inputTokens, outputTokens and cost, got ${JSON.stringify(data)}.`,
      usageType,
    )
  },
  { type: usageType, schema: undefined, is: (event: unknown) => isOf(event, usageType) },
) as UsageEventType

/** Whether an event is one that telemetry takes note of. */
export function isTelling({ type }: AnyEvent): boolean {
  return type === progressType || type === usageType
}

function isOf(event: unknown, type: string): boolean {
  return (event as AnyEvent | null | undefined)?.type === type
}

/** What was used, added up. */
export interface Usage {
  readonly inputTokens: number
  readonly outputTokens: number
  /** `inputTokens` and `outputTokens` together. */
  readonly totalTokens: number
  readonly cost: number
}

/** What a run has used, with all runs inside it. */
export interface RunUsage extends Usage {
  /** By the path to the step: `tag`, or `enrich/tags/tag` in a run inside. */
  readonly steps: Readonly<Record<string, Usage>>
}

const noUsage: Usage = { inputTokens: 0, outputTokens: 0, totalTokens: 0, cost: 0 }

/** What the steps of a run, and of those inside it, have told of their work in this process. */
export class Telemetry {
  /** What is done of the run, from 0 to 1. */
  progress = 0
  readonly #steps = new Map<string, Usage>()

  /** @param path the steps, and branches, that lead to the one that has written the event. */
  note(event: AnyEvent, path: readonly string[]): void {
    if (ProgressEvent.is(event) && path.length === 1) {
      const { percent, current = 0, total = 1 } = event
      this.progress = percent === undefined ? current / total : percent / 100
    }
    if (!UsageEvent.is(event)) return
    const key = path.join('/')
    this.#steps.set(key, add(this.#steps.get(key) ?? noUsage, event))
  }

  /** Of the steps below `stage`; of all where none is named. */
  usage(stage?: string): RunUsage {
    const steps = [...this.#steps].filter(([path]) => stage === undefined || path.split('/')[0] === stage)
    return { ...steps.reduce((sum, [, usage]) => add(sum, usage), noUsage), steps: Object.fromEntries(steps) }
  }
}

function add(sum: Usage, { inputTokens = 0, outputTokens = 0, cost = 0 }: UsageData): Usage {
  return {
    inputTokens: sum.inputTokens + inputTokens,
    outputTokens: sum.outputTokens + outputTokens,
    totalTokens: sum.totalTokens + inputTokens + outputTokens,
    cost: sum.cost + cost,
  }
}
