import { stopType, toStageRoutes } from '../machines/index.ts'
import { ChildType } from './child-type.ts'
import type { NamedStep, RetryOptions, WorkflowDefinition, WorkflowOptions } from './definition.ts'
import { attempt, optionalMs } from './definition-problem.ts'
import type { Duration } from './duration.ts'
import { type AnyEventType, StopEvent } from './event.ts'
import type { InputOf, OutputOf, Schema } from './schema.ts'
import { type Stage, type StageRun, type StageView, toStageStep } from './stage.ts'
import { toRetryPolicy } from './step.ts'
import type { SubInput, SubResult } from './sub-workflow.ts'
import { type AnyWorkflow, compiledOf, Workflow } from './workflow.ts'

/** What holds for all stages and runs of a pipeline. */
export interface PipelineOptions<
  Input extends Schema = Schema,
  Shared extends Schema<unknown, object> = Schema<unknown, object>,
> extends Pick<
    WorkflowOptions,
    'version' | 'migrate' | 'timeout' | 'onInput' | 'streamBuffer' | 'session' | 'sessionPausePolicy' | 'classes'
  > {
  /** The schema of the input: checked, and completed with defaults, before a run starts. */
  readonly input?: Input
  /** The schema of the state that stages share, as `ctx.shared`: its type, and its defaults. */
  readonly shared?: Shared
  /** For steps of the stages' workflows that have no `retry` of their own, nor their workflow. */
  readonly retry?: RetryOptions
}

/** What all kinds of stages take. */
export interface StageOptions<View> {
  /** Whether the stage runs. One that is skipped changes nothing of what the next one gets. */
  readonly when?: (view: View) => boolean | Promise<boolean>
  /** How long each of its runs may take, not counting the time in which it waits for a person, or is paused; of a loop, all rounds together. */
  readonly timeout?: Duration
  /** Runs that fail are begun anew, with what the stage began with. */
  readonly retry?: RetryOptions
  /**
   * Whether its runs have sessions of their own, or that of the pipeline.
   *
   * @default 'own'
   */
  readonly session?: 'own' | 'shared'
}

export interface MappedOptions<View, Input> extends StageOptions<View> {
  /** The input of the stage's workflow. @default the last result */
  readonly input?: (view: View) => Input | Promise<Input>
}

export interface LoopOptions<View, Input, Result> extends MappedOptions<View, Input> {
  /** Whether the loop is done, after each round; rounds are counted from 1. */
  readonly until?: (result: Result, round: number, view: View) => boolean | Promise<boolean>
  /** The most rounds: a whole number from 1. */
  readonly max: number
}

/** A branch of a parallel stage, with more to say than its workflow. */
export interface BranchOptions<View> {
  readonly run: AnyWorkflow
  /** The input of the branch's workflow. @default the last result */
  readonly input?: (view: View) => unknown
  /** Whether the branch runs; a skipped one is absent from the result. */
  readonly when?: (view: View) => boolean | Promise<boolean>
}

export interface ParallelOptions<View, Join extends 'all' | 'first'> extends StageOptions<View> {
  /**
   * Whether all branches have to complete, and the first failure aborts the others; or the first that completes is the
   * result, as `{ branch, result }`, and the stage fails only if all fail.
   *
   * @default 'all'
   */
  readonly join?: Join
}

type BranchesOf<View> = Readonly<Record<string, AnyWorkflow | BranchOptions<View>>>

type RunOf<Branch> = Branch extends { readonly run: infer Run extends AnyWorkflow }
  ? Branch extends AnyWorkflow
    ? Branch
    : Run
  : Branch

type IsSkippable<Branch> = Branch extends AnyWorkflow ? false : Branch extends { readonly when: unknown } ? true : false

/** What a parallel stage comes to. */
export type ParallelResult<Branches, Join> = Join extends 'first'
  ? {
      [Name in keyof Branches & string]: { branch: Name; result: SubResult<RunOf<Branches[Name]>, 'all'> }
    }[keyof Branches & string]
  : {
      [Name in keyof Branches as IsSkippable<Branches[Name]> extends true ? never : Name]: SubResult<
        RunOf<Branches[Name]>,
        'all'
      >
    } & {
      [Name in keyof Branches as IsSkippable<Branches[Name]> extends true ? Name : never]?: SubResult<
        RunOf<Branches[Name]>,
        'all'
      >
    }

/** `Child`, where it takes what comes before; else a sentence why not. */
type Taking<Child, Given> = [Given] extends [SubInput<Child>]
  ? Child
  : 'The workflow of this stage takes another input than what comes before it: map it, with `input`.'

