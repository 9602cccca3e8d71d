import { type AnyActorRef, createActor } from 'xstate'
import { type Clock, fail, nestedRuns, now, type Run } from '../machines/index.ts'
import { allRecords } from './all-records.ts'
import { ArrivedRun, type Compiled, nestedIn } from './compile.ts'
import type { SendOptions } from './context.ts'
import { toMs } from './duration.ts'
import { BlazenError, InputRequestError, RunFinishedError, UnhandledEventError } from './errors.ts'
import { type AnyEvent, type InputRequestEvent, InputResponseEvent } from './event.ts'
import { type RunStatus, WorkflowHandler } from './handler.ts'
import { type HistoryRecord, toHistory } from './history.ts'
import { wasAnswered } from './inbox.ts'
import type { Hop } from './inner-fact.ts'
import { type Message, toLetter } from './letter.ts'
import { type Blueprint, checkAnswer } from './live-run.ts'
import { findRequest, notOpen, pendingInputs } from './open-request.ts'
import type { OwnedRun } from './owned-runs.ts'
import { type JournalPlace, RunJournal } from './run-journal.ts'
import type { RunInfo, Store } from './store.ts'
import { endedStatuses } from './store-rules.ts'
import { type ReadRun, readStoredRun } from './stored-run.ts'

/** What a handle needs of its host. */
export interface HandlePlace {
  readonly store: Store
  readonly pollMs: number
  /** The clock of the runs. */
  readonly clock: Clock
  /** The run, if it is in this process. */
  readonly owned: (runId: string) => Promise<OwnedRun | undefined>
  /** The run, if nobody has it, or this process: taken over. */
  readonly take: (runId: string) => Promise<OwnedRun | undefined>
  readonly compiled: (workflow: string) => Compiled
  /** Aborted when the host is closed: nobody waits for anything here then. */
  readonly closed: AbortSignal
}

/** A run on a host's store: in this process, in another one, in none, or ended. */
export class RunHandle<Result = unknown> {
  readonly #place: HandlePlace

  constructor(
    place: HandlePlace,
    readonly runId: string,
    /** The workflow's name. */
    readonly workflow: string,
  ) {
    this.#place = place
  }

