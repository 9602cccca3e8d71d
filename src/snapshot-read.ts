import {
  type Collection,
  deleted,
  Execution,
  type Failure,
  type InputRequest,
  type RunData,
  type RunPicture,
  type Timer,
} from '../machines/index.ts'
import type { ClassRegistry } from './class-codec.ts'
import { read, revive, type Stored } from './codec.ts'
import { CodecError } from './codec-error.ts'
import { SnapshotError } from './errors.ts'
import { type AnyEvent, isEvent } from './event.ts'
import type { LostEntry } from './session.ts'

import type { SnapshotContext, WorkflowSnapshot } from './snapshot.ts'

/** What a snapshot is read for. */
export interface Arriving {
  readonly workflow: string
  readonly steps: ReadonlySet<string>
  /** Event types that a run can hold; `undefined` for any, as in records: an event that nobody accepts fails its run. */
  readonly types: ReadonlySet<string> | undefined
  readonly classes: ClassRegistry
  /** The bytes beside the data. */
  readonly blobs?: Uint8Array | null
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
    result: context.optional('result', (part) => read(part.stored())) ?? top.raw('output'),
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
      return revive(this.#value, this.#arriving.classes, where, this.#arriving.blobs)
    } catch (error) {
      if (!(error instanceof CodecError)) throw error
      throw new SnapshotError(error.message, where, { cause: error })
    }
  }

  event(): AnyEvent {
    const event = read(this.stored())
    if (!isEvent(event)) throw this.#fail('an event', event)
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
    return [
      key,
      new Part(value, `${this.#path.replace(/\[\d+\]$/, '')}[${JSON.stringify(key)}]`, this.#arriving).stored(),
    ]
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
    return { key: this.text('key'), step: this.text('step'), at: this.number('at') }
  }

  failure(): Failure {
    const event = this.optional('event', (part) => read(part.stored()))
    const thrown = this.optional('thrown', (part) => read(part.stored()))
    const fields = read(this.part('fields').stored())
    return {
      ...(fields as object),
      kind: this.text('kind'),
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
