import { type Attempt, clockOf, now } from '../machines/index.ts'
import { type ChildType, checkOpen } from './child-type.ts'
import { allOf, firstOf, openChild, resultOf, untilEnded } from './children.ts'
import { StageError } from './composition-errors.ts'
import { attemptOf, type StepContext } from './context.ts'
import type { NamedStep, RetryOptions } from './definition.ts'
import type { AnyEventType } from './event.ts'
import { pipelineInput, type StageRecord, stageRecord, writePipelineInput, writeStageRecord } from './stage-record.ts'
import type { StateNamespace, StateProperties } from './state.ts'

/** What mappers and conditions of a stage see. */
export interface StageView<
  Input = unknown,
  Last = unknown,
  Results = object,
  Shared extends object = Record<string, unknown>,
> {
  readonly runId: string
  /** The input of the pipeline. */
  readonly input: Input
  /** The result of the last stage that was not skipped; before the first one, the input. In a loop, of the last round. */
  readonly last: Last
  /** The results of the stages before this one, by name; skipped ones have none. */
  readonly results: Results
  /** The state that the pipeline shares with its stages. */
  readonly shared: StateNamespace<Shared> & StateProperties<Shared>
  /** Of a loop, the round that begins, from 1. */
  readonly round: number | undefined
}

/** A run that a stage begins. */
export interface StageRun {
  /** The branch; empty where there is but one. */
  readonly name: string
  readonly type: ChildType
  readonly input: ((view: StageView) => unknown) | undefined
  readonly when: ((view: StageView) => boolean | Promise<boolean>) | undefined
}

/** A stage, as its pipeline runs it. */
export interface Stage {
  readonly name: string
  readonly kind: 'stage' | 'parallel' | 'loop'
  readonly runs: readonly StageRun[]
  readonly join: 'all' | 'first'
  readonly when: StageRun['when']
  readonly timeoutMs: number | undefined
  readonly retry: RetryOptions | undefined
  /** Of a loop. */
  readonly until: ((result: unknown, round: number, view: StageView) => boolean | Promise<boolean>) | undefined
  readonly max: number
}

/** The step that a stage is. */
export function toStageStep(
  stage: Stage,
  before: readonly Stage[],
  { accepts, emits, next }: { accepts: AnyEventType; emits: AnyEventType; next: (result: unknown) => unknown },
): NamedStep {
  const types = new Map(stage.runs.map(({ name, type }) => [name, type]))
  const only = stage.runs[0]?.type
  return {
    name: stage.name,
    options: { accepts, emits, retry: stage.retry ?? { attempts: 1 } },
    children: stage.runs.map(({ type }) => type),
    child: (name: string) => (stage.kind === 'loop' ? only : types.get(name)),
    run: async (event: { readonly input?: unknown }, ctx: StepContext) => {
      const attempt = attemptOf(ctx)
      if (before.length === 0) writePipelineInput(attempt, event.input)
      const last = lastOf(attempt, before)
      const begun = stageRecord(attempt.run, stage.name)
      const startedAt = begun?.startedAt ?? now(clockOf(attempt.scope))
      const view = createView(attempt, ctx, before, last)
      const isGoingOn = begun !== undefined && begun.attempt === attempt.number
      const chosen = isGoingOn ? begun.chosen : await choose(stage, view)
      const record = { startedAt, attempt: attempt.number, ...(chosen === undefined ? {} : { chosen }) }
      let done: Pick<StageRecord, 'status' | 'result'> = { status: 'skipped' }
      checkOpen(attempt)
      if (chosen === undefined || chosen.length > 0) {
        if (!isGoingOn) writeStageRecord(attempt, stage.name, { ...record, status: 'running' })
        done = { status: 'completed', result: await work(stage, attempt, view, chosen ?? ['']) }
      }
      checkOpen(attempt)
      writeStageRecord(attempt, stage.name, {
        ...{ ...record, ...done },
        durationMs: now(clockOf(attempt.scope)) - startedAt,
      })
      return next(done.status === 'completed' ? done.result : last)
    },
  } as unknown as NamedStep
}

