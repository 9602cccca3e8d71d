import type { ClassRegistry } from '../class-codec.ts'
import { type PersistedValue, read, revive, type Stored } from '../codec.ts'
import { messageOf } from '../codec-error.ts'
import { type AnyEvent, InputRequestEvent, StopEvent } from '../event.ts'
import type { HistoryRecord } from '../history.ts'
import type { SnapshotContext } from '../snapshot.ts'
import { toUserKey } from '../state-key.ts'
import { StateObject } from '../state-object.ts'
import { gatherFields, isHead, reviveObject } from '../state-rebuild.ts'
import type { Base, RunInfo, StoredRecord, StoredRun } from '../store.ts'
import { endedStatuses } from '../store-rules.ts'
import { historyOf, type PendingExecution, type RunView, readable, routedIn } from './run-view.ts'
import { toShownState } from './shown-state.ts'

/**
 * Where a run stands, as far as its records tell without the workflow: all but which steps an event was routed to.
 * What the run asks, and its state, are exact.
 */
export function toRecordedView({ info, base, records }: StoredRun, classes: ClassRegistry): RunView {
  const [first] = records
  const from = base ?? (first?.kind === 'started' ? first : undefined)
  const reading = new Reading(info, from, classes)
  for (const record of records) if (record.seq > (from?.seq ?? 0)) reading.fold(record)
  return reading.toView()
}

class Reading {
  readonly #info: RunInfo
  readonly #classes: ClassRegistry
  readonly #baseSeq: number
  readonly #unknown: string[] = []
  readonly #entries = new Map<string, Stored>()
  readonly #executions = new Map<number, PendingExecution>()
  readonly #requests = new Map<string, InputRequestEvent>()
  readonly #timers = new Map<
    string,
    { readonly requestId?: string; readonly event?: unknown; readonly dueAt: number }
  >()
  readonly #queue: unknown[] = []
  readonly #collected: Record<string, unknown[]> = {}
  #timersMade = 0
  /** Events that went to steps which only the workflow can name. */
  #routed = 0
  #ended: Pick<RunView, 'result' | 'failure'> = {}

  constructor(info: RunInfo, from: Base | StoredRecord | undefined, classes: ClassRegistry) {
    this.#info = info
    this.#classes = classes
    this.#baseSeq = from?.seq ?? 0
    if (from === undefined) {
      this.#unknown.push('The records do not begin with the start of the run, and there is no base: all before them.')
      return
    }
    try {
      this.#readBase(JSON.parse(from.body), from.bytes)
    } catch (error) {
      this.#unknown.push(`The base of the run, at record ${from.seq}, cannot be read: ${messageOf(error)}`)
    }
  }

