import {
  Child,
  type ChildRun,
  type Failure,
  type InputRequest,
  type RunPicture,
  StillChild,
  type Timer,
} from '../machines/index.ts'
import type { ClassRegistry } from './class-codec.ts'
import { type Blobs, type PersistedValue, persist, refusalOf, type Stored, store } from './codec.ts'
import { type KeepOccasion, SessionNotSerializableError } from './errors.ts'
import type { AnyEvent } from './event.ts'
import { storeFailure } from './failure.ts'
import { originOf } from './origin.ts'
import type { Plan } from './plan.ts'
import type { LostEntry, SessionEntry, SessionPausePolicy } from './session.ts'
import type {
  PersistedChild,
  PersistedEntry,
  PersistedFailure,
  PersistedTimer,
  SnapshotContext,
  WorkflowSnapshot,
} from './snapshot.ts'
import { describeEntry } from './state-key.ts'

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
  /** Takes bytes as they are; without it they become text. */
  readonly blobs?: Blobs | undefined
  /** The same of a run inside this one. */
  readonly child: (child: Child) => Departing
  /** What a base says of how its workflow routes. */
  readonly plan?: Plan | undefined
  /** Called once a run, with what was dropped. */
  readonly onDrop: (dropped: readonly string[]) => void
}

/**
 * The snapshot of a run.
 *
 * @throws SessionNotSerializableError with everything that the policy does not let go.
 */
export function toSnapshot(picture: RunPicture, departing: Departing, occasion?: KeepOccasion): WorkflowSnapshot {
  const pack = new Packer(departing)
  const snapshot = packRun(picture, departing, pack)
  pack.done(picture.data.id, occasion)
  return snapshot
}

function packRun({ status, value, data }: RunPicture, departing: Departing, pack: Packer): WorkflowSnapshot {
  const session = pack.session(departing.session)
  const state = pack.state(data.state)
  const result = status === 'done' ? pack.value(store(data.result, departing.classes), 'the result') : undefined
  const context: SnapshotContext = {
    state,
    session,
    lost: {
      state: [...departing.lostState, ...pack.lostState],
      session: [...departing.lostSession, ...pack.lostSession],
    },
    executions: data.open.map(({ id, step, event, attempt, sent, spent, dueAt = null, children }) => ({
      id,
      step,
      event: pack.event(event, `the "${event.type}" of step "${step}"`),
      attempt,
      sent,
      spent,
      dueAt,
      ...(children === undefined ? {} : { children: Array.from(children.values(), (child) => pack.child(child)) }),
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
    ...(result === undefined || 'json' in result ? {} : { result }),
    ...(data.failure === undefined ? {} : { failure: pack.failure(data.failure) }),
  }
  const { workflow, version = null } = departing
  const output = result !== undefined && 'json' in result ? { output: result.json } : {}
  return { format: 1, workflow, version, runId: data.id, status, value: String(value), context, ...output }
}

/** Encodes what a run holds, under its pause policy. */
export class Packer {
  readonly lostState: LostEntry[] = []
  readonly lostSession: LostEntry[] = []
  readonly #departing: Departing
  readonly #refused: { where: string; holds: string }[]
  readonly #dropped: string[]

  /** @param above what packs the run around this one, which tells of all that is refused or dropped. */
  constructor(departing: Departing, above?: Packer) {
    this.#departing = departing
    this.#refused = above === undefined ? [] : above.#refused
    this.#dropped = above === undefined ? [] : above.#dropped
  }

  /** A run inside this one. */
  child(child: ChildRun): PersistedChild {
    const origin = child instanceof StillChild ? child.origin : child
    if (!(origin instanceof Child)) throw new TypeError('A run inside another one has no workflow.')
    const departing = this.#departing.child(origin)
    // What is below knows its own kind of picture.
    const picture = child.picture() as RunPicture
    return { name: child.name, snapshot: packRun(picture, departing, new Packer(departing, this)) }
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
        kept.push({ key, step, at, value: this.#persist(stored) })
      }
    }
    return kept
  }

  state(entries: ReadonlyMap<string, unknown>): [string, PersistedValue][] {
    const kept: [string, PersistedValue][] = []
    for (const [key, value] of entries) {
      const stored = value as Stored
      const { step, at } = originOf(stored) ?? { step: '', at: Date.now() }
      const persisted = this.entry(key, stored, step)
      if (persisted === undefined) this.lostState.push({ key, step, at })
      else kept.push([key, persisted])
    }
    return kept
  }

  /** An entry of state, set by `step`; `undefined` for a value that the policy leaves out. */
  entry(key: string, stored: Stored, step: string): PersistedValue | undefined {
    const where = `${describeEntry(key)}${step === '' ? '' : ` (set by step "${step}")`}`
    return this.#keeps(stored, where) ? this.#persist(stored) : undefined
  }

  value(stored: Stored, where: string): PersistedValue {
    return this.#keeps(stored, where) ? this.#persist(stored) : { json: null }
  }

  /** An event; live fields of it are left out where the policy says so. */
  event(event: AnyEvent, where: string): PersistedValue {
    const { classes } = this.#departing
    const stored = store(event, classes)
    if (refusalOf(stored) === undefined) return this.#persist(stored)
    const fields = Object.entries(event)
    const kept = fields.filter(([field, value]) => this.#keeps(store(value, classes), `${where} (its field ${field})`))
    // What is live is the event itself: an instance of a class, or one with a symbol as key.
    if (kept.length === fields.length) this.#keeps(stored, where)
    return this.#persist(store(Object.fromEntries(kept), classes))
  }

  timer({ id, dueAt, event, requestId }: Timer): PersistedTimer {
    return {
      id,
      dueAt,
      ...(event === undefined ? {} : { event: this.event(event, `the delayed "${event.type}"`) }),
      ...(requestId === undefined ? {} : { requestId }),
    }
  }

  /** What was thrown, with all of it that can be kept. */
  thrown(thrown: unknown): PersistedValue {
    return this.#persist(storeFailure(thrown, this.#departing.classes))
  }

  failure(failure: Failure): PersistedFailure {
    const { kind, event, request, cause, reason, error, ...fields } = { ...noFailure, ...failure }
    const { classes } = this.#departing
    const about = event ?? request
    const thrown = cause ?? reason ?? error
    return {
      kind,
      fields: this.#persist(store(fields, classes)),
      ...(about === undefined ? {} : { event: this.event(about, `the failed "${about.type}"`) }),
      ...(thrown === undefined ? {} : { thrown: this.thrown(thrown) }),
    }
  }

  /** @throws SessionNotSerializableError */
  done(runId: string, occasion?: KeepOccasion): void {
    const { policy, onDrop } = this.#departing
    if (this.#refused.length > 0) throw new SessionNotSerializableError(runId, policy, this.#refused, occasion)
    if (this.#dropped.length > 0) onDrop(this.#dropped)
  }

  #persist(stored: Stored): PersistedValue {
    return persist(stored, this.#departing.blobs)
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
