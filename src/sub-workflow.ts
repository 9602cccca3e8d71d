import { ChildType } from './child-type.ts'
import { type Ended, openChild, untilEnded } from './children.ts'
import { attemptOf, type StepContext } from './context.ts'
import type { OneOrMore, RetryOptions, Step } from './definition.ts'
import { type Duration, toMs } from './duration.ts'
import { BlazenError } from './errors.ts'
import type { AnyEvent, AnyEventType } from './event.ts'
import type { Accepted, Returnable, StepReturn } from './step.ts'
import { type AnyWorkflow, compiledOf, type Workflow } from './workflow.ts'

/** Workflows that a step runs at once, by name. */
export type Branches = Readonly<Record<string, AnyWorkflow>>

/** What a workflow, or several at once, come to. */
export type SubResult<Children, Join> =
  Children extends Workflow<infer _I, infer _S, infer Result, infer _T, infer _W>
    ? Result
    : Join extends 'first'
      ? {
          [Branch in keyof Children & string]: { branch: Branch; result: SubResult<Children[Branch], 'all'> }
        }[keyof Children & string]
      : { [Branch in keyof Children]: SubResult<Children[Branch], 'all'> }

/** The input that a workflow takes, or several take at once. */
export type SubInput<Children> =
  Children extends Workflow<infer Input, infer _S, infer _R, infer _T, infer _W>
    ? Input
    : { [Branch in keyof Children]: SubInput<Children[Branch]> }

/** What the workflow inside gets, what becomes of its result, and how it is tried again. */
export interface SubWorkflowOptions<
  Children,
  Accepts extends AnyEventType,
  Emits extends AnyEventType,
  Returned,
  Join extends 'all' | 'first',
> {
  /** What the step is called for. */
  readonly accepts: OneOrMore<Accepts>
  /** What the step returns. Without `output`, one type: the result is the data of its event. */
  readonly emits?: OneOrMore<Emits>
  /**
   * The input of the workflow; of several, by name.
   *
   * @default the event's data, for each of them
   */
  readonly input?: (event: Accepted<Accepts, unknown>) => SubInput<Children>
  /** The event, or events, to route for the result. */
  readonly output?: (result: SubResult<Children, Join>, event: Accepted<Accepts, unknown>) => Returned
  /**
   * Of several workflows: whether all have to complete, and the first failure aborts the others; or the first that
   * completes is the result, and the step fails only if all fail.
   *
   * @default 'all'
   */
  readonly join?: Join
  /** How long each run may take, not counting the time in which it waits for a person, or is paused. */
  readonly timeout?: Duration
  /** Runs that fail are begun anew. */
  readonly retry?: RetryOptions
  /** How many events of one run it may work on at once. @default Infinity */
  readonly concurrency?: number
  /**
   * Whether the runs have sessions of their own, or the one of the run around them.
   *
   * @default 'own'
   */
  readonly session?: 'own' | 'shared'
}

/**
 * A step that runs a workflow, or several at once, for each event: actors inside the run's own, a part of its snapshot
 * and its records. Pausing, aborting, input requests, streams and errors pass through.
 *
 * @example
 * workflow('ingest').step('enrich', subWorkflow(enricher, { accepts: Doc, emits: Enriched }))
 */
export function subWorkflow<
  Children extends AnyWorkflow | Branches,
  Accepts extends AnyEventType,
  Emits extends AnyEventType = AnyEventType,
  const Returned extends StepReturn<Returnable<Emits>> = Returnable<Emits>,
  Join extends 'all' | 'first' = 'all',
>(
  children: Children,
  options: SubWorkflowOptions<Children, Accepts, Emits, Returned, Join>,
): Step<Accepts, Emits, Returned, Accepted<Accepts, unknown>, StepContext> {
  const { accepts, emits, input, output = defaultOutput(emits), join = 'all', concurrency, retry } = options
  const { session = 'own' } = options
  const types = toTypes(children, session)
  const isOne = types.has('')
  const timeoutMs = options.timeout === undefined ? undefined : toMs(options.timeout, 'subWorkflow: timeout')
  return {
    options: {
      accepts,
      ...(emits === undefined ? {} : { emits }),
      ...(concurrency === undefined ? {} : { concurrency }),
      ...(retry === undefined ? {} : { retry }),
    },
    child: (name) => types.get(name),
    children: [...types.values()],
    run: async (event, ctx) => {
      const attempt = attemptOf(ctx)
      let given: unknown
      const inputOf = (name: string) => {
        given ??= input === undefined ? toInput(event) : input(event)
        return isOne || input === undefined ? given : Reflect.get(Object(given), name)
      }
      const runs = Array.from(types, ([name, type]) =>
        openChild(attempt, type, name, () => ({ input: inputOf(name), timeoutMs })),
      )
      const ended = await untilEnded(attempt, runs, (so) => so.some((one) => 'error' in one === (join === 'all')))
      const result = isOne ? one(ended) : join === 'all' ? all([...types.keys()], ended) : first(ended)
      return output(result as SubResult<Children, Join>, event) as Returned
    },
  }
}

function toTypes(children: AnyWorkflow | Branches, session: 'own' | 'shared'): ReadonlyMap<string, ChildType> {
  const toType = (child: AnyWorkflow) => new ChildType(() => compiledOf(child), session)
  if (isWorkflow(children)) return new Map([['', toType(children)]])
  const branches = Object.entries(children)
  if (branches.length === 0 || branches.some(([name, child]) => name === '' || !isWorkflow(child))) {
    throw new BlazenError(
      'invalid_option',
      'subWorkflow expects a workflow, or an object of workflows by name, with at least one: subWorkflow({ tags: tagger, summary: summariser }, …).',
    )
  }
  return new Map(branches.map(([name, child]) => [name, toType(child)]))
}

function isWorkflow(child: unknown): child is AnyWorkflow {
  return typeof child === 'object' && child !== null && 'machine' in child && 'resume' in child
}

/** The fields of an event, which are the input that the workflow takes by default. */
function toInput({ type: _, ...data }: AnyEvent): unknown {
  return data
}

/** @throws what the run failed with. */
function one([ended]: readonly Ended[]): unknown {
  if (ended !== undefined && 'error' in ended) throw ended.error
  return ended?.result
}

/** The results by name, in the order of the branches. @throws what the first that failed has failed with. */
function all(names: readonly string[], ended: readonly Ended[]): unknown {
  const results = new Map<string, unknown>()
  for (const each of ended) {
    if ('error' in each) throw each.error
    results.set(each.child.name, each.result)
  }
  return Object.fromEntries(names.map((name) => [name, results.get(name)]))
}

/** @throws what the last one failed with, if all did. */
function first(ended: readonly Ended[]): unknown {
  for (const each of ended) if (!('error' in each)) return { branch: each.child.name, result: each.result }
  const errors = ended.map((each) => ('error' in each ? each.error : undefined))
  throw errors.length === 1 ? errors[0] : new AggregateError(errors, 'All branches have failed.')
}

function defaultOutput(emits: OneOrMore<AnyEventType> | undefined) {
  if (typeof emits !== 'function') {
    return (): never => {
      throw new BlazenError(
        'invalid_option',
        'subWorkflow needs `output`, or in `emits` one event type, whose data the result is: subWorkflow(enricher, { accepts: Doc, emits: Enriched }).',
      )
    }
  }
  const create = emits as (data: object) => AnyEvent
  return (result: unknown) => create(isData(result) ? result : { result })
}

function isData(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !('type' in value)
}