type Next<
  Input,
  Last,
  Results extends object,
  Shared extends object,
  Given,
  Name extends string,
  Result,
  Options,
> = Options extends {
  readonly when: unknown
}
  ? Pipeline<Input, Last | Result, Results & { readonly [Key in Name]?: Result }, Shared, Given>
  : Pipeline<Input, Result, Results & { readonly [Key in Name]: Result }, Shared, Given>

/**
 * Workflows one after the other, side by side, and in loops. It never changes; `.stage`, `.parallel` and `.loop` give a
 * new one. To all that takes a workflow (`run`, hosts, snapshots, tests, a stage, a step), it is one, whose steps are
 * its stages.
 *
 * @typeParam Given the input as its schema outputs it.
 */
export class Pipeline<Input, Last, Results extends object, Shared extends object, Given = Input> extends Workflow<
  Input,
  { readonly input: Given },
  Last,
  Shared,
  never
> {
  readonly #name: string
  readonly #options: PipelineOptions
  readonly #stages: readonly StageDefinition[]

  constructor(name: string, options: PipelineOptions, stages: readonly StageDefinition[]) {
    super(toDefinition(name, options, stages))
    this.#name = name
    this.#options = options
    this.#stages = stages
  }

  /** A stage that runs a workflow, or another pipeline. */
  stage<
    const Name extends string,
    Child extends AnyWorkflow,
    const Options extends MappedOptions<StageView<Given, Last, Results, Shared>, SubInput<Child>> & {
      readonly input: unknown
    },
  >(
    name: Name,
    workflow: Child,
    options: Options,
  ): Next<Input, Last, Results, Shared, Given, Name, SubResult<Child, 'all'>, Options>
  stage<
    const Name extends string,
    Child extends AnyWorkflow,
    // The default, and not the constraint, is what conditions get the types of their parameters from.
    const Options extends StageOptions<StageView<Given, Last, Results, Shared>> = StageOptions<
      StageView<Given, Last, Results, Shared>
    >,
  >(
    name: Name,
    workflow: Taking<Child, Last> & Child,
    options?: Options,
  ): Next<Input, Last, Results, Shared, Given, Name, SubResult<Child, 'all'>, Options>
  stage<Grown>(name: string, run: AnyWorkflow, options: object = {}): Grown {
    return this.#with({ kind: 'stage', name, branches: { '': run }, options })
  }

  /** A stage that runs several workflows at once; its result is an object by their names. */
  parallel<
    const Name extends string,
    const Branches extends BranchesOf<StageView<Given, Last, Results, Shared>>,
    Join extends 'all' | 'first' = 'all',
    const Options extends ParallelOptions<StageView<Given, Last, Results, Shared>, Join> = ParallelOptions<
      StageView<Given, Last, Results, Shared>,
      Join
    >,
  >(
    name: Name,
    branches: Branches,
    options?: Options & { readonly join?: Join },
  ): Next<Input, Last, Results, Shared, Given, Name, ParallelResult<Branches, Join>, Options> {
    return this.#with({ kind: 'parallel', name, branches, options: options ?? {} })
  }

  /** A stage that runs a workflow again and again, each round on the result of the one before. */
  loop<
    const Name extends string,
    Child extends AnyWorkflow,
    const Options extends LoopOptions<
      StageView<Given, Last | SubResult<Child, 'all'>, Results, Shared>,
      SubInput<Child>,
      SubResult<Child, 'all'>
    >,
  >(
    name: Name,
    workflow: Child,
    options: Options,
  ): Next<Input, Last, Results, Shared, Given, Name, SubResult<Child, 'all'>, Options> {
    return this.#with({ kind: 'loop', name, branches: { '': workflow }, options })
  }

  /** A pipeline has stages in the place of steps. */
  override step(..._: never[]): never {
    throw new TypeError(
      `Pipeline "${this.#name}" takes stages, not steps: put the step into a workflow, and run that as a stage.`,
    )
  }

  /** A pipeline has stages in the place of steps. */
  override steps(..._: never[]): never {
    return this.step()
  }

  #with<Grown>(stage: StageDefinition): Grown {
    return new Pipeline(this.#name, this.#options, [...this.#stages, stage]) as Grown
  }
}

/**
 * Begins a pipeline; add stages with `.stage`, `.parallel` and `.loop`. Each gets the result of the one before, and the
 * last one's result is the pipeline's.
 *
 * @example
 * const ingest = pipeline('ingest', { input: z.object({ file: z.string() }) })
 *   .stage('extract', extractor)
 *   .parallel('enrich', { tags: tagger, summary: summariser })
 *   .loop('refine', refiner, { until: (draft) => draft.score > 0.9, max: 5 })
 */
