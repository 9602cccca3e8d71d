import { createActor } from 'xstate'
import type { WorkflowMachine } from '../machines/index.ts'
import { compile, RunInput, toStartEvent } from './compile.ts'
import type { StepContext } from './context.ts'
import type { NamedStep, OnInput, WorkflowDefinition, WorkflowOptions } from './definition.ts'
import { type Duration, toMs } from './duration.ts'
import type { AnyEventType } from './event.ts'
import { WorkflowHandler } from './handler.ts'
import type { InputOf, OutputOf, Schema } from './schema.ts'
import type { Accepted, Returnable, Step, StepOptions, StepReturn } from './step.ts'
import type { AcceptWire, Checked, EmitWires, Problems, ResultOf } from './wire.ts'

export interface RunOptions {
  /** The run's id: any text that is unique. @default a random UUID */
  readonly runId?: string
  /** Aborts the run, with the signal's reason. */
  readonly signal?: AbortSignal
  /** How long the run may take, not counting the time in which it waits for a person. Goes before the workflow's. */
  readonly timeout?: Duration
  /** Answers input requests in this process. Goes before the workflow's. */
  readonly onInput?: OnInput
}

/** What `run` takes: the input may be left out where the schema has a default for all of it. */
type RunArguments<Input> = unknown extends Input
  ? [input?: unknown, options?: RunOptions]
  : object extends Input
    ? [input?: Input, options?: RunOptions]
    : undefined extends Input
      ? [input?: Input, options?: RunOptions]
      : [input: Input, options?: RunOptions]

/**
 * A workflow: steps, and how events lead from one to the next. It never changes; `.step` gives a new one.
 *
 * Its type knows the wiring: `run` does not compile while a step returns an event that no step accepts.
 */
export class Workflow<Input, Start, Result, State extends object, Wires> {
  readonly #definition: WorkflowDefinition
  #machine: WorkflowMachine<Input, Result> | undefined

  constructor(definition: WorkflowDefinition) {
    this.#definition = definition
  }

  get name(): string {
    return this.#definition.name
  }

  /** Adds a step. */
  step<
    const Name extends string,
    Accepts extends AnyEventType,
    Returned extends StepReturn<Returnable<Emits>>,
    Emits extends AnyEventType = AnyEventType,
  >(
    name: Name,
    options: StepOptions<Accepts, Emits>,
    run: (event: Accepted<Accepts, Start>, ctx: StepContext<State>) => Returned | Promise<Returned>,
  ): Workflow<
    Input,
    Start,
    Result | ResultOf<Returned>,
    State,
    Wires | AcceptWire<Name, Accepts> | EmitWires<Name, Emits, Returned>
  >
  /** Adds a step that was defined apart, by `step`. */
  step<
    const Name extends string,
    Accepts extends AnyEventType,
    Emits extends AnyEventType,
    Returned,
    Event,
    Own extends object,
  >(
    name: Name,
    step: Step<Accepts, Emits, Returned, Event, Own>,
  ): Workflow<
    Input,
    Start,
    Result | ResultOf<Returned>,
    State,
    Wires | AcceptWire<Name, Accepts> | EmitWires<Name, Emits, Returned>
  >
  step<Grown>(name: string, stepOrOptions: object, run?: object): Grown {
    const step = run === undefined ? stepOrOptions : { options: stepOrOptions, run }
    return this.#with([[name, step]])
  }

  /** Adds steps from an array (or any iterable) of names and steps, as workflows that are built in loops do. */
  steps<
    Name extends string,
    Accepts extends AnyEventType,
    Emits extends AnyEventType,
    Returned,
    Event,
    Own extends object,
  >(
    steps: Iterable<readonly [Name, Step<Accepts, Emits, Returned, Event, Own>]>,
  ): Workflow<
    Input,
    Start,
    Result | ResultOf<Returned>,
    State,
    Wires | AcceptWire<Name, Accepts> | EmitWires<Name, Emits, Returned>
  > {
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
  get machine(): WorkflowMachine<Input, Result> {
    this.#machine ??= compile(this.#definition) as WorkflowMachine<Input, Result>
    return this.#machine
  }

  /**
   * Starts a run and returns at once.
   *
   * @throws DefinitionError with everything that is wrong with the workflow; EventValidationError for an input that
   * does not fit; BlazenError (`invalid_option`).
   */
  run(
    this: Checked<Problems<Wires>, Workflow<Input, Start, Result, State, Wires>>,
    ...args: RunArguments<Input>
  ): WorkflowHandler<Result>
  run(
    input?: unknown,
    { runId = crypto.randomUUID(), signal, timeout, onInput }: RunOptions = {},
  ): WorkflowHandler<Result> {
    const { machine } = this
    const start = toStartEvent(this.#definition, input)
    const timeoutMs = timeout === undefined ? undefined : toMs(timeout, 'run: timeout')
    const actor = createActor(machine, { input: new RunInput(runId, start, timeoutMs, onInput) as never })
    actor.start()
    const handler = new WorkflowHandler<Result>(actor)
    if (signal !== undefined) abortOn(signal, handler)
    return handler
  }
}

/** Aborts the run with the signal; the listener goes when the run has ended. */
function abortOn(signal: AbortSignal, handler: WorkflowHandler): void {
  const abort = () => handler.abort(signal.reason)
  if (signal.aborted) abort()
  const remove = () => signal.removeEventListener('abort', abort)
  signal.addEventListener('abort', abort, { once: true })
  handler.actor.subscribe({ complete: remove, error: remove })
}

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
>(
  name: string,
  options: WorkflowOptions<Input, State> = {},
): Workflow<InputOf<Input>, OutputOf<Input>, never, OutputOf<State>, never> {
  return new Workflow({ name, options: options as WorkflowOptions, steps: [] })
}
