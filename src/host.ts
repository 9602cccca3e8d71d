import type { AnyActorRef } from 'xstate'
import { type Clock, systemClock } from '../machines/index.ts'
import { allRecords } from './all-records.ts'
import type { Compiled } from './compile.ts'
import type { SendOptions } from './context.ts'
import { type Duration, toMs } from './duration.ts'
import { BlazenError } from './errors.ts'
import type { AnyEvent } from './event.ts'
import { type ForkOptions, forkAt } from './fork.ts'
import { GroupCommit } from './group-commit.ts'
import { abortOn, type WorkflowHandler } from './handler.ts'
import type { HistoryRecord } from './history.ts'
import { Keeper } from './keeper.ts'
import { Lease } from './lease.ts'
import type { OnInput } from './live-run.ts'
import { type OwnedRun, OwnedRuns } from './owned-runs.ts'
import { RemoteHandler } from './remote-handler.ts'
import { noRun, RunHandle } from './run-handle.ts'
import { toStartEvent } from './start-event.ts'
import type { RunFilter, RunInfo, RunPage, Store } from './store.ts'
import { createReport } from './store-report.ts'
import { untilStored } from './store-retry.ts'
import { runStatuses, statusesOf } from './store-rules.ts'
import { type AnyWorkflow, compiledOf, type RunArguments, type RunOptions, type Workflow } from './workflow.ts'

/** What a host keeps, recovers and tells. */
export interface HostOptions {
  /** Where the runs are kept. It stays open when the host is closed. */
  readonly store: Store
  /** The workflows whose runs this host starts and recovers. */
  readonly workflows: readonly AnyWorkflow[]
  /**
   * Whether runs that nobody has any more are gone on with here: at the start, and whenever a process dies.
   *
   * @default true
   */
  readonly recover?: boolean
  /** How long a run stays this host's without a sign of life. @default '30s' */
  readonly leaseMs?: Duration
  /** How often the store is looked at for abandoned runs and letters. @default '1s' */
  readonly pollMs?: Duration
  /** How many runs recovery brings into memory; those that only wait for somebody are not counted. @default 1000 */
  readonly maxRuns?: number
  /**
   * How long runs are kept after their end, and records of a run that goes on: older ones are dropped when a new base
   * is written, from which forks are possible then. For ever when left out.
   */
  readonly historyRetention?: Duration
  /** How long `close` waits for steps that run. @default '10s' */
  readonly graceMs?: Duration
  /**
   * Told whenever the store fails, before it is tried again, and when a run cannot be recovered. When left out, a process
   * warning for each kind of failure. What it throws is such a warning too.
   */
  readonly onStoreError?: (error: unknown) => void
  /**
   * What the runs take their time from: delays, timeouts, retries, and the times in their records. Leases are on the
   * store's clock, and the host's own intervals on the machine's. Tests give a virtual one.
   *
   * @default the machine's
   */
  readonly clock?: Clock
  /** Answers the input requests of all runs here, where neither the run nor the workflow has its own. */
  readonly onInput?: OnInput
}

/** How a host starts one run. */
export interface HostRunOptions extends Omit<RunOptions, 'history' | 'clock'> {
  /** With the same key, `run` gives the same run of the workflow: also after its end, also in another process. */
  readonly idempotencyKey?: string
}

/** Tells of every actor of a run that is, or comes, into memory here; gives what ends it. For inspectors. */
export let watchRuns: (host: Host, onActor: (actor: AnyActorRef) => void) => () => void

/** Runs workflows durably: what happens is in the store before it counts, and whoever finds it there goes on with it. */
export class Host {
  readonly #store: Store
  readonly #workflows = new Map<string, Compiled>()
  readonly #id = crypto.randomUUID()
  readonly #runs: OwnedRuns
  readonly #commit: GroupCommit
  readonly #keeper: Keeper
  readonly #pollMs: number
  readonly #graceMs: number
  readonly #clock: Clock
  /** Runs that are being started, by id and by key. */
  readonly #starting = new Map<string, Promise<OwnedRun | RunInfo>>()
  readonly #stored: <Result>(fn: () => Promise<Result>, tries?: number) => Promise<Result>
  readonly #report: (error: unknown) => void
  #closing: Promise<void> | undefined
  readonly #closed = new AbortController()

