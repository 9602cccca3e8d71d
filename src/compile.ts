import { type AnyActorRef, createActor, type Snapshot } from 'xstate'
import {
  type Answered,
  type Child,
  type ChildLogic,
  type Clock,
  createWorkflowMachine,
  type Failed,
  fail,
  type InputRequest,
  isAsleep,
  type Journal,
  type RetryPolicy,
  type Run,
  type RunPicture,
  requestType,
  responseType,
  stopType,
  type WorkflowConfig,
  type WorkflowLogic,
  type WorkflowMachine,
} from '../machines/index.ts'
import type { Blobs } from './codec.ts'
import { toArray, typesOf, type WorkflowDefinition } from './definition.ts'
import { attempt, optionalMs } from './definition-problem.ts'
import { engineClasses } from './engine-classes.ts'
import { DefinitionError, InputRequestError } from './errors.ts'
import { type AnyEvent, checkEvent, InputResponseEvent } from './event.ts'
import { toError } from './failure-error.ts'
import {
  type Arrival,
  type Blueprint,
  checkAnswer,
  LiveRun,
  type OnInput,
  pausedRuns,
  type Within,
} from './live-run.ts'
import { migrate, versionsInOrder } from './migration.ts'
import { findRequest, toAnswered } from './open-request.ts'
import { type Plan, toFoldedSteps, toPlan } from './plan.ts'
import type { Schema } from './schema.ts'
import type { LostEntry, SessionEntry } from './session.ts'
import type { WorkflowSnapshot } from './snapshot.ts'
import { type Arrived, type Arriving, checkTop, fromSnapshot } from './snapshot-read.ts'
import { type Departing, toSnapshot } from './snapshot-write.ts'
import { toStartEvent } from './start-event.ts'
import { StateObject } from './state-object.ts'
import { completeState, initialState } from './state-schema.ts'
import { checkNumber } from './step.ts'
import { toStepConfig } from './step-config.ts'
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
    readonly inside?: Inside,
  ) {}
}

/** What a run that is inside another one has of it. */
export interface Inside {
  readonly within: Within
  /** The run whose state its steps share. */
  readonly sharing: Run | undefined
  readonly retry: RetryPolicy | undefined
}

/** The workflow of a run that a step begins. */
export interface Nested extends ChildLogic {
  readonly compiled: Compiled
}

/** A workflow, ready to run. */
export interface Compiled {
  readonly machine: WorkflowMachine
  readonly transition: WorkflowLogic['transition']
  readonly fold: WorkflowLogic['fold']
  readonly blueprint: Blueprint
  readonly definition: WorkflowDefinition
  /** How it routes. */
  readonly plan: Plan
  /** The same workflow as it routed when a base was written: only to fold, its steps are not called. */
  readonly routedBy: (plan: Plan) => WorkflowLogic
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
  const problems = definition.problems === undefined ? findWiringProblems(definition) : [...definition.problems]
  const steps = definition.steps.map((step) => toStepConfig(step, definition, problems))
  const classes = engineClasses().extend(options.classes ?? [])
  attempt(problems, () => initialState(options.state, name, classes))
  attempt(problems, () => checkBuffer(options.streamBuffer))
  attempt(problems, () => versionsInOrder(options.migrate ?? {}))
  const [timeoutMs] = attempt(problems, () => optionalMs(options.timeout, 'timeout'))
  for (const { children = [] } of definition.steps)
    for (const child of children as readonly Nested[]) attempt(problems, () => child.compiled)
  if (problems.length > 0) {
    throw new DefinitionError(`${definition.stages === undefined ? 'Workflow' : 'Pipeline'} "${name}"`, problems)
  }

