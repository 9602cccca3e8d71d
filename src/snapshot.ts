import { Execution, type Failure, type InputRequest, type RunData, type RunPicture, type Timer } from '../machines/index.ts'
import type { ClassRegistry } from './class-codec.ts'
import { CodecError } from './codec-error.ts'
import { type PersistedValue, persist, read, refusalOf, revive, type Stored, store } from './codec.ts'
import { SessionNotSerializableError, SnapshotError } from './errors.ts'
import { type AnyEvent, isEvent } from './event.ts'
import { storeFailure } from './failure.ts'
import type { LostEntry, SessionEntry, SessionPausePolicy } from './session.ts'

/** The picture of a run: plain JSON data, from which any process that has the workflow goes on. */
export interface WorkflowSnapshot {
  readonly format: 1
  readonly workflow: string
  /** The author's version of the workflow. */
  readonly version: string | null
  readonly runId: string
  readonly status: 'active' | 'done' | 'error' | 'stopped'
  /** Where the run is in its life. */
  readonly value: string
  readonly context: SnapshotContext
  /** XState's fields; a run keeps its result and its failure in `context`. */
  readonly output?: undefined
  readonly error?: undefined
}

export interface SnapshotContext {
  readonly state: readonly (readonly [key: string, value: PersistedValue])[]
  readonly session: readonly PersistedEntry[]
  /** What the pause policy left out. */
  readonly lost: { readonly state: readonly LostEntry[]; readonly session: readonly LostEntry[] }
  readonly executions: readonly PersistedExecution[]
  readonly executionsMade: number
  readonly queue: readonly PersistedValue[]
  readonly requests: readonly PersistedValue[]
  readonly timers: readonly PersistedTimer[]
  readonly timersMade: number
  readonly collections: readonly (readonly [type: string, collected: readonly PersistedCollected[]])[]
  readonly timeoutMs: number | null
  readonly timeLeftMs: number | null
  readonly result?: PersistedValue
  readonly failure?: PersistedFailure
}

export interface PersistedEntry extends LostEntry {
  readonly value: PersistedValue
}

export interface PersistedExecution {
  readonly id: number
  readonly step: string
  readonly event: PersistedValue
  readonly attempt: number
  readonly sent: number
  readonly spent: boolean
  readonly dueAt: number | null
}

export interface PersistedTimer {
  readonly id: string
  readonly dueAt: number
  readonly event?: PersistedValue
  readonly requestId?: string
}

export interface PersistedCollected {
  readonly by: number
  readonly event: PersistedValue
}

export interface PersistedFailure {
  readonly kind: string
  readonly fields: PersistedValue
  readonly event?: PersistedValue
  readonly thrown?: PersistedValue
}

/** What a snapshot is taken of, beside the run. */
export interface Departing {
  readonly workflow: string
  readonly version: string | undefined
  readonly policy: SessionPausePolicy
  readonly classes: ClassRegistry
  readonly session: ReadonlyMap<string, SessionEntry>
  /** What earlier snapshots have left out, and nobody has set again. */
  readonly lostSession: readonly LostEntry[]
  readonly lostState: readonly LostEntry[]
  /** Called once a run, with what was dropped. */
  readonly onDrop: (dropped: readonly string[]) => void
}

/**
 * The snapshot of a run.
 *
 * @throws SessionNotSerializableError with everything that the policy does not let go.
 */
export function toSnapshot({ status, value, data }: RunPicture, departing: Departing): WorkflowSnapshot {
  const pack = new Packer(departing)
  const session = pack.session(departing.session)
  const state = pack.state(data.state)
  const context: SnapshotContext = {
    state,
    session,
    lost: { state: [...departing.lostState, ...pack.lostState], session: [...departing.lostSession, ...pack.lostSession] },
    executions: data.open.map(({ id, step, event, attempt, sent, spent, dueAt = null }) => ({
      id,
      step,
      event: pack.event(event, `the "${event.type}" of step "${step}"`),
      attempt,
      sent,
      spent,
      dueAt,
    })),
    executionsMade: data.executions,
    queue: data.queue.map((event) => pack.event(event, `the queued "${event.type}"`)),
    requests: data.requests.map((request) => pack.event(request, `the request "${request.requestId}"`)),
    timers: data.timers.map((timer) => pack.timer(timer)),
    timersMade: data.timersMade,
    collections: [...data.collections].map(([type, collected]) => [
      type,
      collected.map(({ by, event }) => ({ by, event: pack.event(event, `the collected "${type}"`) })),
    ]),
    timeoutMs: data.timeoutMs ?? null,
    timeLeftMs: data.timeLeftMs ?? null,
    ...(status === 'done' ? { result: pack.value(store(data.result, departing.classes), 'the result') } : {}),
    ...(data.failure === undefined ? {} : { failure: pack.failure(data.failure) }),
  }
  pack.done(data.id)
  const { workflow, version = null } = departing
  return { format: 1, workflow, version, runId: data.id, status, value: String(value), context }
}

