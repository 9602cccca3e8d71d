import type { AnyActorRef } from 'xstate'
import { messageOf } from './codec-error.ts'
import { BlazenError, SessionEntryLostError } from './errors.ts'
import type { Values } from './namespace.ts'
import type { Resource, ResourceContext } from './resource.ts'
import { warn } from './warn.ts'

/** A live reference, and where it came from: told when it is lost. */
export interface SessionEntry {
  readonly value: unknown
  /** The step that set it. */
  readonly step: string
  /** When, in milliseconds since the epoch. */
  readonly at: number
}

/** What happens to live values when a run leaves its process. */
export type SessionPausePolicy = 'pickle_or_error' | 'warn_drop' | 'hard_error'

/** An entry that a snapshot left out. */
export interface LostEntry {
  readonly key: string
  readonly step: string
  readonly at: number
}

/**
 * The live references of runs: plain Maps beside the actor system, by run, and gone with it.
 * Strong references, never copied.
 */
const sessions = new WeakMap<AnyActorRef['system'], Map<string, Map<string, SessionEntry>>>()

const none: ReadonlyMap<string, SessionEntry> = new Map()

/** The session of one run. */
export class Session {
  readonly #system: AnyActorRef['system']
  readonly #runId: string
  readonly #resources: Readonly<Record<string, Resource>>
  readonly #opened = new Map<string, unknown>()
  readonly #opening = new Map<string, Promise<unknown>>()
  readonly #lost = new Map<string, LostEntry>()
  #closed = false

  constructor(system: AnyActorRef['system'], runId: string, resources: Readonly<Record<string, Resource>> = {}) {
    this.#system = system
    this.#runId = runId
    this.#resources = resources
  }

  /** The entries that steps have set. */
  get entries(): ReadonlyMap<string, SessionEntry> {
    return sessions.get(this.#system)?.get(this.#runId) ?? none
  }

  put(key: string, entry: SessionEntry): void {
    let runs = sessions.get(this.#system)
    if (runs === undefined) sessions.set(this.#system, (runs = new Map()))
    let entries = runs.get(this.#runId)
    if (entries === undefined) runs.set(this.#runId, (entries = new Map()))
    this.#lost.delete(key)
    entries.set(key, entry)
  }

  /** What was left out of the snapshot that the run came from, and not set again. */
  get lost(): readonly LostEntry[] {
    return [...this.#lost.values()]
  }

  lose(entries: readonly LostEntry[]): void {
    for (const entry of entries) this.#lost.set(entry.key, entry)
  }

  /** The session as a step sees it. */
  viewFor(ctx: ResourceContext, now: () => number): Values & { open(key: string): Promise<unknown> } {
    return {
      get: (key) => this.#get(key, ctx),
      has: (key) => this.entries.has(key) || this.#isResource(key),
      set: (key, value) => this.#set(key, { value, step: ctx.step, at: now() }),
      delete: (key) => this.#delete(key),
      keys: () => [...new Set([...this.entries.keys(), ...Object.keys(this.#resources)])],
      open: (key) => this.#open(key, ctx),
    }
  }

  /** Gives the entries away: they are not this session's any more. */
  release(): ReadonlyMap<string, SessionEntry> {
    const { entries } = this
    sessions.get(this.#system)?.delete(this.#runId)
    return entries
  }

  /** Closes what was opened, and disposes of what can be disposed of, but for `result`, which is the caller's. */
  async close(result: unknown): Promise<void> {
    this.#closed = true
    const entries = this.release()
    const closing: (() => unknown)[] = []
    for (const [key, value] of this.#opened) closing.push(() => this.#resources[key]?.close?.(value))
    for (const [key, opening] of this.#opening) {
      // What is still opening is closed when it has opened, and holds up nothing else.
      opening.then(
        (value) => this.#closeAll([() => this.#resources[key]?.close?.(value)]),
        () => {},
      )
    }
    for (const value of new Set([...entries.values()].map((entry) => entry.value))) {
      if (value !== result) closing.push(() => dispose(value))
    }
    // The last opened is closed first.
    await this.#closeAll(closing.reverse())
  }

  async #closeAll(closing: readonly (() => unknown)[]): Promise<void> {
    for (const close of closing) {
      try {
        await close()
      } catch (error) {
        warn('BLAZEN_CLOSE_FAILED', `Run ${this.#runId}: closing a resource of the session failed: ${messageOf(error)}`)
      }
    }
  }

  #get(key: string, ctx: ResourceContext): unknown {
    const entry = this.entries.get(key)
    if (entry !== undefined) return entry.value
    if (this.#opened.has(key)) return this.#opened.get(key)
    const lost = this.#lost.get(key)
    if (lost !== undefined) throw new SessionEntryLostError('session', lost)
    if (!this.#isResource(key)) return undefined
    this.#checkOpen()
    const opened = this.#opening.get(key) ?? this.#resources[key]?.open(ctx)
    if (opened instanceof Promise) {
      this.#keep(key, opened)
      throw new BlazenError(
        'resource_opening',
        `The resource "${key}" opens asynchronously. Write await ctx.session.open("${key}"); after that, ctx.session.get("${key}") gives it too.`,
      )
    }
    this.#opened.set(key, opened)
    return opened
  }

  #open(key: string, ctx: ResourceContext): Promise<unknown> {
    if (!this.#isResource(key)) {
      const known = Object.keys(this.#resources)
        .map((name) => `"${name}"`)
        .join(', ')
      throw new BlazenError(
        'resource_unknown',
        `The workflow has no resource "${key}" in its \`session\`. Declared are: ${known || 'none'}.`,
      )
    }
    this.#checkOpen()
    if (this.#opened.has(key)) return Promise.resolve(this.#opened.get(key))
    const opening = this.#opening.get(key)
    if (opening !== undefined) return opening
    return this.#keep(key, Promise.resolve(this.#resources[key]?.open(ctx)))
  }

  #keep(key: string, opening: Promise<unknown>): Promise<unknown> {
    if (this.#opening.has(key)) return opening
    this.#opening.set(key, opening)
    opening.then(
      (value) => {
        this.#opened.set(key, value)
        this.#opening.delete(key)
      },
      () => this.#opening.delete(key),
    )
    return opening
  }

  #set(key: string, entry: SessionEntry): void {
    if (this.#isResource(key)) {
      throw new BlazenError(
        'state_key',
        `"${key}" is a resource of the session, which its workflow declares, and cannot be set.`,
      )
    }
    this.#checkOpen()
    this.put(key, entry)
  }

  #delete(key: string): boolean {
    this.#lost.delete(key)
    return sessions.get(this.#system)?.get(this.#runId)?.delete(key) ?? false
  }

  /** What came in now, nobody would close. */
  #checkOpen(): void {
    if (!this.#closed) return
    throw new BlazenError(
      'attempt_over',
      `The run of this session has ended, and with it the session. Await all work before you return, and stop on ctx.signal.`,
    )
  }

  #isResource(key: string): boolean {
    return Object.hasOwn(this.#resources, key)
  }
}

function dispose(value: unknown): unknown {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return undefined
  const disposable = value as Partial<Disposable & AsyncDisposable>
  if (typeof disposable[asyncDispose] === 'function') return disposable[asyncDispose]()
  return disposable[syncDispose]?.()
}

// Node 20 has them, not every browser does.
const asyncDispose: typeof Symbol.asyncDispose = Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')
const syncDispose: typeof Symbol.dispose = Symbol.dispose ?? Symbol.for('Symbol.dispose')
