import { ChildType } from './child-type.ts'
import { allOf, firstOf, openChild, resultOf, untilEnded } from './children.ts'
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
  Event = Accepted<Accepts, unknown>,
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
  readonly input?: (event: Event) => SubInput<Children>
  /** The event, or events, to route for the result. */
  readonly output?: (result: SubResult<Children, Join>, event: NoInfer<Event>) => Returned
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
  Event = Accepted<Accepts, unknown>,
>(
  children: Children,
  options: SubWorkflowOptions<Children, Accepts, Emits, Returned, Join, Event>,
): Step<Accepts, Emits, Returned, Event, StepContext> {
  const { accepts, emits, input, output = defaultOutput(emits), join = 'all', concurrency, retry } = options
  const { session = 'own' } = options
  if (join !== 'all' && join !== 'first') {
    throw new BlazenError('invalid_option', `subWorkflow: join has to be "all" or "first", got ${String(join)}.`)
  }
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
      let given: { readonly input: unknown } | undefined
      const inputOf = (name: string) => {
        given ??= { input: input === undefined ? toInput(event as AnyEvent) : input(event) }
        return isOne || input === undefined ? given.input : Reflect.get(Object(given.input), name)
      }
      const runs = Array.from(types, ([name, type]) =>
        openChild(attempt, type, name, () => ({ input: inputOf(name), timeoutMs })),
      )
      const ended = await untilEnded(attempt, runs, (so) => so.some((one) => 'error' in one === (join === 'all')))
      const result = isOne ? resultOf(ended[0]) : join === 'all' ? allOf(types.keys(), ended) : firstOf(ended, attempt)
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