/** Encodes what a run holds, under its pause policy. */
class Packer {
  readonly lostState: LostEntry[] = []
  readonly lostSession: LostEntry[] = []
  readonly #departing: Departing
  readonly #refused: { where: string; holds: string }[] = []
  readonly #dropped: string[] = []

  constructor(departing: Departing) {
    this.#departing = departing
  }

  session(entries: ReadonlyMap<string, SessionEntry>): PersistedEntry[] {
    const { policy, classes } = this.#departing
    const kept: PersistedEntry[] = []
    for (const [key, { value, step, at }] of entries) {
      const where = `ctx.session "${key}" (set by step "${step}")`
      const stored = store(value, classes)
      if (policy === 'hard_error') {
        this.#refused.push({ where, holds: 'a session entry' })
      } else if (policy === 'warn_drop') {
        this.#dropped.push(where)
        this.lostSession.push({ key, step, at })
      } else if (this.#keeps(stored, where)) {
        kept.push({ key, step, at, value: persist(stored) })
      }
    }
    return kept
  }

  state(entries: ReadonlyMap<string, unknown>): [string, PersistedValue][] {
    const kept: [string, PersistedValue][] = []
    for (const [key, value] of entries) {
      const stored = value as Stored
      if (this.#keeps(stored, `ctx.state "${key}"`)) kept.push([key, persist(stored)])
      else this.lostState.push({ key, step: '', at: Date.now() })
    }
    return kept
  }

  value(stored: Stored, where: string): PersistedValue {
    return this.#keeps(stored, where) ? persist(stored) : { json: null }
  }

  /** An event; live fields of it are left out where the policy says so. */
  event(event: AnyEvent, where: string): PersistedValue {
    const { classes } = this.#departing
    const stored = store(event, classes)
    if (refusalOf(stored) === undefined) return persist(stored)
    const kept = Object.entries(event).filter(([field, value]) => this.#keeps(store(value, classes), `${where}, ${field},`))
    return persist(store(Object.fromEntries(kept), classes))
  }

  timer({ id, dueAt, event, requestId }: Timer): PersistedTimer {
    return {
      id,
      dueAt,
      ...(event === undefined ? {} : { event: this.event(event, `the delayed "${event.type}"`) }),
      ...(requestId === undefined ? {} : { requestId }),
    }
  }

  failure(failure: Failure): PersistedFailure {
    const { kind, event, request, cause, reason, error, ...fields } = { ...noFailure, ...failure }
    const { classes } = this.#departing
    const about = event ?? request
    const thrown = cause ?? reason ?? error
    return {
      kind,
      fields: persist(store(fields, classes)),
      ...(about === undefined ? {} : { event: this.event(about, `the failed "${about.type}"`) }),
      ...(thrown === undefined ? {} : { thrown: persist(storeFailure(thrown, classes)) }),
    }
  }

  /** @throws SessionNotSerializableError */
  done(runId: string): void {
    const { policy, onDrop } = this.#departing
    if (this.#refused.length > 0) throw new SessionNotSerializableError(runId, policy, this.#refused)
    if (this.#dropped.length > 0) onDrop(this.#dropped)
  }

  #keeps(stored: Stored, where: string): boolean {
    const refusal = refusalOf(stored)
    if (refusal === undefined) return true
    if (this.#departing.policy === 'warn_drop') this.#dropped.push(where)
    else this.#refused.push({ where, holds: refusal.path === '' ? refusal.what : `${refusal.what} at ${refusal.path}` })
    return false
  }
}

const noFailure = {
  event: undefined as AnyEvent | undefined,
  request: undefined as InputRequest | undefined,
  cause: undefined as unknown,
  reason: undefined as unknown,
  error: undefined as unknown,
}

/** What a snapshot is read for. */
export interface Arriving {
  readonly workflow: string
  readonly steps: ReadonlySet<string>
  /** Event types that a run can hold. */
  readonly types: ReadonlySet<string>
  readonly classes: ClassRegistry
}

/** What a snapshot holds, decoded. */
export interface Arrived extends RunPicture {
  readonly session: readonly (LostEntry & { readonly value: unknown })[]
  readonly lost: SnapshotContext['lost']
}

/**
 * Reads a snapshot whole, before anything of it runs.
 *
 * @throws SnapshotError that names what is wrong, and where.
 */
export function fromSnapshot(snapshot: unknown, arriving: Arriving): Arrived {
  const top = new Part(snapshot, '', arriving)
  const context = top.part('context')
  const status = top.oneOf('status', ['active', 'done', 'error', 'stopped'] as const)
  const value = top.oneOf('value', ['running', 'waiting', 'pausing', 'paused', 'completed', 'failed', 'aborted'] as const)
  const failure = context.optional('failure', (part) => part.failure())
  const data: RunData = {
    id: top.text('runId'),
    open: context.list('executions', (part) => part.execution()),
    executions: context.number('executionsMade'),
    queue: context.list('queue', (part) => part.event()),
    requests: context.list('requests', (part) => part.request()),
    timers: context.list('timers', (part) => part.timer()),
    timersMade: context.number('timersMade'),
    collections: new Map(context.list('collections', (part) => part.collection())),
    state: new Map(context.list('state', (part) => part.entry())),
    timeoutMs: context.optional('timeoutMs', (part) => part.asNumber()),
    timeLeftMs: context.optional('timeLeftMs', (part) => part.asNumber()),
    result: context.optional('result', (part) => read(part.stored())),
    failure,
  }
  return {
    status,
    // What was pausing has nothing at work any more.
    value: value === 'pausing' ? 'paused' : value,
    data,
    session: context.list('session', (part) => ({ ...part.lost(), value: read(part.part('value').stored()) })),
    lost: {
      state: context.part('lost').list('state', (part) => part.lost()),
      session: context.part('lost').list('session', (part) => part.lost()),
    },
  }
}

/** The snapshot, if it is one that this version can read at all. */
export function checkTop(snapshot: unknown): WorkflowSnapshot {
  if (typeof snapshot !== 'object' || snapshot === null) {
    throw new SnapshotError(`Expected the snapshot of a run, got ${typeof snapshot === 'string' ? 'a text: parse it first, with JSON.parse' : String(snapshot)}.`)
  }
  const { format } = snapshot as WorkflowSnapshot
  if (format !== 1) {
    throw new SnapshotError(`The snapshot has the format ${JSON.stringify(format) ?? 'of something else'}, and this version of blazen-xstate reads format 1. Resume it with the version that wrote it, or a newer one.`, 'format')
  }
  return snapshot as WorkflowSnapshot
}

/** A part of a snapshot, and where it is. */
class Part {
  readonly #value: unknown
  readonly #path: string
  readonly #arriving: Arriving

  constructor(value: unknown, path: string, arriving: Arriving) {
    this.#value = value
    this.#path = path
    this.#arriving = arriving
  }

  raw(key: string): unknown {
    const value = this.#value
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw this.#fail('an object', value)
    return Object.hasOwn(value, key) ? Reflect.get(value, key) : undefined
  }

  part(key: string): Part {
    return new Part(this.raw(key), this.#path === '' ? key : `${this.#path}.${key}`, this.#arriving)
  }

  optional<Value>(key: string, read: (part: Part) => Value): Value | undefined {
    const raw = this.raw(key)
    return raw === undefined || raw === null ? undefined : read(this.part(key))
  }

  list<Item>(key: string, read: (part: Part) => Item): Item[] {
    const list = this.raw(key)
    const path = this.part(key).#path
    if (!Array.isArray(list)) throw this.wrong(key, 'an array', list)
    return list.map((item, at) => read(new Part(item, `${path}[${at}]`, this.#arriving)))
  }

  number(key: string): number {
    return this.part(key).asNumber()
  }

  asNumber(): number {
    if (typeof this.#value === 'number' && Number.isFinite(this.#value)) return this.#value
    throw this.#fail('a number', this.#value)
  }

  text(key: string): string {
    const value = this.raw(key)
    if (typeof value === 'string') return value
    throw this.wrong(key, 'a text', value)
  }

  oneOf<Word extends string>(key: string, words: readonly Word[]): Word {
    const word = words.find((each) => each === this.raw(key))
    if (word !== undefined) return word
    throw this.wrong(key, `one of ${words.join(', ')}`, this.raw(key))
  }

  stored(): Stored {
    const where = this.#path
    try {
      return revive(this.#value, this.#arriving.classes, where)
    } catch (error) {
      if (!(error instanceof CodecError)) throw error
      throw new SnapshotError(error.message, where, { cause: error })
    }
  }

  event(): AnyEvent {
    const event = read(this.stored())
    if (!isEvent(event)) throw this.#fail('an event', event)
    if (!this.#arriving.types.has(event.type)) {
      throw new SnapshotError(
        `The snapshot holds an event of type "${event.type}" (${this.#path}), which no step of workflow "${this.#arriving.workflow}" accepts. Add a step for it, or rename or drop it in a migration: draft.renameEvent("${event.type}", …), draft.mapEvents("${event.type}", () => null).`,
        this.#path,
      )
    }
    return event
  }

  request(): InputRequest {
    const event = this.event() as InputRequest
    if (typeof event.requestId === 'string') return event
    throw this.#fail('an input request', event)
  }

  execution(): Execution {
    const step = this.text('step')
    if (!this.#arriving.steps.has(step)) {
      throw new SnapshotError(
        `The snapshot has step "${step}" under way (${this.#path}.step), which workflow "${this.#arriving.workflow}" does not have. Its steps are: ${[...this.#arriving.steps].map((name) => `"${name}"`).join(', ')}. Rename it in a migration: draft.renameStep("${step}", …).`,
        `${this.#path}.step`,
      )
    }
    return Object.assign(new Execution(this.number('id'), step, this.part('event').event()), {
      attempt: this.number('attempt'),
      sent: this.number('sent'),
      spent: this.raw('spent') === true,
      dueAt: this.optional('dueAt', (part) => part.asNumber()),
    })
  }

  timer(): Timer {
    return {
      id: this.text('id'),
      dueAt: this.number('dueAt'),
      event: this.optional('event', (part) => part.event()),
      requestId: this.optional('requestId', (part) => String(part.#value)),
    }
  }

  collection(): [string, { by: number; event: AnyEvent }[]] {
    const [type, collected] = this.#pair()
    const where = new Part({ collected }, this.#path, this.#arriving)
    return [type, where.list('collected', (part) => ({ by: part.number('by'), event: part.part('event').event() }))]
  }

  entry(): [string, Stored] {
    const [key, value] = this.#pair()
    return [key, new Part(value, `${this.#path.replace(/\[\d+\]$/, '')}[${JSON.stringify(key)}]`, this.#arriving).stored()]
  }

  lost(): LostEntry {
    return { key: this.text('key'), step: this.text('step'), at: this.number('at') }
  }

  failure(): Failure {
    const event = this.optional('event', (part) => read(part.stored()))
    const thrown = this.optional('thrown', (part) => read(part.stored()))
    const fields = read(this.part('fields').stored())
    return { ...(fields as object), kind: this.text('kind'), event, request: event, cause: thrown, reason: thrown, error: thrown } as Failure
  }

  wrong(key: string, expected: string, got: unknown): SnapshotError {
    return this.part(key).#fail(expected, got)
  }

  #pair(): [string, unknown] {
    const pair = this.#value
    if (Array.isArray(pair) && pair.length === 2 && typeof pair[0] === 'string') return [pair[0], pair[1]]
    throw this.#fail('a pair of a text and a value', pair)
  }

  #fail(expected: string, got: unknown): SnapshotError {
    const shown = got === undefined ? 'nothing' : (JSON.stringify(got) ?? typeof got)
    return new SnapshotError(
      `The snapshot is damaged${this.#path === '' ? '' : ` at ${this.#path}`}: expected ${expected}, got ${shown.length > 80 ? `${shown.slice(0, 80)}…` : shown}. Resume from one that was stored whole.`,
      this.#path,
    )
  }
}