/** The branches to run; none where the whole stage is skipped, `undefined` where there are no branches. */
async function choose(stage: Stage, view: StageView): Promise<readonly string[] | undefined> {
  const { name, kind, runs, when } = stage
  if (when !== undefined && !(await guard(name, 'condition', () => when(view)))) return []
  if (kind !== 'parallel') return undefined
  const chosen: string[] = []
  for (const run of runs) {
    const where = `${name}::${run.name}`
    if (run.when === undefined || (await guard(where, 'condition', () => run.when?.(view)))) chosen.push(run.name)
  }
  return chosen
}

function work(stage: Stage, attempt: Attempt, view: StageView, chosen: readonly string[]): Promise<unknown> {
  return stage.kind === 'loop' ? loop(stage, attempt, view) : runAll(stage, attempt, view, chosen)
}

async function runAll(
  { name: stage, kind, runs, join, timeoutMs }: Stage,
  attempt: Attempt,
  view: StageView,
  chosen: readonly string[],
): Promise<unknown> {
  const starting = runs.filter((run) => chosen.includes(run.name))
  const inputs = new Map<string, unknown>()
  for (const { name, input } of starting) {
    if (attempt.execution.children?.has(name)) continue
    const where = name === '' ? stage : `${stage}::${name}`
    inputs.set(name, input === undefined ? view.last : await guard(where, 'input mapper', () => input(view)))
  }
  const children = starting.map(({ name, type }) =>
    openChild(attempt, type, name, () => ({ input: inputs.get(name), timeoutMs })),
  )
  const ended = await untilEnded(attempt, children, (so) => so.some((one) => 'error' in one === (join === 'all')))
  if (kind === 'stage') return resultOf(ended[0])
  return join === 'all' ? allOf(chosen, ended) : firstOf(ended, attempt)
}

async function loop(
  { name: stage, runs: [body], until, max, timeoutMs }: Stage,
  attempt: Attempt,
  view: StageView,
): Promise<unknown> {
  if (body === undefined) return undefined
  let { last } = view
  let left = timeoutMs
  const begun = [...(attempt.execution.children?.keys() ?? [])].map(Number)
  for (let round = Math.max(1, ...begun); ; round++) {
    const here: StageView = Object.create(view, { last: { value: last }, round: { value: round } })
    const isBegun = attempt.execution.children?.has(String(round)) === true
    const input =
      isBegun || body.input === undefined ? last : await guard(stage, 'input mapper', () => body.input?.(here))
    const child = openChild(attempt, body.type, String(round), () => ({
      ...{ input, timeoutMs: left },
      drop: [String(round - 1)],
    }))
    const [ended] = await untilEnded(attempt, [child], () => true)
    last = resultOf(ended)
    left = child.run.timeLeftMs
    const after: StageView = Object.create(view, { last: { value: last }, round: { value: round } })
    if (round >= max || (await guard(stage, 'until', () => until?.(last, round, after)))) return last
  }
}

function createView(attempt: Attempt, ctx: StepContext, before: readonly Stage[], last: unknown): StageView {
  const { run } = attempt
  let results: object | undefined
  return {
    ...{ runId: run.id, last, round: undefined },
    get input() {
      return pipelineInput(run)
    },
    get results() {
      results ??= Object.fromEntries(
        before.flatMap(({ name }) => {
          const record = stageRecord(run, name)
          return record?.status === 'completed' ? [[name, record.result]] : []
        }),
      )
      return results
    },
    get shared() {
      return ctx.state
    },
  }
}

function lastOf({ run }: Attempt, before: readonly Stage[]): unknown {
  for (const { name } of before.toReversed()) {
    const record = stageRecord(run, name)
    if (record?.status === 'completed') return record.result
  }
  return pipelineInput(run)
}

/** @throws StageError with the stage's name, for whatever the function throws. */
async function guard<Value>(stage: string, part: string, fn: () => Value | Promise<Value>): Promise<Value> {
  try {
    return await fn()
  } catch (cause) {
    throw new StageError(stage, part, cause)
  }
}