  constructor(options: HostOptions) {
    requireOptions(options)
    const { store, workflows, recover = true, leaseMs = '30s', pollMs = '1s', graceMs = '10s' } = options
    const { maxRuns = 1_000, historyRetention, onStoreError, onInput, clock = systemClock } = options
    this.#store = store
    this.#clock = clock
    this.#pollMs = toMs(pollMs, 'createHost: pollMs')
    this.#graceMs = toMs(graceMs, 'createHost: graceMs')
    for (const workflow of workflows) {
      if (this.#workflows.has(workflow.name))
        throw new BlazenError(
          'invalid_option',
          `createHost: two workflows are called "${workflow.name}". Give each a name of its own.`,
        )
      this.#workflows.set(workflow.name, compiledOf(workflow))
    }
    this.#report = createReport(onStoreError)
    const retry = { report: this.#report, isClosed: () => this.#closed.signal.aborted }
    this.#commit = new GroupCommit(store, retry)
    this.#stored = (fn, tries) => untilStored(retry, fn, tries)
    const retentionMs =
      historyRetention === undefined
        ? undefined
        : toMs(historyRetention, 'createHost: historyRetention', Number.MAX_SAFE_INTEGER)
    const leaseTimeMs = toMs(leaseMs, 'createHost: leaseMs')
    const place = {
      retentionMs,
      ...{ store, id: this.#id, leaseMs: leaseTimeMs, commit: this.#commit, onInput },
      clock,
      stored: this.#stored,
      report: this.#report,
      lease: new Lease(leaseTimeMs, () => void this.#stored(() => this.#keeper.renew()).catch(() => {})),
    }
    this.#runs = new OwnedRuns({ ...place, onRoom: () => this.#keeper.onRoom() })
    this.#keeper = new Keeper(this.#runs, {
      ...place,
      pollMs: this.#pollMs,
      recover,
      maxRuns,
      workflows: this.#workflows,
    })
    this.#keeper.start()
  }

  static {
    watchRuns = (host, onActor) => host.#runs.watch(onActor)
  }

  /**
   * Starts a run; resolves when its beginning is in the store. With an id or an idempotency key that is there already,
   * gives that run.
   *
   * @throws EventValidationError for an input that does not fit; SessionNotSerializableError for one that cannot be kept.
   */
  async run<Input, Start, Result, State extends object, Wires>(
    workflow: Workflow<Input, Start, Result, State, Wires>,
    ...args: RunArguments<Input, HostRunOptions>
  ): Promise<WorkflowHandler<Result, State>> {
    this.#requireOpen()
    const [input, options = {}] = args
    const { runId = crypto.randomUUID(), idempotencyKey = null, timeout, signal, onInput } = options
    requireRunId('run', runId)
    const compiled = this.#compiled(workflow.name)
    const event = toStartEvent(compiled.definition, input)
    const timeoutMs = timeout === undefined ? undefined : toMs(timeout, 'run: timeout')
    const key = idempotencyKey === null ? runId : JSON.stringify([workflow.name, idempotencyKey])
    const inFlight = this.#starting.get(key) ?? this.#runs.get(runId)
    let run: OwnedRun | RunInfo | undefined = await inFlight
    if (run === undefined) {
      const starting = this.#runs.create(compiled, { runId, idempotencyKey, event, timeoutMs, onInput, signal })
      this.#starting.set(key, starting)
      run = await starting.finally(() => this.#starting.delete(key))
      if ('handler' in run && signal !== undefined) abortOn(signal, run.handler)
    }
    if ('handler' in run) {
      run.held = true
      return run.handler as WorkflowHandler<Result, State>
    }
    const handle = this.#handle<Result>(run)
    return (await handle.handler()) ?? new RemoteHandler(await handle.mirror(), handle)
  }

  /** A run, wherever it is; `undefined` if there is none with this id. */
  async get<Result = unknown>(runId: string): Promise<RunHandle<Result> | undefined> {
    const info = await this.#store.info(runId)
    return info === undefined ? undefined : this.#handle<Result>(info)
  }

  /** Runs, the last created first. */
  async list(filter?: RunFilter): Promise<RunPage> {
    const asked = filter === undefined ? [] : (statusesOf(filter) ?? [])
    const unknown = asked.find((status) => !runStatuses.includes(status))
    if (unknown !== undefined)
      throw new BlazenError(
        'invalid_option',
        `list: no run is ever ${JSON.stringify(unknown)}: expected a status of ${runStatuses.join(', ')}.`,
      )
    return this.#store.list(filter)
  }

  /** See `RunHandle.respondToInput`. */
  async respondToInput(runId: string, requestId: string, response: unknown): Promise<void> {
    await (await this.#require(runId)).respondToInput(requestId, response)
  }

  /** See `RunHandle.sendEvent`. */
  async sendEvent(runId: string, event: AnyEvent, options?: SendOptions): Promise<void> {
    await (await this.#require(runId)).sendEvent(event, options)
  }

  /** See `RunHandle.abort`. */
  async abort(runId: string, reason?: unknown): Promise<void> {
    await (await this.#require(runId)).abort(reason)
  }

  /** Goes on with a run that was paused by hand. */
  async resume(runId: string): Promise<void> {
    await (await this.#require(runId)).resume()
  }

  /** See `RunHandle.history`. */
  async history(runId: string): Promise<readonly HistoryRecord[]> {
    return (await this.#require(runId)).history()
  }

  /** Deletes a run with all that is stored of it; one that goes on ends without a trace. False if there is none. */
  async delete(runId: string): Promise<boolean> {
    this.#runs.lose(runId, 'was deleted, with all that was stored of it.')
    return this.#store.delete(runId)
  }

  /**
   * Starts a new run from where another was just after a record; that one is not touched. With `edit`, the record held
   * something else.
   *
   * @throws BlazenError (`fork`) where there is no such record, or nothing in it to edit.
   */
  async fork(runId: string, options: ForkOptions): Promise<WorkflowHandler> {
    this.#requireOpen()
    if (options.runId !== undefined) requireRunId('fork', options.runId)
    const { workflow } = await this.#require(runId)
    const compiled = this.#compiled(workflow)
    const records = await allRecords(this.#store, runId)
    const base = records[0]?.kind === 'started' ? undefined : (await this.#store.load(runId))?.base
    const picture = forkAt(compiled, { base, records }, options, options.runId ?? crypto.randomUUID())
    const run = await this.#runs.createFrom(compiled, picture)
    if (!('handler' in run))
      throw new BlazenError('fork', `There is a run "${run.runId}" already: fork under another id.`)
    run.held = true
    if (run.handler.status === 'paused') run.handler.resume()
    return run.handler
  }

  /**
   * Hands the runs over: nothing more is begun, steps that run have time to finish, what happened is stored, and the
   * runs are anybody's. Their handlers here end with a `RunOwnershipLostError`.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    const until = Date.now() + this.#graceMs
    const claimed = this.#keeper.stop()
    await before(until, Promise.allSettled(this.#starting.values()))
    await this.#runs.rest(until)
    await before(until, Promise.all([claimed, this.#commit.flush()]))
    this.#closed.abort()
    const ids = this.#runs.close()
    if (ids.length > 0) await this.#store.release(this.#id, ids).catch(this.#report)
  }

  /** `close()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #handle<Result>({ runId, workflow }: RunInfo): RunHandle<Result> {
    return new RunHandle<Result>(
      {
        store: this.#store,
        pollMs: this.#pollMs,
        clock: this.#clock,
        owned: (id) => this.#runs.get(id),
        take: (id) => this.#take(id),
        compiled: (name) => this.#compiled(name),
        closed: this.#closed.signal,
      },
      runId,
      workflow,
    )
  }

  /** The run in this process: it was here, or nobody had it. */
  async #take(runId: string): Promise<OwnedRun | undefined> {
    return (await this.#runs.get(runId)) ?? (this.#closing === undefined ? this.#keeper.take(runId) : undefined)
  }

  async #require(runId: string): Promise<RunHandle> {
    const handle = await this.get(runId)
    if (handle === undefined) throw noRun(runId)
    return handle
  }

  #compiled(name: string): Compiled {
    const compiled = this.#workflows.get(name)
    if (compiled !== undefined) return compiled
    const known = [...this.#workflows.keys()].map((each) => `"${each}"`).join(', ')
    throw new BlazenError(
      'workflow_unknown',
      `The host does not know workflow "${name}": name it in createHost({ workflows }). It knows: ${known || 'none'}.`,
    )
  }

  #requireOpen(): void {
    if (this.#closing !== undefined) throw new BlazenError('host_closed', 'The host is closed, and starts no run.')
  }
}

/** Of JavaScript, these may be missing. @throws BlazenError (`invalid_option`) */
function requireOptions({ store, workflows }: Partial<HostOptions>): void {
  if (typeof store !== 'object' || store === null || typeof store.append !== 'function')
    throw new BlazenError(
      'invalid_option',
      "createHost: expected a `store` to keep the runs in: sqliteStore('runs.db'), postgresStore(url), or memoryStore() for runs that may go with the process.",
    )
  if (!Array.isArray(workflows))
    throw new BlazenError(
      'invalid_option',
      'createHost: expected `workflows`, the list of those whose runs the host starts and recovers: createHost({ store, workflows: [greeter] }).',
    )
}

function requireRunId(where: string, runId: string): void {
  if (typeof runId === 'string' && runId !== '') return
  throw new BlazenError(
    'invalid_option',
    `${where}: expected a text that is not empty as runId, got ${JSON.stringify(runId)}. Leave it out for a random UUID.`,
  )
}

/** Waits for what is under way, but not beyond a time. */
async function before(until: number, underWay: Promise<unknown>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const isOver = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, Math.max(0, until - Date.now()))
  })
  await Promise.race([underWay, isOver])
  clearTimeout(timer)
}

/**
 * Runs workflows durably, on a store.
 *
 * @throws DefinitionError for a workflow that cannot work; BlazenError (`invalid_option`).
 *
 * @example
 * await using host = createHost({ store: memoryStore(), workflows: [greeter] })
 * const handler = await host.run(greeter, { name: 'Zach' }, { idempotencyKey: 'order-17' })
 * console.log(await handler.result())
 */
export function createHost(options: HostOptions): Host {
  return new Host(options)
}
