import type { AnyActorScope } from 'xstate'
import {
  type Attempt,
  clockOf,
  fail,
  type InputRequest,
  now,
  type RoutedEvent,
  type Run,
  relay,
  requestType,
  responseType,
  type Sent,
} from '../machines/index.ts'
import type { ClassRegistry } from './class-codec.ts'
import { isLive, store } from './codec.ts'
import { type Duration, toMs } from './duration.ts'
import { EventValidationError, InputRequestError, RunOwnershipLostError } from './errors.ts'
import { type AnyEvent, checkEvent, type InputRequestEvent } from './event.ts'
import { FieldSaver, storedFields } from './field-saver.ts'
import type { Resource } from './resource.ts'
import { describeIssues, parse, type Schema } from './schema.ts'
import { type LostEntry, Session } from './session.ts'
import type { Arrived } from './snapshot-read.ts'
import { ownerOf, toEntryKey } from './state-key.ts'
import { StateObject } from './state-object.ts'
import { gatherFields, rebuild } from './state-rebuild.ts'
import { checkState, completeState } from './state-schema.ts'
import { EventStream } from './stream.ts'
import { isTelling, Telemetry } from './telemetry.ts'
import { warn } from './warn.ts'

/** Answers an input request in this process. What it returns, or resolves to, is the response. */
export type OnInput = (request: InputRequestEvent) => unknown

/** What a run brings into its process. */
export interface Arrival {
  /** Where in another run it is. */
  readonly within?: Within | undefined
  readonly onInput: OnInput | undefined
  readonly signal?: AbortSignal | undefined
  /** What came out of a snapshot beside the run itself. */
  readonly arrived?: Arrived | undefined
  /** The same run, paused in this process. */
  readonly previous?: LiveRun | undefined
}

/** Where in another run a run is. */
export interface Within {
  readonly parent: Run
  /** What its id has behind that of the parent. */
  readonly label: string
  /** What leads from the parent to it: the step, and its name where the step has several. */
  readonly path: readonly string[]
  /** Whether it has a session of its own, or that of its parent. */
  readonly session: 'own' | 'shared'
}
const noneLost: readonly LostEntry[] = []

/** What a workflow knows of itself, worked out once. */
export interface Blueprint {
  readonly name: string
  readonly streamBuffer: number | undefined
  readonly resources: Readonly<Record<string, Resource>> | undefined
  readonly stateSchema: Schema | undefined
  readonly requests: Readonly<Record<string, { readonly response: Schema }>> | undefined
  readonly schemas: ReadonlyMap<string, Schema>
  /** Of a pipeline: its stages, in order. */
  readonly stages: readonly string[] | undefined
  /** The event types that some step accepts. */
  readonly accepted: readonly string[]
  readonly classes: ClassRegistry
}

/** What a run has in this process, beside the run itself. */
export class LiveRun {
  readonly stream: EventStream
  #session: Session | undefined
  #isClosed = false
  readonly saver: FieldSaver
  #telemetry: Telemetry | undefined
  readonly onInput: OnInput | undefined
  readonly #within: Within | undefined
  readonly #signal: AbortSignal | undefined
  #warned = false
  readonly #lostState = new Map<string, LostEntry>()

  constructor(
    readonly blueprint: Blueprint,
    readonly run: Run,
    readonly scope: AnyActorScope,
    { within, onInput, signal, arrived, previous }: Arrival,
  ) {
    this.stream = new EventStream(blueprint.streamBuffer ?? 65_536)
    this.saver = new FieldSaver({ runId: run.id, workflow: blueprint.name })
    this.#within = within
    this.onInput = onInput
    this.#signal = signal
    if (arrived === undefined) return
    for (const { key, value, step, at } of arrived.session) this.session.put(key, { value, step, at })
    this.session.lose(arrived.lost.session)
    for (const entry of arrived.lost.state) {
      this.#lostState.set(entry.key, entry)
      run.state.lose(entry.key)
    }
    if (previous !== undefined) this.#takeOver(previous)
  }

  /** Made when it is first asked for: most runs tell nothing. */
  get telemetry(): Telemetry {
    this.#telemetry ??= new Telemetry()
    return this.#telemetry
  }

  get sharesSession(): boolean {
    return this.#within?.session === 'shared'
  }

