import { createActor } from 'xstate'
import { type Clock, systemClock, type WorkflowMachine } from '../machines/index.ts'
import { type Compiled, compile, createRun, RunInput, readSnapshot } from './compile.ts'
import type { StepContext } from './context.ts'
import type { NamedStep, Step, StepOptions, WorkflowDefinition, WorkflowOptions } from './definition.ts'
import { type Duration, toMs } from './duration.ts'
import { DefinitionError } from './errors.ts'
import type { AnyEventType } from './event.ts'
import { abortOn, WorkflowHandler } from './handler.ts'
import type { OnInput } from './live-run.ts'
import { createMemoryJournal } from './memory-journal.ts'
import type { InputOf, OutputOf, Schema } from './schema.ts'
import type { WorkflowSnapshot } from './snapshot.ts'
import { toStartEvent } from './start-event.ts'
import type { Accepted, Fits, Returnable, StepReturn } from './step.ts'
import type { Checked, ExternalWire, Problems, ResultOf, WiresOf } from './wire.ts'

/** What holds for one run of a workflow. */
export interface RunOptions {
  /** The run's id: any text that is unique. @default a random UUID */
  readonly runId?: string
  /** Aborts the run, with the signal's reason. */
  readonly signal?: AbortSignal
  /** How long the run may take, not counting the time in which it waits for a person. Goes before the workflow's. */
  readonly timeout?: Duration
  /** Answers input requests in this process. Goes before the workflow's. */
  readonly onInput?: OnInput
  /**
   * Keeps what happens to the run, in memory, for `handler.history()`. A host keeps it anyway.
   *
   * @default false
   */
  readonly history?: boolean
  /**
   * What the run takes its time from: delays, timeouts, retries, and the times in its records. Tests give a virtual one.
   *
   * @default the machine's
   */
  readonly clock?: Clock
}

/** What `run` takes: the input may be left out where the schema has a default for all of it. */
export type RunArguments<Input, Options = RunOptions> = object extends Input
  ? [input?: Input | undefined, options?: Options]
  : undefined extends Input
    ? [input?: Input, options?: Options]
    : [input: Input, options?: Options]

/** What `.steps` takes out of an entry. */
type WiresOfEntry<Entry> = Entry extends readonly [
  infer Name extends string,
  Step<infer Accepts, infer Emits, infer Returned, infer _Event, infer _Context>,
]
  ? WiresOf<Name, Accepts, Emits, Returned>
  : never

type ResultOfEntry<Entry> = Entry extends readonly [
  string,
  Step<infer _Accepts, infer Emits, infer Returned, infer _Event, infer _Context>,
]
  ? ResultOf<Emits, Returned>
  : never

type FitsEntry<Entry, Start, State extends object> = Entry extends readonly [
  string,
  Step<infer Accepts, infer _Emits, infer _Returned, infer Event, infer Context>,
]
  ? readonly [string, Fits<Event, Context, Accepted<Accepts, Start>, State>]
  : never

declare const wiring: unique symbol

/** What a workflow compiles to. @throws DefinitionError */
export let compiledOf: (workflow: AnyWorkflow) => Compiled

/**
 * A workflow: steps, and how events lead from one to the next. It never changes; `.step` gives a new one.
 *
 * Its type knows the wiring: `run` does not compile while a step returns an event that no step accepts or, where every
 * step says what it emits, accepts one that nobody emits.
 */
export class Workflow<Input, Start, Result, State extends object, Wires> {
  /** Only a type: without it, a workflow would pass for one of fewer steps, whose wiring looks broken. */
  declare readonly [wiring]: Wires
  readonly #definition: WorkflowDefinition
  #compiled: Compiled | undefined
  #isCompiling = false

  constructor(definition: WorkflowDefinition) {
    this.#definition = definition
  }

  static {
    compiledOf = (workflow) => workflow.#compile()
  }

  /** The name that the workflow was given: what its snapshots and records are found by. */
  get name(): string {
    return this.#definition.name
  }

  /** Adds a step. */
  step<
    const Name extends string,
    Accepts extends AnyEventType,
    const Returned extends StepReturn<Returnable<Emits>>,
    Emits extends AnyEventType = AnyEventType,
  >(
    name: Name,
    options: StepOptions<Accepts, Emits>,
    run: (event: Accepted<Accepts, Start>, ctx: StepContext<State>) => Returned | Promise<Returned>,
  ): Workflow<Input, Start, Result | ResultOf<Emits, Returned>, State, Wires | WiresOf<Name, Accepts, Emits, Returned>>
  /** Adds a step that was defined apart, by `step`. */
  step<const Name extends string, Accepts extends AnyEventType, Emits extends AnyEventType, Returned, Event, Context>(
    name: Name,
    step: Step<Accepts, Emits, Returned, Event, Context> & Fits<Event, Context, Accepted<Accepts, Start>, State>,
  ): Workflow<Input, Start, Result | ResultOf<Emits, Returned>, State, Wires | WiresOf<Name, Accepts, Emits, Returned>>
  step<Grown>(name: string, stepOrOptions: object, run?: object): Grown {
    const step = run === undefined ? stepOrOptions : { options: stepOrOptions, run }
    return this.#with([[name, step]])
  }

  /** Adds steps from an array (or any iterable) of names and steps, as workflows that are built in loops do. */
  steps<const Entry extends readonly [string, Step]>(
    steps: Iterable<Entry & FitsEntry<Entry, Start, State>>,
  ): Workflow<Input, Start, Result | ResultOfEntry<Entry>, State, Wires | WiresOfEntry<Entry>> {
    return this.#with(steps)
  }