  const blueprint: Blueprint = {
    name,
    streamBuffer: options.streamBuffer,
    resources: options.session,
    stateSchema: options.state,
    requests: options.requests,
    stages: definition.stages,
    schemas: schemasOf(definition),
    accepted: [...new Set(definition.steps.flatMap((step) => typesOf(step.options.accepts)))],
    classes,
  }
  const { schemas } = blueprint
  const config: WorkflowConfig = {
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
        local: { onInput, signal: given.signal, within: given.inside?.within } satisfies Arrival,
        journal: given.journal,
        sharing: given.inside?.sharing,
        retry: given.inside?.retry,
      }
    },
    restore: (snapshot) => {
      const arrived = snapshot instanceof ArrivedRun ? snapshot : readSnapshot(definition, blueprint, snapshot)
      const onInput = arrived.onInput ?? options.onInput
      return {
        ...arrived.picture,
        inline: onInput !== undefined,
        local: {
          onInput,
          signal: arrived.signal,
          arrived: arrived.picture,
          previous: arrived.previous,
          within: arrived.inside?.within,
        } satisfies Arrival,
        journal: arrived.journal,
        sharing: arrived.inside?.sharing,
        retry: arrived.inside?.retry,
      }
    },
    persist: (picture, run) => pack(picture, run, definition, blueprint) as WorkflowSnapshot & Snapshot<unknown>,
    open: (run, scope) => LiveRun.open(blueprint, run, scope),
    prepare: (run) => LiveRun.of(run).prepare(),
    close: (run) => LiveRun.of(run).close(),
    ask: (run, request) => LiveRun.of(run).ask(request),
    expire: (request) => expire(request, blueprint),
    admit: (run, event) => admit(run, event, schemas),
    toError: (failure, run) => toError(failure, run, blueprint),
  }
  const { machine, transition, fold } = createWorkflowMachine(config)
  const plan = toPlan(steps, config.idle)
  const departing = (run: Run, blobs: Blobs): Departing => {
    const live = run.local instanceof LiveRun ? run.local : undefined
    // A run that has not started has yet to be told what was lost.
    const lostState = live?.lostState ?? (run.local as Arrival).arrived?.lost.state ?? []
    return toDeparting(definition, blueprint, live, { entries: noSession, lost: [], lostState }, { blobs, plan })
  }
  const routedBy = keepLast((plan: Plan) =>
    createWorkflowMachine({ ...config, steps: toFoldedSteps(plan, steps), idle: plan.idle ?? 'fail' }),
  )
  return { machine, transition, fold, blueprint, definition, plan, routedBy, departing }
}

/** Runs recovered after a deployment mostly come from one version, so what was made for the last of them is made once. */
function keepLast(make: (plan: Plan) => WorkflowLogic): (plan: Plan) => WorkflowLogic {
  let last: { readonly text: string; readonly logic: WorkflowLogic } | undefined
  return (plan) => {
    const text = JSON.stringify(plan)
    if (last?.text !== text) last = { text, logic: make(plan) }
    return last.logic
  }
}

/**
 * The actor of a new run, not started.
 *
 * @throws whatever the beginning of the run throws: XState keeps it, to tell it globally at the start.
 */
export function createRun({ machine }: Pick<Compiled, 'machine'>, input: RunInput, clock: Clock): AnyActorRef {
  const actor = createActor(machine, { input: input as never, clock })
  const { status, error } = actor.getSnapshot()
  if (status === 'error') throw error
  return actor
}

/** A snapshot that was read already, with what was asked of the run. It stands where a plain actor has the raw one. */
export class ArrivedRun {
  readonly onInput: OnInput | undefined
  /** The same run, paused in this process. */
  readonly previous: LiveRun | undefined
  readonly signal: AbortSignal | undefined
  readonly journal: Journal | undefined
  readonly inside: Inside | undefined

  constructor(
    readonly picture: Arrived,
    here: {
      readonly onInput?: OnInput | undefined
      readonly previous?: LiveRun | undefined
      readonly signal?: AbortSignal | undefined
      readonly journal?: Journal | undefined
      readonly inside?: Inside | undefined
    } = {},
  ) {
    this.onInput = here.onInput
    this.previous = here.previous
    this.signal = here.signal
    this.journal = here.journal
    this.inside = here.inside
  }
}

/** What goes with a snapshot that is read. */
export interface ReadOptions {
  readonly onInput?: OnInput | undefined
  readonly signal?: AbortSignal | undefined
  /** The bytes beside the snapshot. */
  readonly blobs?: Uint8Array | null
}

/** @throws SnapshotError before anything of the run has run. */
export function readSnapshot(
  definition: WorkflowDefinition,
  blueprint: Blueprint,
  snapshot: unknown,
  { onInput, signal, blobs = null }: ReadOptions = {},
): ArrivedRun {
  const { name, options, steps } = definition
  const { accepted, classes } = blueprint
  const { version, migrate: migrations = {} } = options
  const migrated = migrate(checkTop(snapshot), { name, version, migrations }, classes, blobs)
  const arrived = fromSnapshot(migrated, {
    workflow: name,
    steps: new Set(steps.map((step) => step.name)),
    types: new Set([...accepted, requestType, stopType]),
    classes,
    blobs,
    child: nestedReader(definition, blobs),
  })
  const picture = awake(arrived, options.idle === 'wait')
  // Where there are objects, they have to be rebuilt first.
  const isWhole = ![...picture.data.state.values()].some((value) => value instanceof StateObject)
  if (options.state !== undefined && picture.status === 'active' && isWhole) {
    completeState(options.state, name, picture.data.state, classes)
  }
  const previous = pausedRuns.get(picture.data.id)
  return new ArrivedRun(picture, { onInput, signal, previous: previous?.isPausedIn(blueprint) ? previous : undefined })
}

