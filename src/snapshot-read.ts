import {
  type Collection,
  deleted,
  Execution,
  type Failure,
  type InputRequest,
  type RunData,
  type RunPicture,
  StillChild,
  type Timer,
} from '../machines/index.ts'
import type { ClassRegistry } from './class-codec.ts'
import { read, readOwn, revive, type Stored } from './codec.ts'
import { CodecError, messageOf } from './codec-error.ts'
import { SnapshotError } from './errors.ts'
import { type AnyEvent, isEvent } from './event.ts'
import type { LostEntry } from './session.ts'
import type { SnapshotContext, WorkflowSnapshot } from './snapshot.ts'
import { isEntryKey, toUserKey } from './state-key.ts'
import { StateObject } from './state-object.ts'
import { gatherFields, isHead, reviveObject } from './state-rebuild.ts'

/** What a snapshot is read for. */
export interface Arriving {
  readonly workflow: string
  readonly steps: ReadonlySet<string>
  /** Event types that a run can hold; `undefined` for any, as in records: an event that nobody accepts fails its run. */
  readonly types: ReadonlySet<string> | undefined
  readonly classes: ClassRegistry
  /** The bytes beside the data. */
  readonly blobs?: Uint8Array | null
  /** Reads the snapshot of the run that a step calls `name`; `undefined` if it begins no such run. */
  readonly child: (step: string, name: string, snapshot: unknown) => Arrived | undefined
}

/** What a snapshot holds, decoded. */
export interface Arrived extends RunPicture {
  readonly data: RunData & { readonly state: Map<string, unknown> }
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
  const value = top.oneOf('value', [
    'running',
    'waiting',
    'pausing',
    'paused',
    'completed',
    'failed',
    'aborted',
  ] as const)
  const failure = context.optional('failure', (part) => part.failure())
  const state: Map<string, unknown> = context.entries()
  const data: RunData & { readonly state: Map<string, unknown> } = {
    id: top.text('runId'),
    open: context.list('executions', (part) => part.execution()),
    executions: context.count('executionsMade'),
    queue: context.list('queue', (part) => part.event()),
    requests: context.list('requests', (part) => part.request()),
    timers: context.list('timers', (part) => part.timer()),
    timersMade: context.count('timersMade'),
    collections: new Map(context.list('collections', (part) => part.collection())),
    state,
    timeoutMs: context.optional('timeoutMs', (part) => part.asNumber()),
    timeLeftMs: context.optional('timeLeftMs', (part) => part.asNumber()),
    result: context.optional('result', (part) => part.value()) ?? top.raw('output'),
    failure,
  }
  if (!values[status].includes(value)) throw top.wrong('value', `one of ${values[status].join(', ')}`, value)
  if (status === 'error' && failure === undefined) throw context.wrong('failure', 'the failure of the run', failure)
  const last = data.open.reduce((id, execution) => Math.max(id, execution.id), 0)
  if (data.executions < last) throw context.wrong('executionsMade', `at least ${last}`, data.executions)
  if (new Set(data.open.map(({ id }) => id)).size < data.open.length)
    throw context.wrong(
      'executions',
      'executions with an `id` each',
      data.open.map(({ id }) => id),
    )
  return {
    status,
    // What was pausing has nothing at work any more.
    value: value === 'pausing' ? 'paused' : value,
    data,
    session: context.list('session', (part) => ({ ...part.lost(), value: part.part('value').value(readOwn) })),
    lost: {
      state: context.part('lost').list('state', (part) => part.lost()),
      session: context.part('lost').list('session', (part) => part.lost()),
    },
  }
}

/** The snapshot, if it is one that this version can read at all. */
export function checkTop(snapshot: unknown): WorkflowSnapshot {
  if (typeof snapshot !== 'object' || snapshot === null) {
    throw new SnapshotError(
      `Expected the snapshot of a run, got ${typeof snapshot === 'string' ? 'a text: parse it first, with JSON.parse' : String(snapshot)}.`,
    )
  }
  const { format } = snapshot as WorkflowSnapshot
  if (format !== 1) {
    throw new SnapshotError(
      `The snapshot has the format ${JSON.stringify(format) ?? 'of something else'}, and this version of blazen-xstate reads format 1. Resume it with the version that wrote it, or a newer one.`,
      'format',
    )
  }
  return snapshot as WorkflowSnapshot
}

/** Where in its life a run of a status is. */
const values: Readonly<Record<Arrived['status'], readonly string[]>> = {
  active: ['running', 'waiting', 'pausing', 'paused'],
  stopped: ['running', 'waiting', 'pausing', 'paused'],
  done: ['completed'],
  error: ['failed', 'aborted'],
}

/** What the error of each kind of failure is made of, and its type. */
const failureFields: Readonly<Record<Failure['kind'], Readonly<Record<string, string>>>> = {
  step: { step: 'string', event: 'object', attempt: 'number' },
  unhandled: { event: 'object' },
  runTimeout: { timeoutMs: 'number' },
  duplicateRequest: { requestId: 'string' },
  requestTimeout: { event: 'object' },
  stalled: {},
  aborted: {},
  error: {},
}

/**
 * Finds the fields of all objects among the entries of state.
 *
 * @throws SnapshotError for an entry that is not what its object says.
 */
export function gatherObjects(entries: ReadonlyMap<string, unknown>, path: string): void {
  for (const object of entries.values()) {
    if (!(object instanceof StateObject)) continue
    try {
      gatherFields(object, entries)
    } catch (cause) {
      throw new SnapshotError(`The snapshot is damaged: ${messageOf(cause)}.`, path, { cause })
    }
  }
}

