import type { ClassRegistry } from './class-codec.ts'
import { type PersistedValue, read, revive } from './codec.ts'
import type { AnyEvent } from './event.ts'
import type { RecordKind } from './record-codec.ts'
import type { StoredRecord } from './store.ts'

/** One thing that happened to a run, as it was written down, decoded. What is of no kind is left out. */
export interface HistoryRecord {
  /** Counted from 1 in a run, without gaps. */
  readonly seq: number
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly kind: RecordKind
  /** What the run began with, or what was sent. */
  readonly event?: AnyEvent
  readonly step?: string
  /** The number of the execution, from 1. */
  readonly execution?: number
  /** What the step returned. */
  readonly events?: readonly AnyEvent[]
  /** What the step wrote to `ctx.state`; a deleted key stands alone. */
  readonly writes?: readonly (readonly [key: string, value?: unknown])[]
  readonly durationMs?: number
  /** The attempt that follows. */
  readonly attempt?: number
  readonly dueAt?: number
  /** Why an attempt or the run failed, or the reason of an abort. */
  readonly error?: unknown
  /** How the run failed. */
  readonly failure?: string
  readonly timer?: string
  readonly requestId?: string
  readonly response?: unknown
  /** The requests that the run waits for. */
  readonly requests?: readonly string[]
}

interface Body {
  readonly context?: { readonly executions: readonly { readonly event: PersistedValue }[] }
  readonly event?: PersistedValue
  readonly events?: readonly PersistedValue[]
  readonly writes?: readonly (readonly [string, PersistedValue?])[]
  readonly response?: PersistedValue
  readonly error?: PersistedValue
  readonly failure?: { readonly kind: string; readonly thrown?: PersistedValue }
}

/** A record for people and programs to read. */
export function toHistory({ seq, at, kind, body, bytes }: StoredRecord, classes: ClassRegistry): HistoryRecord {
  const decode = (value: PersistedValue) => read(revive(value, classes, `record ${seq}`, bytes))
  const {
    context,
    event = context?.executions[0]?.event,
    events,
    writes,
    response,
    error,
    failure,
    ...rest
  }: Body = JSON.parse(body)
  const thrown = error ?? failure?.thrown
  return {
    ...{ seq, at, kind: kind as RecordKind },
    ...(context === undefined ? rest : {}),
    ...(event === undefined ? {} : { event: decode(event) as AnyEvent }),
    ...(events === undefined ? {} : { events: events.map((each) => decode(each) as AnyEvent) }),
    ...(writes === undefined
      ? {}
      : { writes: writes.map(([key, value]) => (value === undefined ? [key] : [key, decode(value)]) as [string]) }),
    ...(response === undefined ? {} : { response: (decode(response) as { response?: unknown }).response }),
    ...(failure === undefined ? {} : { failure: failure.kind }),
    ...(thrown === undefined ? {} : { error: decode(thrown) }),
  }
}