export function pipeline<
  Input extends Schema = Schema<unknown>,
  Shared extends Schema<unknown, object> = Schema<Record<string, unknown>>,
>(
  name: string,
  options: PipelineOptions<Input, Shared> = {},
): Pipeline<InputOf<Input>, OutputOf<Input>, object, OutputOf<Shared>, OutputOf<Input>> {
  return new Pipeline(name, options as PipelineOptions, [])
}

/** A stage as it was written down. */
interface StageDefinition {
  readonly kind: Stage['kind']
  readonly name: string
  readonly branches: Readonly<Record<string, AnyWorkflow | BranchOptions<never>>>
  readonly options: StageOptions<never> &
    Partial<ParallelOptions<never, 'all' | 'first'> & LoopOptions<never, unknown, never>>
}

function toDefinition(
  name: string,
  options: PipelineOptions,
  definitions: readonly StageDefinition[],
): WorkflowDefinition {
  const { shared, retry, ...rest } = options
  const problems = findProblems(name, definitions)
  const [policy] = attempt(problems, () => retry && toRetryPolicy(retry, 'retry'))
  const stages = definitions.map((each) => toStage(each, policy, problems))
  const routes = toStageRoutes(stages.map((stage) => stage.name))
  const steps = stages.map((stage, at): NamedStep => {
    const { accepts, emits } = routes[at] as (typeof routes)[number]
    return toStageStep(stage, stages.slice(0, at), {
      accepts: toEventType(accepts),
      emits: toEventType(emits),
      next: (result) => (emits === stopType ? StopEvent({ result }) : { type: emits }),
    })
  })
  return {
    ...{ name, steps, isInputWhole: true, stages: stages.map((stage) => stage.name) },
    options: { ...rest, ...(shared === undefined ? {} : { state: shared }) } as WorkflowOptions,
    ...(problems.length === 0 ? {} : { problems }),
  }
}

function toStage(
  { kind, name, branches, options }: StageDefinition,
  retry: ReturnType<typeof toRetryPolicy> | undefined,
  problems: string[],
): Stage {
  const { session = 'own', when, join = 'all', until, max = 1, input } = options
  const [timeoutMs] = attempt(problems, () => optionalMs(options.timeout, `Stage "${name}": timeout`))
  const runs = Object.entries(branches).flatMap(([branch, given]): StageRun[] => {
    const { run, ...own } = given instanceof Workflow ? { run: given } : { ...given }
    // What is no workflow is told as a problem.
    if (!(run instanceof Workflow)) return []
    const type = new ChildType(() => compiledOf(run), session, { retry })
    return [{ name: branch, type, ...{ input, when: undefined, ...own } } as StageRun]
  })
  return { kind, name, runs, join, when, timeoutMs, retry: options.retry, until, max } as Stage
}

function findProblems(name: string, stages: readonly StageDefinition[]): string[] {
  const problems = name === '' ? ['It has no name. Give it one, as in pipeline("ingest").'] : []
  if (stages.length === 0) problems.push('It has no stage. Add one: .stage("extract", extractor).')
  const names = stages.map((stage) => stage.name)
  for (const each of new Set(names.filter((one, at) => names.indexOf(one) < at)))
    problems.push(`Two stages are named "${each}". Give each a name of its own.`)
  return problems.concat(stages.flatMap(findStageProblems))
}

function findStageProblems({ kind, name, branches, options: { max, join } }: StageDefinition): string[] {
  const problems: string[] = []
  const where = `Stage "${name}"`
  if (name === '' || name === '__proto__')
    problems.push(`A stage is named ${JSON.stringify(name)}. Give it a name that says what it does.`)
  for (const [branch, given] of Object.entries(branches)) {
    const run = given instanceof Workflow ? given : given?.run
    if (!(run instanceof Workflow))
      problems.push(`${where}${branch === '' ? '' : `, branch "${branch}"`} has no workflow to run.`)
    if (kind === 'parallel' && branch === '') problems.push(`${where} has a branch without a name.`)
  }
  if (kind === 'parallel' && Object.keys(branches).length === 0)
    problems.push(`${where} has no branch. Add one: { tags: tagger }.`)
  if (kind === 'loop' && !(Number.isInteger(max) && (max as number) >= 1))
    problems.push(`${where} has to have \`max\`, the most rounds, a whole number of at least 1, got ${String(max)}.`)
  if (join !== undefined && join !== 'all' && join !== 'first')
    problems.push(`${where}: join has to be "all" or "first", got ${String(join)}.`)
  return problems
}

function toEventType(type: string): AnyEventType {
  return { type, schema: undefined, is: (event) => (event as { type?: unknown } | null)?.type === type }
}
