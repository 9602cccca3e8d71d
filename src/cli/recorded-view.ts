import { Execution, toLabel } from '../../machines/index.ts'
import type { ClassRegistry } from '../class-codec.ts'
import { type PersistedValue, read, revive, type Stored } from '../codec.ts'
import { messageOf } from '../codec-error.ts'
import { type AnyEvent, InputRequestEvent, InputResponseEvent, StopEvent } from '../event.ts'
import type { HistoryRecord } from '../history.ts'
import type { Hop } from '../inner-fact.ts'
import type { PersistedChild, SnapshotContext } from '../snapshot.ts'
import { toStageKey, toUserKey } from '../state-key.ts'
import { StateObject } from '../state-object.ts'
import { gatherFields, isHead, reviveObject } from '../state-rebuild.ts'
import type { RunInfo, StoredRecord, StoredRun } from '../store.ts'
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
  const reading = new Reading(classes, from?.seq ?? 0)
  if (from === undefined) reading.missBase()
  else reading.begin(() => JSON.parse(from.body), from.bytes, `The base of the run, at record ${from.seq},`)
  for (const record of records) if (record.seq > (from?.seq ?? 0)) reading.fold(record)
  return reading.toView(info)
}

/** What of a record tells whose it is, and what toHistory leaves out. */
interface Body {
  /** The way to the run inside that it is of. */
  readonly in?: readonly Hop[]
  readonly requestId?: string
  readonly execution?: number
  readonly writes?: Writes
  readonly shared?: Writes
  readonly child?: PersistedChild
  readonly drop?: readonly string[]
}

type Writes = readonly (readonly [key: string, value?: PersistedValue])[]

interface ReadSnapshot {
  readonly context: SnapshotContext
  readonly status: string
}

const noEvent = { type: '' }

/** A run inside, and the execution that has begun it. */
interface Inside {
  readonly step: string
  readonly name: string
  /** What the ids of its requests have before them. */
  readonly prefix: string
  readonly reading: Reading
}

/** A run, or one inside it, which has its own state, requests and timers. */
class Reading {
  readonly #classes: ClassRegistry
  /** The run around this one. */
  readonly #above: Reading | undefined
  /** The runs inside that are not over, by the execution and their name. */
  readonly #inside = new Map<number, Map<string, Inside>>()
  readonly #attempts = new Map<number, number>()
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

  constructor(classes: ClassRegistry, baseSeq: number, above?: Reading) {
    this.#classes = classes
    this.#baseSeq = baseSeq
    this.#above = above
  }

  missBase(): void {
    this.#unknown.push('The records do not begin with the start of the run, and there is no base: all before them.')
  }

  begin(snapshot: () => ReadSnapshot, bytes: Uint8Array | null, what: string): void {
    try {
      this.#readBase(snapshot(), bytes)
    } catch (error) {
      this.#unknown.push(`${what} cannot be read: ${messageOf(error)}`)
    }
  }

  fold(record: StoredRecord): void {
    const body = bodyOf(record)
    let run: Reading = this
    for (const [execution, , name] of body.in ?? []) {
      const inside = run.#inside.get(execution)?.get(name)
      // What is over, or was never seen to begin, is nobody's.
      if (inside === undefined) return
      run = inside.reading
    }
    run.#fold(record, body)
  }

  #fold(record: StoredRecord, body: Body): void {
    const told = historyOf(record, this.#classes)
    switch (told.kind) {
      case 'settled':
        this.#executions.delete(told.execution ?? 0)
        this.#inside.delete(told.execution ?? 0)
        this.#write(body.writes, record.bytes)
        if (body.shared !== undefined) this.#share(body.shared, record)
        break
      case 'begun':
        this.#begin(record, body, told.step ?? '')
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
        this.#close(body.requestId ?? '')
        this.#routed++
        break
      case 'failed':
      case 'aborted':
        this.#ended = { failure: { kind: told.failure ?? told.kind, error: told.error } }
        break
      case 'waiting':
        this.#rest(told.requests, '')
        break
      default:
        break
    }
    for (const event of routedIn(told)) this.#route(event, record.at)
  }

  toView(info: RunInfo): RunView {
    const { status, seq } = info
    const hasEnded = endedStatuses.includes(status)
    const routed = this.#allRouted()
    const state = this.#toState()
    if (!hasEnded && status !== 'waiting' && routed > 0) {
      const events = routed === 1 ? 'one event was' : `${routed} events were`
      this.#unknown.push(
        `Since record ${this.#baseSeq} ${events} routed (the run is at record ${seq}): which steps have yet to handle them, only the workflow can tell. Name its module: --workflows ./flows.ts`,
      )
    }
    const delayed = [...this.#timers.values()].flatMap(({ event, dueAt }) =>
      event === undefined ? [] : [{ event, dueAt }],
    )
    return {
      info,
      toldBy: 'records',
      requests: hasEnded ? [] : this.#asked('', []),
      executions: hasEnded ? [] : [...this.#executions.values()],
      queue: hasEnded ? [] : this.#queue,
      delayed: hasEnded ? [] : delayed,
      collected: this.#collected,
      state,
      ...this.#ended,
      unknown: this.#allUnknown(),
    }
  }

