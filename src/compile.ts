import type { Snapshot } from 'xstate'
import {
  type Answered,
  type Attempt,
  createWorkflowMachine,
  type Failed,
  type Failure,
  fail,
  type InputRequest,
  type Journal,
  type Run,
  type RunPicture,
  requestType,
  responseType,
  type StepConfig,
  startType,
  stopType,
  type WorkflowLogic,
  type WorkflowMachine,
} from '../machines/index.ts'
import type { Blobs } from './codec.ts'
import { StepContext } from './context.ts'
import { type NamedStep, toArray, typesOf, type WorkflowDefinition } from './definition.ts'
import { type Duration, toMs } from './duration.ts'
import { engineClasses } from './engine-classes.ts'
import {
  BlazenError,
  DefinitionError,
  EventValidationError,
  InputRequestError,
  RunAbortedError,
  RunTimeoutError,
  StalledError,
  StepFailedError,
  StepReturnError,
  StepTimeoutError,
  UnhandledEventError,
} from './errors.ts'
import { type AnyEvent, checkEvent, InputResponseEvent, isEvent } from './event.ts'
import { type Arrival, type Blueprint, LiveRun, type OnInput, pausedRuns } from './live-run.ts'
import { migrate } from './migration.ts'
import { describeIssues, type Issue, parse, type Schema } from './schema.ts'
import type { WorkflowSnapshot } from './snapshot.ts'
import { type Arrived, checkTop, fromSnapshot } from './snapshot-read.ts'
import { type Departing, toSnapshot } from './snapshot-write.ts'
import { checkState, initialState } from './state-schema.ts'
import { checkNumber, toRetryPolicy } from './step.ts'
import { findWiringProblems } from './wiring.ts'

/** An input that was checked already, with what was asked of the run. It stands where a plain actor has the raw input. */
export class RunInput {
  constructor(
    readonly runId: string,
    readonly start: AnyEvent,
    readonly timeoutMs?: number,
    readonly onInput?: OnInput,
    readonly signal?: AbortSignal,
    readonly journal?: Journal,
  ) {}
}

/** A workflow, ready to run. */
export interface Compiled {
  readonly machine: WorkflowMachine
  readonly fold: WorkflowLogic['fold']
  readonly blueprint: Blueprint
  readonly definition: WorkflowDefinition
  /** How values of a run are written down that is kept in a store: without its session. */
  readonly departing: (run: Run, blobs: Blobs) => Departing
}

/**
 * The machine of a workflow.
 *
 * @throws DefinitionError with everything that is wrong with it.
 */
export function compile(definition: WorkflowDefinition): Compiled {
  const { name, options } = definition
  const problems = findWiringProblems(definition)
  const steps = definition.steps.flatMap((step) => attempt(problems, () => toStepConfig(step, definition)))
  attempt(problems, () => checkBuffer(options.streamBuffer))
  const [timeoutMs] = attempt(problems, () => optionalMs(options.timeout, 'timeout'))
  if (problems.length > 0) throw new DefinitionError(`Workflow "${name}"`, problems)

  const blueprint: Blueprint = {
    name,
    streamBuffer: options.streamBuffer,
    resources: options.session,
    stateSchema: options.state,
    requests: options.requests,
    schemas: schemasOf(definition),
    accepted: [...new Set(definition.steps.flatMap((step) => typesOf(step.options.accepts)))],
    classes: engineClasses().extend(options.classes ?? []),
  }
  const { schemas, accepted } = blueprint
  const { machine, fold } = createWorkflowMachine({
    name,
    version: options.version,
    steps,
    idle: options.idle ?? 'fail',
    begin: (input) => {
      const given =
        input instanceof RunInput ? input : new RunInput(crypto.randomUUID(), toStartEvent(definition, input))
      const onInput = given.onInput ?? options.onInput
      return {
        runId: given.runId,
        event: given.start,
        timeoutMs: given.timeoutMs ?? timeoutMs,
        inline: onInput !== undefined,
        state: initialState(options.state, name, blueprint.classes),
        local: { onInput, signal: given.signal } satisfies Arrival,
        journal: given.journal,
      }
    },
    restore: (snapshot) => {
      const arrived = snapshot instanceof ArrivedRun ? snapshot : readSnapshot(definition, blueprint, snapshot)
      const onInput = arrived.onInput ?? options.onInput
      return {
        ...arrived.picture,
        inline: onInput !== undefined,
        local: { onInput, arrived: arrived.picture, previous: arrived.previous } satisfies Arrival,
        journal: arrived.journal,
      }
    },
    persist: (picture, run) => pack(picture, run, definition, blueprint) as WorkflowSnapshot & Snapshot<unknown>,
    open: (run, scope) => new LiveRun(blueprint, run, scope, run.local as Arrival),
    prepare: (run) => LiveRun.of(run).prepare(),
    close: (run) => LiveRun.of(run).close(),
    ask: (run, request) => LiveRun.of(run).ask(request),
    expire,
    admit: (run, event) => admit(run, event, schemas),
    toError: (failure, run) => toError(failure, run, accepted),
  })
  const departing = (run: Run, blobs: Blobs) => ({
    ...toDeparting(definition, blueprint, run.local instanceof LiveRun ? run.local : undefined),
    ...{ session: new Map(), lostSession: [], blobs },
  })
  return { machine, fold, blueprint, definition, departing }
}