  #with<Grown>(steps: Iterable<readonly [string, object]>): Grown {
    const added = Array.from(steps, ([name, step]) => ({ name, ...step }) as NamedStep)
    return new Workflow({ ...this.#definition, steps: [...this.#definition.steps, ...added] }) as Grown
  }

  /**
   * The XState machine that this workflow is: run it with `createActor(workflow.machine, { input })`, invoke it from a
   * machine of your own, or give it to `useMachine`.
   *
   * @throws DefinitionError with everything that is wrong with the workflow.
   */
  get machine(): Checked<Problems<Wires>, WorkflowMachine<Input, Result>> {
    return this.#compile().machine as Checked<Problems<Wires>, WorkflowMachine<Input, Result>>
  }

  /**
   * Starts a run and returns at once.
   *
   * @throws DefinitionError with everything that is wrong with the workflow; EventValidationError for an input that
   * does not fit; StateValidationError for a `state` schema without a beginning; BlazenError (`invalid_option`).
   */
  run(
    this: Checked<Problems<Wires>, Workflow<Input, Start, Result, State, Wires>>,
    ...args: RunArguments<Input>
  ): WorkflowHandler<Result, State>
  run(
    input?: unknown,
    { runId = crypto.randomUUID(), signal, timeout, onInput, history = false, clock = systemClock }: RunOptions = {},
  ): WorkflowHandler<Result, State> {
    const compiled = this.#compile()
    const start = toStartEvent(this.#definition, input)
    const timeoutMs = timeout === undefined ? undefined : toMs(timeout, 'run: timeout')
    const journal = history ? createMemoryJournal(compiled) : undefined
    const actor = createRun(compiled, new RunInput(runId, start, timeoutMs, onInput, signal, journal?.journal), clock)
    journal?.begin(actor)
    actor.start()
    const handler = new WorkflowHandler<Result, State>(actor)
    if (signal !== undefined) abortOn(signal, handler)
    return handler
  }

  /**
   * Goes on with a run from its snapshot: in this process or any other that has the workflow. A run that was paused
   * runs; what was in flight when the snapshot was taken runs again; what had settled does not. A run that had ended
   * gives its result, or its error, at once.
   *
   * @throws SnapshotError for a snapshot that is damaged, of another workflow, or of a version that no migration leads
   * from; nothing of it has run then.
   */
  resume(
    this: Checked<Problems<Wires>, Workflow<Input, Start, Result, State, Wires>>,
    snapshot: WorkflowSnapshot,
    options?: Pick<RunOptions, 'signal' | 'onInput' | 'clock'>,
  ): WorkflowHandler<Result, State>
  resume(
    snapshot: WorkflowSnapshot,
    { signal, onInput, clock = systemClock }: RunOptions = {},
  ): WorkflowHandler<Result, State> {
    const { machine, blueprint } = this.#compile()
    const arrived = readSnapshot(this.#definition, blueprint, snapshot, { onInput, signal })
    const actor = createActor(machine, { snapshot: arrived as never, clock })
    actor.start()
    const handler = new WorkflowHandler<Result, State>(actor)
    if (signal !== undefined) abortOn(signal, handler)
    if (handler.status === 'paused') actor.send({ type: 'blazen.resume' })
    return handler
  }

  #compile(): Compiled {
    if (this.#compiled !== undefined) return this.#compiled
    if (this.#isCompiling) {
      throw new DefinitionError(`Workflow "${this.name}"`, [
        'It contains itself: have one of its steps run another one.',
      ])
    }
    this.#isCompiling = true
    try {
      this.#compiled = compile(this.#definition)
      return this.#compiled
    } finally {
      this.#isCompiling = false
    }
  }
}

/**
 * Any workflow: for a variable that grows in a loop, or a function that takes whatever workflow it is given.
 * The compiler knows no input, result or wiring of it; those are checked when it is built and run.
 *
 * @typeParam State what its steps see as `ctx.state`; unchecked when left out.
 *
 * @example
 * let flow: AnyWorkflow = workflow('chain').step('begin', begin)
 * for (const [name, theStep] of entries) flow = flow.step(name, theStep)
 */
// biome-ignore lint/suspicious/noExplicitAny: input and state go both into steps and out of them, so no other type has room for all.
export type AnyWorkflow<State extends object = any> = Workflow<any, any, unknown, State, any>

/**
 * Begins a workflow; add steps with `.step`.
 *
 * @example
 * const greeter = workflow('greeter', { input: z.object({ name: z.string().default('World') }) })
 *   .step('greet', { accepts: StartEvent, emits: StopEvent }, (event) => StopEvent({ result: `Hello, ${event.name}!` }))
 *
 * console.log(await greeter.run({ name: 'Zach' }).result())   // "Hello, Zach!"
 */
export function workflow<
  Input extends Schema = Schema<unknown>,
  State extends Schema<unknown, object> = Schema<Record<string, unknown>>,
  External extends AnyEventType = never,
>(
  name: string,
  options: WorkflowOptions<Input, State, External> = {},
): Workflow<InputOf<Input>, OutputOf<Input>, never, OutputOf<State>, ExternalWire<External['type']>> {
  return new Workflow({ name, options: options as WorkflowOptions, steps: [] })
}