  fold(record: StoredRecord): void {
    const told = historyOf(record, this.#classes)
    switch (told.kind) {
      case 'settled':
        this.#executions.delete(told.execution ?? 0)
        this.#write(record)
        break
      case 'retried':
        this.#retry(told)
        break
      case 'sent':
        if (typeof told.dueAt === 'number') this.#setTimer({ event: told.event, dueAt: told.dueAt })
        break
      case 'fired':
        this.#fire(told.timer ?? '')
        break
      case 'answered':
        this.#close(told.requestId ?? '')
        this.#routed++
        break
      case 'failed':
      case 'aborted':
        this.#ended = { failure: { kind: told.failure ?? told.kind, error: told.error } }
        break
      case 'waiting':
        for (const id of this.#requests.keys()) if (told.requests?.includes(id) === false) this.#requests.delete(id)
        // A run waits when no step has anything to do.
        this.#executions.clear()
        this.#routed = 0
        break
      default:
        break
    }
    for (const event of routedIn(told)) this.#route(event, record.at)
  }

  toView(): RunView {
    const hasEnded = endedStatuses.includes(this.#info.status)
    const { status, seq } = this.#info
    if (!hasEnded && status !== 'waiting' && this.#routed > 0) {
      const events = this.#routed === 1 ? 'one event was' : `${this.#routed} events were`
      this.#unknown.push(
        `Since record ${this.#baseSeq} ${events} routed (the run is at record ${seq}): which steps have yet to handle them, only the workflow can tell. Name its module: --workflows ./flows.ts`,
      )
    }
    const delayed = [...this.#timers.values()].flatMap(({ event, dueAt }) =>
      event === undefined ? [] : [{ event, dueAt }],
    )
    return {
      info: this.#info,
      toldBy: 'records',
      requests: hasEnded ? [] : [...this.#requests.values()],
      executions: hasEnded ? [] : [...this.#executions.values()],
      queue: hasEnded ? [] : this.#queue,
      delayed: hasEnded ? [] : delayed,
      collected: this.#collected,
      state: this.#toState(),
      ...this.#ended,
      unknown: this.#unknown,
    }
  }

  #readBase(body: { context: SnapshotContext; output?: unknown }, bytes: Uint8Array | null): void {
    const { context } = body
    const decode = (value: PersistedValue) => readable(() => read(this.#revive(value, bytes, 'the base')))
    for (const [key, value] of context.state) this.#put(key, value, bytes)
    for (const { id, step, event, attempt, dueAt } of context.executions)
      this.#executions.set(id, { id, step, event: decode(event), attempt, dueAt })
    for (const value of context.requests) {
      const request = decode(value) as InputRequestEvent
      this.#requests.set(request.requestId, request)
    }
    for (const { id, dueAt, event, requestId } of context.timers) {
      const what = event === undefined ? {} : { event: decode(event) }
      this.#timers.set(id, { ...what, ...(requestId === undefined ? {} : { requestId }), dueAt })
    }
    this.#timersMade = context.timersMade
    this.#queue.push(...context.queue.map(decode))
    for (const [type, all] of context.collections) this.#collected[type] = all.map(({ event }) => decode(event))
  }

  #write({ body, bytes }: StoredRecord): void {
    const { writes = [] }: { writes?: readonly (readonly [string, PersistedValue?])[] } = JSON.parse(body)
    for (const [key, value] of writes) {
      if (value === undefined) this.#entries.delete(key)
      else this.#put(key, value, bytes)
    }
  }

  #put(entryKey: string, value: PersistedValue, bytes: Uint8Array | null): void {
    const key = toUserKey(entryKey)
    if (key === undefined || !('object' in value)) {
      this.#entries.set(entryKey, this.#revive(value, bytes, `state ${JSON.stringify(entryKey)}`))
      return
    }
    const head = this.#revive({ json: value.object }, bytes, `state ${JSON.stringify(entryKey)}`)
    if (isHead(head)) this.#entries.set(entryKey, reviveObject(key, head, this.#classes))
  }

  #revive(value: PersistedValue, bytes: Uint8Array | null, where: string): Stored {
    return revive(value, this.#classes, where, bytes)
  }

  #toState(): Map<string, unknown> {
    for (const object of this.#entries.values()) {
      if (!(object instanceof StateObject)) continue
      try {
        gatherFields(object, this.#entries)
      } catch (error) {
        this.#unknown.push(`The fields of state "${object.key}": ${messageOf(error)}.`)
      }
    }
    return toShownState(this.#entries)
  }

  #retry({ execution = 0, attempt = 1, dueAt }: HistoryRecord): void {
    const known = this.#executions.get(execution)
    if (known !== undefined) this.#executions.set(execution, { ...known, attempt, dueAt: dueAt ?? null })
  }

  #route(event: AnyEvent, at: number): void {
    if (StopEvent.is(event)) {
      if (!('result' in this.#ended)) this.#ended = { result: event.result }
    } else if (!InputRequestEvent.is(event)) {
      this.#routed++
    } else if (!this.#requests.has(event.requestId)) {
      this.#requests.set(event.requestId, event)
      if (event.timeout !== undefined) this.#setTimer({ requestId: event.requestId, dueAt: at })
    }
  }

  #setTimer(timer: { readonly requestId?: string; readonly event?: unknown; readonly dueAt: number }): void {
    this.#timers.set(`timer ${++this.#timersMade}`, timer)
  }

  #fire(id: string): void {
    const timer = this.#timers.get(id)
    this.#timers.delete(id)
    if (timer?.requestId !== undefined) this.#requests.delete(timer.requestId)
    this.#routed++
  }

  #close(requestId: string): void {
    this.#requests.delete(requestId)
    for (const [id, timer] of this.#timers) if (timer.requestId === requestId) this.#timers.delete(id)
  }
}