/** A snapshot that was read already, with what was asked of the run. It stands where a plain actor has the raw one. */
export class ArrivedRun {
  constructor(
    readonly picture: Arrived,
    readonly onInput?: OnInput,
    /** The same run, paused in this process. */
    readonly previous?: LiveRun,
    readonly journal?: Journal,
  ) {}
}

/** @throws SnapshotError before anything of the run has run. */
export function readSnapshot(
  { name, options, steps }: WorkflowDefinition,
  { accepted, classes }: Blueprint,
  snapshot: unknown,
  onInput?: OnInput,
  blobs: Uint8Array | null = null,
): ArrivedRun {
  const { version, migrate: migrations = {} } = options
  const migrated = migrate(checkTop(snapshot), { name, version, migrations }, classes, blobs)
  const picture = fromSnapshot(migrated, {
    workflow: name,
    steps: new Set(steps.map((step) => step.name)),
    types: new Set([...accepted, requestType, stopType]),
    classes,
    blobs,
  })
  if (options.state !== undefined && picture.status === 'active') checkState(options.state, name, picture.data.state)
  return new ArrivedRun(picture, onInput, pausedRuns.get(picture.data.id))
}

/** The snapshot of a run, under its pause policy. A run that is about to start has nothing live yet. */
function pack(picture: RunPicture, run: Run, definition: WorkflowDefinition, blueprint: Blueprint): WorkflowSnapshot {
  const live = run.local instanceof LiveRun ? run.local : undefined
  return toSnapshot(picture, toDeparting(definition, blueprint, live))
}

function toDeparting(
  { name, options }: WorkflowDefinition,
  { classes }: Blueprint,
  live: LiveRun | undefined,
): Departing {
  const { version, sessionPausePolicy: policy = 'pickle_or_error' } = options
  return {
    ...{ workflow: name, version, policy, classes },
    session: live?.session.entries ?? new Map(),
    lostSession: live?.session.lost ?? [],
    lostState: live?.lostState ?? [],
    onDrop: (dropped) => live?.warnOfDrop(dropped),
  }
}

function toStepConfig({ name, options, run }: NamedStep, { options: defaults }: WorkflowDefinition): StepConfig {
  const { concurrency = Number.POSITIVE_INFINITY, retry = defaults.retry } = options
  const where = `Step "${name}"`
  const isCount = concurrency === Number.POSITIVE_INFINITY || Number.isInteger(concurrency)
  checkNumber(concurrency, isCount && concurrency >= 1, `${where}: concurrency`, 'a whole number of at least 1')
  const timeoutMs = optionalMs(options.timeout, `${where}: timeout`)
  return {
    name,
    accepts: typesOf(options.accepts),
    concurrency,
    timeoutMs,
    retry: retry === undefined ? undefined : toRetryPolicy(retry, `${where}: retry`),
    invoke: (attempt) => run(attempt.execution.event as never, new StepContext(attempt) as never),
    toEvents,
    save: () => undefined,
    toFailure: (cause, { execution, number }) => {
      if (!(cause instanceof EventValidationError)) {
        return { kind: 'step', step: name, event: execution.event, attempt: number, cause }
      }
      cause.step ??= name
      return { kind: 'error', error: cause }
    },
    timedOut: ({ execution, number }) => new StepTimeoutError(name, execution.event, number, timeoutMs ?? 0),
    stopReason,
  }
}

const nothing: readonly AnyEvent[] = []

/** The events that a step returned. */
function toEvents(returned: unknown, attempt: Attempt): readonly AnyEvent[] {
  if (returned === null || returned === undefined) return nothing
  const live = LiveRun.of(attempt.run)
  const { step, event } = attempt.execution
  try {
    if (isEvent(returned)) {
      if (returned.type === stopType) live.checkState()
      return [live.check(returned)]
    }
    if (!Array.isArray(returned)) throw new StepReturnError(step, event, describe(returned))
    return Array.from(returned, (each, at) => {
      if (!isEvent(each)) throw new StepReturnError(step, event, `an array with ${describe(each)} at place ${at}`)
      if (each.type === stopType) live.checkState()
      return live.check(each)
    })
  } catch (error) {
    if (error instanceof EventValidationError) error.step ??= step
    throw error
  }
}

function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value)
  if (typeof value === 'object')
    return 'type' in value ? 'an object whose `type` is no text' : 'an object without `type`'
  return `a ${typeof value}`
}