  /** Made when it is first asked for: most runs have none. */
  get session(): Session {
    if (this.#within !== undefined && this.sharesSession) return LiveRun.of(this.#within.parent).session
    if (this.#session === undefined) {
      this.#session = new Session(this.scope.system, this.run.id, this.blueprint.resources)
      if (this.#isClosed) void this.#session.close(undefined)
    }
    return this.#session
  }

  /** Opens a run in this process; once more, where its actor was stopped and is started again. */
  static open(blueprint: Blueprint, run: Run, scope: AnyActorScope): LiveRun {
    const { local } = run
    if (!(local instanceof LiveRun)) return new LiveRun(blueprint, run, scope, local as Arrival)
    const again = new LiveRun(blueprint, run, scope, {
      ...{ within: local.#within, onInput: local.onInput, signal: local.#signal },
    })
    for (const [key, entry] of local.#lostState) again.#lostState.set(key, entry)
    // What was in its session was closed with it.
    if (local.#session !== undefined) again.session.lose(local.#session.lost)
    return again
  }

  static of(run: Run): LiveRun {
    return run.local as LiveRun
  }

  /** Whether this is a run of that workflow, and paused: then its live values may go to the one that resumes it. */
  isPausedIn(blueprint: Blueprint): boolean {
    const { status, value } = this.scope.self.getSnapshot()
    return this.blueprint === blueprint && status === 'active' && value === 'paused'
  }

  get name(): string {
    return this.blueprint.name
  }

  /** Live values of state that were left out of the snapshot that the run came from, and not written again. */
  get lostState(): readonly LostEntry[] {
    if (this.#lostState.size === 0) return noneLost
    return [...this.#lostState.values()].filter(({ key }) => this.run.state.isLostWhenCommitted(key))
  }

  /** Whether the value of a key of state was left out of the snapshot that the run came from. */
  lostStateAt(key: string): LostEntry | undefined {
    return this.#lostState.size > 0 && this.run.state.isLost(key) ? this.#lostState.get(key) : undefined
  }

  now(): number {
    return now(clockOf(this.scope))
  }

  /**
   * Writes outward: to the stream, and to those who listen with `actor.on(type)`. What a run inside another one writes
   * goes to the outermost, with the path to the step that wrote it.
   */
  write(event: AnyEvent, step?: string): void {
    this.scope.emit(event)
    if (step !== undefined && isTelling(event)) this.telemetry.note(event, [step])
    if (this.#within === undefined) this.stream.write(event)
    else LiveRun.of(this.#within.parent).#pass(event, this.#within, step === undefined ? [] : [step])
  }

  /** Passes on what a run inside this one has written. Data of its own that is called `path` stays as it is. */
  #pass(event: AnyEvent, { label, path }: Within, below: readonly string[], own = 'path' in event): void {
    const whole = [...path, ...below]
    const asked = event.type === requestType ? { requestId: `${label}/${(event as InputRequest).requestId}` } : {}
    const passed = { ...event, ...(own ? {} : { path: whole }), ...asked }
    this.scope.emit(passed)
    if (isTelling(event)) this.telemetry.note(event, whole)
    if (this.#within === undefined) this.stream.write(passed)
    else LiveRun.of(this.#within.parent).#pass(passed, this.#within, whole, own)
  }

  /** Routes an event that a step sends while it goes on, unless an earlier attempt of the same execution has. */
  send(attempt: Attempt, event: AnyEvent, delay: Duration | undefined): void {
    const sent = this.toSent(event, attempt.execution.id, delay)
    attempt.sent++
    if (attempt.sent > attempt.sentBefore) relay(attempt.scope, this.scope.self, sent)
  }

  /** @throws EventValidationError, BlazenError (`invalid_option`) */
  toSent(event: AnyEvent, execution: number | undefined, delay: Duration | undefined): Sent {
    const checked = this.check(event)
    const dueAt =
      delay === undefined ? undefined : this.now() + toMs(delay, 'sendEvent: delay', Number.MAX_SAFE_INTEGER)
    return { type: 'blazen.sent', execution, event: checked, dueAt }
  }

  /** Shows a request on the stream, and has it answered if a function for that was given. */
  ask(request: InputRequest): void {
    this.scope.defer(() => {
      this.write(request)
      if (this.onInput !== undefined) void this.#answer(this.onInput, request as InputRequestEvent)
    })
  }

  /** An event as its schema outputs it, with the time by which a request has to be answered. */
  check(event: AnyEvent): AnyEvent {
    const checked = checkEvent(event, this.blueprint.schemas.get(event.type))
    if (event.type !== requestType) return checked
    checkRequest(checked as Partial<InputRequestEvent>)
    this.#checkKind(checked as InputRequestEvent)
    const { timeout, dueAt } = checked as InputRequest & InputRequestEvent
    if (timeout === undefined || dueAt !== undefined) return checked
    const ms = toMs(timeout, 'InputRequestEvent: timeout', Number.MAX_SAFE_INTEGER)
    return { ...checked, dueAt: this.now() + ms } as AnyEvent
  }

  /** The answer to a request, as the schema of its kind outputs it. @throws EventValidationError */
  checkAnswer(request: InputRequest, response: unknown): unknown {
    return checkAnswer(this.blueprint, request, response)
  }

  /** @throws StateValidationError if `ctx.state` is not what the workflow's schema says. */
  checkState(): void {
    const { stateSchema, name } = this.blueprint
    if (stateSchema === undefined) return
    const { state } = this.run
    checkState(stateSchema, name, new Map([...state.keys()].map((key) => [key, state.get(key)])))
  }

  /** What has to be done before any step runs. A run that is aborted before it began never begins. */
  prepare(): Promise<void> | undefined {
    if (this.#signal?.aborted) return new Promise(() => {})
    const objects = [...this.run.state.committed.values()].filter((value) => value instanceof StateObject)
    return objects.length === 0 ? undefined : this.#prepareObjects(objects)
  }

  /** Rebuilds what came from a snapshot; saves what a new run, or a new key of its schema, begins with. */
  async #prepareObjects(objects: readonly StateObject[]): Promise<void> {
    for (const object of objects) {
      if (object.instance === undefined) await rebuild(object, { runId: this.run.id, workflow: this.name })
      else await this.saver.saveAll(storedFields(object))
    }
    // Whoever looks on sees an object from here on.
    this.run.state.touch()
    const { stateSchema, name, classes } = this.blueprint
    if (stateSchema === undefined || objects.some(({ problem }) => problem !== undefined)) return
    const { committed } = this.run.state
    completeState(stateSchema, name, committed, classes)
    this.run.state.touch()
    for (const value of committed.values())
      if (value instanceof StateObject && !objects.includes(value)) await this.saver.saveAll(storedFields(value))
  }

  /** A request of a kind has to be of one that the workflow declares, and its default an answer of that kind. */
  #checkKind(request: InputRequestEvent): void {
    const { kind } = request
    if (kind === undefined) return
    const { requests, name } = this.blueprint
    if (requests?.[kind] === undefined) {
      const known = Object.keys(requests ?? {}).map((each) => `"${each}"`)
      throw new EventValidationError(
        `An input request is of the kind "${kind}", which workflow "${name}" does not declare in \`requests\`. Declared are: ${known.join(', ') || 'none'}.`,
        requestType,
      )
    }
    if ('default' in request) this.checkAnswer(request, request.default)
  }

  /** Says once a run what its snapshots leave out. */
  warnOfDrop(dropped: readonly string[]): void {
    if (this.#warned) return
    this.#warned = true
    warn(
      'BLAZEN_SESSION_DROPPED',
      `Run ${this.run.id} leaves live values out of its snapshot (sessionPausePolicy "warn_drop"): ${dropped.join('; ')}.`,
    )
  }

  close(): void {
    if (pausedRuns.get(this.run.id) === this) pausedRuns.delete(this.run.id)
    this.stream.end()
    this.#isClosed = true
    if (this.#session !== undefined) void this.#session.close(this.run.result)
  }

  /** Gets the live values of a run that was paused in this process, which ends there. */
  #takeOver(previous: LiveRun): void {
    for (const [key, entry] of previous.session.release()) this.session.put(key, entry)
    const { run } = this
    const before = previous.run
    for (const key of this.#lostState.keys()) {
      const value = before.state.committed.get(key)
      // A migration may have put something else in the place of an object, whose fields are nobody's then.
      const owner = ownerOf(key)
      if (owner !== undefined && !(run.state.committed.get(toEntryKey(owner)) instanceof StateObject)) continue
      if (value !== undefined) run.state.committed.set(key, value)
    }
    for (const value of run.state.committed.values())
      if (value instanceof StateObject) gatherFields(value, run.state.committed)
    for (const [id, execution] of run.open) {
      const event = this.#withLive(execution.event, before.open.get(id)?.event)
      run.open.set(id, Object.assign(execution, { event }))
    }
    for (const [id, request] of run.requests) run.requests.set(id, this.#withLive(request, before.requests.get(id)))
    for (const [id, timer] of run.timers) {
      const { event } = timer
      if (event !== undefined) {
        run.timers.set(id, { ...timer, event: this.#withLive(event, before.timers.get(id)?.event) })
      }
    }
    for (const [type, collected] of run.collections) {
      const others = new Map(before.collections.get(type)?.map(({ by, event }) => [by, event]))
      run.collections.set(
        type,
        collected.map(({ by, event }) => ({ by, event: this.#withLive(event, others.get(by)) })),
      )
    }
    // Queued events have no id; as long as nothing was routed, more of them may have come, at the end.
    if (before.executions === run.executions) {
      run.queue = run.queue.map((event, at) => this.#withLive(event, before.queue[at]))
    }
    pausedRuns.delete(this.run.id)
    previous.scope.self.send(fail({ kind: 'error', error: new RunOwnershipLostError(this.run.id) }))
  }

  /** The event, with the live fields that it had in this process and that its snapshot left out. */
  #withLive<Event extends RoutedEvent>(event: Event, before: RoutedEvent | undefined): Event {
    if (before === undefined || before.type !== event.type) return event
    const { classes } = this.blueprint
    const lost = Object.entries(before).filter(
      ([field, value]) => !Object.hasOwn(event, field) && isLive(store(value, classes)),
    )
    return lost.length === 0 ? event : { ...event, ...Object.fromEntries(lost) }
  }

  async #answer(onInput: OnInput, request: InputRequestEvent): Promise<void> {
    const { requestId } = request
    const { self } = this.scope
    // Somebody else may have answered, or the run may have ended, while the function was at it.
    const isOpen = () => self.getSnapshot().status === 'active' && this.run.requests.get(requestId) === request
    try {
      const response = this.checkAnswer(request, await onInput(request))
      if (!isOpen()) return
      self.send({ type: 'blazen.answered', requestId, response: { type: responseType, requestId, response } })
    } catch (cause) {
      if (!isOpen()) return
      const message = `onInput failed on request "${requestId}" ("${request.prompt}"). Have it return an answer, or leave it out and answer with respondToInput.`
      self.send(fail({ kind: 'error', error: new InputRequestError(message, requestId, { cause }) }))
    }
  }
}

/**
 * The runs that are paused in this process, by id. Resumed from their snapshot here, they get their live values back;
 * so these are held until the run goes on, or is aborted.
 */
export const pausedRuns = new Map<string, LiveRun>()

/** The answer to a request, as the schema of its kind outputs it. @throws EventValidationError */
export function checkAnswer({ requests }: Blueprint, request: InputRequest, response: unknown): unknown {
  const { requestId, kind } = request as InputRequest & InputRequestEvent
  const schema = kind === undefined ? undefined : requests?.[kind]?.response
  if (schema === undefined) return response
  const parsed = parse(schema, response)
  if (parsed.issues === undefined) return parsed.value
  throw new EventValidationError(
    `The answer to request "${requestId}" does not fit the schema of its kind "${String(kind)}": ${describeIssues(parsed.issues)}.`,
    responseType,
    parsed.issues,
  )
}

/** Requests that were written out by hand are checked like those of their creator. @throws EventValidationError */
function checkRequest({ requestId, prompt }: Partial<InputRequestEvent>): void {
  if (typeof requestId === 'string' && typeof prompt === 'string') return
  throw new EventValidationError(
    `An input request has to have a text as \`requestId\` and as \`prompt\`, got ${typeof requestId} and ${typeof prompt}. Make it with InputRequestEvent({ prompt }).`,
    requestType,
  )
}