  /** Where the run stands now. */
  async status(): Promise<RunStatus> {
    const owned = await this.#owned()
    return owned?.handler.status ?? ((await this.#info()).status as RunStatus)
  }

  /**
   * What the run's `StopEvent` held. Rejects with the error that the run failed with. Waits for a run that goes on.
   *
   * @throws BlazenError (`host_closed`) if the host is closed before the run has ended.
   */
  async result(): Promise<Result> {
    for (;;) {
      const owned = await this.#owned()
      if (owned !== undefined) {
        // Out of memory, it would come back at once for whoever waits here.
        owned.held = true
        const { settled, error, value } = await settle(owned.handler.result() as Promise<Result>)
        if (settled) return value as Result
        // Lost here, it goes on elsewhere.
        if (!(error instanceof BlazenError) || error.code !== 'run_ownership_lost') throw error
      }
      const { status } = await this.#info()
      if (endedStatuses.includes(status)) return (await this.#ended()).result() as Promise<Result>
      const { closed, pollMs } = this.#place
      if (closed.aborted) throw closedWhileWaiting(this.runId)
      await sleep(pollMs, closed)
    }
  }

  /** What has happened to the run, in order; also after its end. */
  async history(): Promise<readonly HistoryRecord[]> {
    const { classes } = this.#place.compiled(this.workflow).blueprint
    return (await allRecords(this.#place.store, this.runId)).map((record) => toHistory(record, classes))
  }

  /** The questions that have no answer yet, the oldest first. */
  async pendingInputs(): Promise<readonly InputRequestEvent[]> {
    const owned = await this.#owned()
    if (owned !== undefined) return owned.handler.pendingInputs
    return pendingInputs((await this.mirror()).getSnapshot().context.run)
  }

  /**
   * Answers a request, wherever the run is. Resolves when the answer is durable. While the run is at work, one that
   * comes before the question waits for it.
   *
   * @throws InputRequestError if the request is answered already, or the run waits for others alone;
   * EventValidationError; RunFinishedError.
   */
  async respondToInput(requestId: string, response: unknown): Promise<void> {
    const owned = await this.#owned()
    if (owned?.handler.pendingInputs.some((request) => request.requestId === requestId))
      return owned.handler.respondToInput(requestId, response)
    const { seq } = await this.#alive()
    const mirror = await this.mirror()
    const asked = findRequest(mirror.getSnapshot().context.run, requestId)
    if (asked !== undefined) checkAnswer(this.#blueprintAt(asked.way), asked.request, response)
    else await this.#requireEarly(owned?.handler.actor ?? mirror, requestId)
    await this.#post({ kind: 'answer', requestId, response, seq })
  }

  /** @throws InputRequestError where nothing but another answer, or an event, could bring the run to ask. */
  async #requireEarly(actor: AnyActorRef, requestId: string): Promise<void> {
    const { store } = this.#place
    const { value, context } = actor.getSnapshot()
    if (await wasAnswered(store, this.runId, requestId, 0)) throw answeredAlready(this.runId, requestId)
    // What is due some time, or lies in the inbox, may have it ask.
    if (value !== 'waiting' || willMove(context.run) || (await store.inbox(this.runId)).length > 0) return
    throw notOpen(context.run, requestId)
  }

  /**
   * Routes an event from outside, wherever the run is. Resolves when it is durable.
   *
   * @throws EventValidationError, UnhandledEventError or RunFinishedError.
   */
  async sendEvent(event: AnyEvent, options: SendOptions = {}): Promise<void> {
    const owned = await this.#owned()
    if (owned !== undefined) return owned.handler.sendEvent(event, options)
    const { delay } = options
    if (InputResponseEvent.is(event)) {
      if (delay === undefined) return this.respondToInput(event.requestId, event.response)
      throw new InputRequestError('An answer cannot be delayed: give it when it is due.', event.requestId)
    }
    await this.#alive()
    const { accepted } = this.#compiled.blueprint
    if (!accepted.includes(event.type)) throw new UnhandledEventError(event, undefined, accepted)
    const delayMs = delay === undefined ? undefined : toMs(delay, 'sendEvent: delay', Number.MAX_SAFE_INTEGER)
    const dueAt = delayMs === undefined ? undefined : now(this.#place.clock) + delayMs
    await this.#post({ kind: 'event', event, dueAt })
  }

  /** Aborts the run, wherever it is; resolves when that is durable. A run that has ended is left as it is. */
  async abort(reason?: unknown): Promise<void> {
    if (endedStatuses.includes((await this.#info()).status)) return
    const owned = await this.#place.take(this.runId)
    if (owned === undefined) return this.#post({ kind: 'abort', reason })
    // Its end may be on its way to the store.
    if (endedStatuses.includes(owned.handler.status)) return
    const aborted = fail({ kind: 'aborted', reason })
    const durable = owned.journal.durable(aborted)
    owned.handler.actor.send(aborted)
    await durable.catch((error) => {
      if (!(error instanceof RunFinishedError)) throw error
    })
  }

  /** Goes on with a run that was paused, in this process. */
  async resume(): Promise<void> {
    await this.#alive()
    const owned = await this.#place.take(this.runId)
    if (owned === undefined) {
      throw new BlazenError('run_elsewhere', `Run ${this.runId} is owned by another process: resume it there.`)
    }
    owned.handler.resume()
  }

  /** The handler of a run that is in this process, or has ended. */
  async handler(): Promise<WorkflowHandler<Result> | undefined> {
    const owned = await this.#place.take(this.runId)
    if (owned !== undefined) {
      owned.held = true
      return owned.handler as WorkflowHandler<Result>
    }
    const { status } = await this.#info()
    return endedStatuses.includes(status) ? (this.#ended() as Promise<WorkflowHandler<Result>>) : undefined
  }

  /** The run, if it is in this process; not one that has just left it, such as one that only waits. */
  async #owned(): Promise<OwnedRun | undefined> {
    const owned = await this.#place.owned(this.runId)
    return owned?.journal.isLost ? undefined : owned
  }

  async #post(message: Message): Promise<void> {
    const letter = toLetter(message, Math.round(now(this.#place.clock)), this.#compiled.blueprint.classes)
    if (!(await this.#place.store.post(this.runId, letter))) throw noRun(this.runId)
  }

  async #alive(): Promise<RunInfo> {
    const info = await this.#info()
    if (endedStatuses.includes(info.status)) throw new RunFinishedError(this.runId, info.status)
    return info
  }

  async #info(): Promise<RunInfo> {
    const info = await this.#place.store.info(this.runId)
    if (info === undefined) throw noRun(this.runId)
    return info
  }

  async #read(): Promise<ReadRun> {
    const stored = await this.#place.store.load(this.runId)
    if (stored === undefined) throw noRun(this.runId)
    return readStoredRun(this.#compiled, stored)
  }

  async #ended(): Promise<WorkflowHandler> {
    const actor = await this.mirror()
    actor.start()
    return new WorkflowHandler(actor)
  }

  /** The run as it is stored: never to be started unless it has ended. */
  async mirror(): Promise<AnyActorRef> {
    const { picture } = await this.#read()
    const journal = new RunJournal({ ...nowhere, records: () => allRecords(this.#place.store, this.runId) })
    return createActor(this.#compiled.machine, {
      snapshot: new ArrivedRun(picture, { journal }) as never,
    })
  }

  #blueprintAt(way: readonly Hop[]): Blueprint {
    const { blueprint } = way.reduce(
      (outer, [, step, name]) => nestedIn(outer.definition, step, name) ?? outer,
      this.#compiled,
    )
    return blueprint
  }

  get #compiled(): Compiled {
    return this.#place.compiled(this.workflow)
  }
}

const nowhere: Omit<JournalPlace, 'records'> = {
  owner: { id: '', epoch: 0, leaseMs: 0 },
  commit: { add: () => {} },
  lease: undefined,
  departing: () => {
    throw new TypeError('Nothing is written of a run that is only looked at.')
  },
  keepBase: undefined,
  ...{ onAsked: () => {}, onEnd: () => {}, onLost: () => {} },
}

function settle<Value>(promise: Promise<Value>): Promise<{ settled: boolean; value?: Value; error?: unknown }> {
  return promise.then(
    (value) => ({ settled: true, value }),
    (error: unknown) => ({ settled: false, error }),
  )
}

/** Whether an event is on its way to the run, or to one inside it. */
function willMove(run: Run): boolean {
  const timers = [run, ...Array.from(nestedRuns(run), ({ child }) => child.run)].flatMap(({ timers }) => [
    ...timers.values(),
  ])
  return timers.some(({ event }) => event !== undefined)
}

/** Sleeps, but not beyond the moment in which `closed` is aborted. */
function sleep(ms: number, closed: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const wake = () => {
      clearTimeout(timer)
      closed.removeEventListener('abort', wake)
      resolve()
    }
    const timer = setTimeout(wake, ms)
    closed.addEventListener('abort', wake)
  })
}

function closedWhileWaiting(runId: string): BlazenError {
  return new BlazenError(
    'host_closed',
    `The host was closed before run ${runId} had ended: any host on the store goes on with it. Await result() before the host is closed, or ask an open host for it.`,
  )
}

/** @throws always */
export function noRun(runId: string): BlazenError {
  return new BlazenError('run_unknown', `The store has no run "${runId}": it was deleted, or never started.`)
}

function answeredAlready(runId: string, requestId: string): InputRequestError {
  return new InputRequestError(`The request "${requestId}" of run ${runId} is answered already.`, requestId)
}