  get #isOver(): boolean {
    return 'result' in this.#ended || 'failure' in this.#ended
  }

  *#insides(): Generator<Inside> {
    for (const inside of this.#inside.values()) yield* inside.values()
  }

  /** The questions without an answer, of this run and of those inside: with the way there, as the host tells of them. */
  #asked(prefix: string, path: readonly string[]): InputRequestEvent[] {
    if (this.#isOver) return []
    const own = [...this.#requests.values()].map((request) =>
      path.length === 0 ? request : { ...request, requestId: prefix + request.requestId, path },
    )
    const inside = Array.from(this.#insides(), ({ step, name, prefix: label, reading }) =>
      reading.#asked(prefix + label, [...path, step, ...(name === '' ? [] : [name])]),
    )
    return [...own, ...inside.flat()]
  }

  #allRouted(): number {
    if (this.#isOver) return 0
    return Array.from(this.#insides(), ({ reading }) => reading.#allRouted()).reduce((a, b) => a + b, this.#routed)
  }

  #allUnknown(): string[] {
    return [...this.#unknown, ...Array.from(this.#insides(), ({ reading }) => reading.#allUnknown()).flat()]
  }

  /** The run waits, for `requests` alone: no step has anything to do. */
  #rest(requests: readonly string[] | undefined, prefix: string): void {
    for (const id of this.#requests.keys()) if (requests?.includes(prefix + id) === false) this.#requests.delete(id)
    this.#executions.clear()
    this.#routed = 0
    for (const { prefix: label, reading } of this.#insides()) reading.#rest(requests, prefix + label)
  }

  /** An execution begins a run: its state is its own. */
  #begin({ seq, bytes }: StoredRecord, { execution = 0, child, drop = [], writes }: Body, step: string): void {
    this.#write(writes, bytes)
    for (const name of drop) this.#inside.get(execution)?.delete(name)
    if (child !== undefined) this.#add(execution, step, child, { seq, bytes })
  }

  #add(
    id: number,
    step: string,
    { name, snapshot }: PersistedChild,
    { seq, bytes }: Pick<StoredRecord, 'seq' | 'bytes'>,
  ) {
    const attempt = this.#attempts.get(id) ?? 1
    const prefix = `${toLabel(Object.assign(new Execution(id, step, noEvent), { attempt }), name)}/`
    const reading = new Reading(this.#classes, seq, this)
    reading.begin(() => snapshot, bytes, `The run ${prefix.slice(0, -1)}, as it is in record ${seq},`)
    const inside = this.#inside.get(id) ?? new Map<string, Inside>()
    this.#inside.set(id, inside.set(name, { step, name, prefix, reading }))
  }

  /** What a step of a run in a pipeline wrote to `ctx.shared`. */
  #share(writes: Writes, { seq, bytes }: StoredRecord): void {
    let run = this.#above
    while (run !== undefined && ![...run.#entries.keys()].some((key) => key.startsWith(toStageKey(''))))
      run = run.#above
    if (run !== undefined) run.#write(writes, bytes)
    else this.#unknown.push(`Record ${seq} wrote to the state of a pipeline that the records do not tell.`)
  }

  #readBase(body: ReadSnapshot, bytes: Uint8Array | null): void {
    const { context } = body
    if (this.#above !== undefined && body.status !== 'active') this.#ended = { result: undefined }
    const decode = (value: PersistedValue) => readable(() => read(this.#revive(value, bytes, 'the base')))
    for (const [key, value] of context.state) this.#put(key, value, bytes)
    for (const { id, step, event, attempt, dueAt, children = [] } of context.executions) {
      this.#executions.set(id, { id, step, event: decode(event), attempt, dueAt })
      this.#attempts.set(id, attempt)
      for (const child of children) this.#add(id, step, child, { seq: this.#baseSeq, bytes })
    }
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

  #write(writes: Writes = [], bytes: Uint8Array | null): void {
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
    this.#attempts.set(execution, attempt)
    this.#inside.delete(execution)
    const known = this.#executions.get(execution)
    if (known !== undefined) this.#executions.set(execution, { ...known, attempt, dueAt: dueAt ?? null })
  }

  #route(event: AnyEvent, at: number): void {
    if (StopEvent.is(event)) {
      if (!('result' in this.#ended)) this.#ended = { result: event.result }
    } else if (!InputRequestEvent.is(event)) {
      if (InputResponseEvent.is(event)) this.#close(event.requestId)
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

/** What is read of a damaged record is told where it is decoded. */
function bodyOf({ body }: StoredRecord): Body {
  try {
    return Object(JSON.parse(body))
  } catch {
    return {}
  }
}