/** What waits for nothing, as a migration may leave a run, looks whether there is anything left to do. */
function awake(arrived: Arrived, mayIdle: boolean): Arrived {
  const { open, requests } = arrived.data
  const isWaiting = open.every(isAsleep) && (open.length > 0 || requests.length > 0 || mayIdle)
  return arrived.value === 'waiting' && !isWaiting ? { ...arrived, value: 'running' } : arrived
}

/** The snapshot of a run, under its pause policy. A run that is about to start has nothing live yet. */
function pack(picture: RunPicture, run: Run, definition: WorkflowDefinition, blueprint: Blueprint): WorkflowSnapshot {
  return toSnapshot(picture, withSession(definition, blueprint, run))
}

const noSession: ReadonlyMap<string, SessionEntry> = new Map()

/** Written out, since it is made for every record, and a spread costs more than the rest of it. */
function toDeparting(
  { name, options }: WorkflowDefinition,
  { classes }: Blueprint,
  live: LiveRun | undefined,
  held: {
    readonly entries: ReadonlyMap<string, SessionEntry>
    readonly lost: readonly LostEntry[]
    readonly lostState: readonly LostEntry[]
  },
  base?: { readonly blobs: Blobs; readonly plan: Plan },
): Departing {
  const { version, sessionPausePolicy: policy = 'pickle_or_error' } = options
  return {
    workflow: name,
    version,
    policy,
    classes,
    session: held.entries,
    lostSession: held.lost,
    lostState: held.lostState,
    blobs: base?.blobs,
    plan: base?.plan,
    onDrop: (dropped) => live?.warnOfDrop(dropped),
    child: base === undefined ? leaving : ({ logic, run }) => (logic as Nested).compiled.departing(run, base.blobs),
  }
}

/** The same of a run inside one that leaves the process with its session. */
function leaving({ logic, run }: Child): Departing {
  const { definition, blueprint } = (logic as Nested).compiled
  return withSession(definition, blueprint, run)
}

function withSession(definition: WorkflowDefinition, blueprint: Blueprint, run: Run): Departing {
  const live = run.local instanceof LiveRun ? run.local : undefined
  // What it shares, the run around it keeps.
  const { entries = noSession, lost = [] } = (live?.sharesSession ? undefined : live?.session) ?? {}
  return toDeparting(definition, blueprint, live, { entries, lost, lostState: live?.lostState ?? [] })
}

/** Reads the snapshots of the runs inside those of a workflow. */
export function nestedReader(definition: WorkflowDefinition, blobs: Uint8Array | null): Arriving['child'] {
  return (step, name, snapshot) => {
    const nested = nestedIn(definition, step, name)
    return nested && readSnapshot(nested.definition, nested.blueprint, snapshot, { blobs }).picture
  }
}

/** The workflow of the run that `step` calls `name`. */
export function nestedIn({ steps }: WorkflowDefinition, step: string, name: string): Compiled | undefined {
  const nested = steps.find((each) => each.name === step)?.child?.(name) as Nested | undefined
  return nested?.compiled
}

/** What happens to a request whose time is up: its default is the answer, or the run fails. */
function expire(request: InputRequest, blueprint: Blueprint): Answered | Failed {
  if (!('default' in request)) return fail({ kind: 'requestTimeout', request })
  const { requestId } = request
  const answer = checkAnswer(blueprint, request, request.default)
  const response = { type: responseType, requestId, response: answer }
  return { type: 'blazen.answered', requestId, response }
}

/** An answer that came as the event that steps accept, here or in a run inside. @throws InputRequestError if nobody has asked for it. */
function toAnswer(run: Run, event: InputResponseEvent): AnyEvent {
  const { requestId } = event
  const asked = findRequest(run, requestId)
  if (asked === undefined) throw new InputRequestError(`No request "${requestId}" is open in run ${run.id}.`, requestId)
  const { request, way } = asked
  return toAnswered(way, request.requestId, LiveRun.of(asked.run).checkAnswer(request, event.response))
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

function schemasOf({ steps, options }: WorkflowDefinition): ReadonlyMap<string, Schema> {
  const types = steps.flatMap(({ options }) => [...toArray(options.accepts), ...toArray(options.emits ?? [])])
  const schemas = new Map<string, Schema>()
  for (const { type, schema } of [...types, ...toArray(options.external ?? [])])
    if (schema !== undefined) schemas.set(type, schema)
  return schemas
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