/** A part of a snapshot, and where it is. */
export class Part {
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
    return Array.from(list, (item, at) => read(new Part(item, `${path}[${at}]`, this.#arriving)))
  }

  number(key: string): number {
    return this.part(key).asNumber()
  }

  asNumber(): number {
    if (typeof this.#value === 'number' && Number.isFinite(this.#value)) return this.#value
    throw this.#fail('a number', this.#value)
  }

  count(key: string): number {
    const value = this.number(key)
    if (Number.isInteger(value) && value >= 0) return value
    throw this.wrong(key, 'a whole number', value)
  }

  text(key: string): string {
    const value = this.raw(key)
    if (typeof value === 'string') return value
    throw this.wrong(key, 'a text', value)
  }

  asText(): string {
    if (typeof this.#value === 'string') return this.#value
    throw this.#fail('a text', this.#value)
  }

  oneOf<Word extends string>(key: string, words: readonly Word[]): Word {
    const word = words.find((each) => each === this.raw(key))
    if (word !== undefined) return word
    throw this.wrong(key, `one of ${words.join(', ')}`, this.raw(key))
  }

  stored(): Stored {
    const where = this.#path
    try {
      return revive(this.#value, this.#arriving.classes, where, this.#arriving.blobs)
    } catch (error) {
      if (!(error instanceof CodecError)) throw error
      throw new SnapshotError(error.message, where, { cause: error })
    }
  }

  /** The value itself. One that cannot be read here, for want of a class, is refused. */
  value(how: (stored: Stored) => unknown = read): unknown {
    const stored = this.stored()
    try {
      return how(stored)
    } catch (error) {
      if (!(error instanceof CodecError)) throw error
      throw new SnapshotError(error.message, this.#path, { cause: error })
    }
  }

  anyEvent(): AnyEvent {
    const event = this.value()
    if (isEvent(event)) return event
    throw this.#fail('an event', event)
  }

  event(): AnyEvent {
    const event = this.anyEvent()
    if (this.#arriving.types?.has(event.type) === false) {
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
    const children = this.optional('children', () => this.list('children', (part) => part.child(step)))
    return Object.assign(new Execution(this.count('id'), step, this.part('event').event()), {
      children: children && new Map(children.map((child) => [child.name, child])),
      attempt: this.count('attempt'),
      sent: this.count('sent'),
      spent: this.raw('spent') === true,
      dueAt: this.optional('dueAt', (part) => part.asNumber()),
    })
  }

  /** A run that a step has begun. */
  child(step: string): StillChild {
    const name = this.text('name')
    const snapshot = this.raw('snapshot')
    const { child, workflow } = this.#arriving
    const arrived = child(step, name, snapshot)
    if (arrived !== undefined) return new StillChild(name, arrived)
    const inner = String(Reflect.get(Object(snapshot), 'workflow'))
    throw new SnapshotError(
      `The snapshot has a run of "${inner}" under way in step "${step}"${name === '' ? '' : `, branch "${name}"`} (${this.#path}), and workflow "${workflow}" begins no such run there. Give the changed workflow a new version with a migration.`,
      this.#path,
    )
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
    const part = new Part(value, `${this.#path.replace(/\[\d+\]$/, '')}[${JSON.stringify(key)}]`, this.#arriving)
    if (!isEntryKey(key)) throw this.#fail('a key of state', key)
    const userKey = toUserKey(key)
    const isObject = typeof value === 'object' && value !== null && Object.keys(value).join() === 'object'
    return [key, isObject && userKey !== undefined ? part.object(userKey) : part.stored()]
  }

  /** The class and fields of a BlazenState. */
  object(key: string): Stored {
    const head = new Part({ json: this.raw('object') }, `${this.#path}.object`, this.#arriving).stored()
    if (isHead(head)) return reviveObject(key, head, this.#arriving.classes)
    throw this.#fail('the class and fields of a state', this.#value)
  }

  /** The entries of state, of which some are fields of others. */
  entries(): Map<string, Stored> {
    const entries = new Map(this.list('state', (part) => part.entry()))
    gatherObjects(entries, this.part('state').#path)
    return entries
  }

  /** One key that was written, or deleted where it stands alone. */
  write(): [string, unknown] {
    const pair = this.#value
    if (Array.isArray(pair) && pair.length === 1 && typeof pair[0] === 'string') return [pair[0], deleted]
    return this.entry()
  }

  taking(): Collection {
    return {
      type: this.text('type'),
      added: this.raw('added') === true,
      taken: this.list('taken', (each) => each.asNumber()),
    }
  }

  lost(): LostEntry {
    const at = this.number('at')
    if (Number.isNaN(new Date(at).getTime())) throw this.wrong('at', 'a time in milliseconds', at)
    return { key: this.text('key'), step: this.text('step'), at }
  }

  failure(): Failure {
    const kind = this.oneOf('kind', Object.keys(failureFields) as Failure['kind'][])
    const event = this.optional('event', (part) => part.anyEvent())
    const thrown = this.optional('thrown', (part) => part.value())
    const fields = this.part('fields').value()
    for (const [name, type] of Object.entries(failureFields[kind])) {
      const field: unknown = name === 'event' ? event : Reflect.get(Object(fields), name)
      if (typeof field !== type)
        throw this.wrong(name === 'event' ? 'event' : 'fields', `a failure with \`${name}\``, field)
    }
    return {
      ...(fields as object),
      kind,
      event,
      request: event,
      cause: thrown,
      reason: thrown,
      error: thrown,
    } as Failure
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