/** What happens to a request whose time is up: its default is the answer, or the run fails. */
function expire(request: InputRequest): Answered | Failed {
  if (!('default' in request)) return fail({ kind: 'requestTimeout', request })
  const { requestId } = request
  const response = { type: responseType, requestId, response: request.default }
  return { type: 'blazen.answered', requestId, response }
}

/** An answer that came as the event that steps accept. @throws InputRequestError if nobody has asked for it. */
function toAnswer(run: Run, event: InputResponseEvent): Answered {
  const { requestId } = event
  const request = run.requests.get(requestId)
  if (request === undefined)
    throw new InputRequestError(`No request "${requestId}" is open in run ${run.id}.`, requestId)
  const response = LiveRun.of(run).checkAnswer(request, event.response)
  return {
    type: 'blazen.answered',
    requestId,
    response: response === event.response ? event : InputResponseEvent({ requestId, response }),
  }
}

/** Takes an event from outside, or refuses it: then it is on the stream, and the run is not disturbed. */
function admit(run: Run, event: AnyEvent, schemas: ReadonlyMap<string, Schema>): AnyEvent | undefined {
  try {
    if (InputResponseEvent.is(event)) return toAnswer(run, event)
    return checkEvent(event, schemas.get(event.type))
  } catch (error) {
    if (run.local instanceof LiveRun) run.local.write({ type: 'blazen::EventRefused', event, error } as AnyEvent)
    return undefined
  }
}

/**
 * The event that a run begins with: the fields of a plain-object input stand on it, any other input is `input`.
 *
 * @throws EventValidationError
 */
export function toStartEvent({ name, options }: WorkflowDefinition, input: unknown): AnyEvent {
  const refuse = (what: string, issues: readonly Issue[] = []): never => {
    throw new EventValidationError(`The input of workflow "${name}" ${what}.`, startType, issues)
  }
  let value = input
  if (options.input !== undefined) {
    // No input at all reads as an empty one, so that a schema of defaults is complete.
    let parsed = parse(options.input, input)
    if (parsed.issues !== undefined && input === undefined) parsed = parse(options.input, {})
    if (parsed.issues !== undefined)
      return refuse(`does not fit its schema: ${describeIssues(parsed.issues)}`, parsed.issues)
    value = parsed.value
  }
  if (!isPlainObject(value))
    return value === undefined ? { type: startType } : ({ type: startType, input: value } as AnyEvent)
  if ('type' in value) refuse("has a field `type`, which is the event's own: give it another name")
  return { type: startType, ...value }
}

function isPlainObject(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

function schemasOf({ steps, options }: WorkflowDefinition): ReadonlyMap<string, Schema> {
  const types = steps.flatMap(({ options }) => [...toArray(options.accepts), ...toArray(options.emits ?? [])])
  const schemas = new Map<string, Schema>()
  for (const { type, schema } of [...types, ...toArray(options.external ?? [])])
    if (schema !== undefined) schemas.set(type, schema)
  return schemas
}

/** The class that tells of a failure. */
function toError(failure: Failure, { id, collections }: Run, accepted: readonly string[]): unknown {
  switch (failure.kind) {
    case 'step':
      return new StepFailedError(failure.step, failure.event, failure.attempt, failure.cause)
    case 'unhandled':
      return new UnhandledEventError(failure.event, failure.step, accepted)
    case 'runTimeout':
      return new RunTimeoutError(id, failure.timeoutMs)
    case 'aborted':
      return new RunAbortedError(id, failure.reason)
    case 'duplicateRequest':
      return new InputRequestError(
        `The request "${failure.requestId}" is open already. Give each request an id of its own, or leave the id out to have one made.`,
        failure.requestId,
      )
    case 'requestTimeout':
      return new InputRequestError(
        `Nobody answered the request "${failure.request.requestId}" in time. Give it a \`default\`, or a longer \`timeout\`.`,
        failure.request.requestId,
      )
    case 'stalled':
      return new StalledError(
        id,
        [...collections].map(([type, { length }]) => `Collected so far: ${length} of "${type}".`),
      )
    case 'error':
      return failure.error
  }
}

function stopReason({ id, failure }: Run): unknown {
  if (failure?.kind === 'aborted') return new RunAbortedError(id, failure.reason)
  return new DOMException(`Run ${id} has ended without this step.`, 'AbortError')
}

function checkBuffer(streamBuffer: number | undefined): void {
  if (streamBuffer === undefined) return
  checkNumber(
    streamBuffer,
    Number.isInteger(streamBuffer) && streamBuffer >= 1,
    'streamBuffer',
    'a whole number of at least 1',
  )
}

function optionalMs(duration: Duration | undefined, where: string): number | undefined {
  return duration === undefined ? undefined : toMs(duration, where)
}

/** What `fn` gives, in an array; nothing where it threw, and then the problem is noted. */
function attempt<Value>(problems: string[], fn: () => Value): Value[] {
  try {
    return [fn()]
  } catch (error) {
    if (!(error instanceof BlazenError)) throw error
    problems.push(error.message)
    return []
  }
}
