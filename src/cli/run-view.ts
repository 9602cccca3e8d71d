import type { ClassRegistry } from '../class-codec.ts'
import { messageOf } from '../codec-error.ts'
import type { AnyEvent, InputRequestEvent } from '../event.ts'
import { type HistoryRecord, toHistory } from '../history.ts'
import type { RunInfo, StoredRecord } from '../store.ts'
import { Missing } from './shown-value.ts'

/** An event that a step has yet to handle, or is handling. */
export interface PendingExecution {
  readonly id: number
  readonly step: string
  readonly event: unknown
  /** The attempt that it is at, or waits for, from 1. */
  readonly attempt: number
  /** When that attempt is due, in milliseconds since the epoch; `null` for at once. */
  readonly dueAt: number | null
}

/** Where a run stands, as far as it can be told. */
export interface RunView {
  readonly info: RunInfo
  /** Who says so: the workflow, which has folded all records, or what is written in them alone. */
  readonly toldBy: 'workflow' | 'records'
  /** Those of runs inside have the way there in their id, and as their `path`. */
  readonly requests: readonly InputRequestEvent[]
  /**
   * Only where the workflow says so: checks an answer by the schema of its kind, and gives what that makes of it.
   *
   * @throws EventValidationError
   */
  readonly check?: (requestId: string, response: unknown) => unknown
  readonly executions: readonly PendingExecution[]
  /** Events that came while the run was paused. */
  readonly queue: readonly unknown[]
  /** Events that are sent later. */
  readonly delayed: readonly { readonly event: unknown; readonly dueAt: number }[]
  /** Events that steps have collected, by type. */
  readonly collected: Readonly<Record<string, readonly unknown[]>>
  readonly state: ReadonlyMap<string, unknown>
  /** Set once the run has completed. */
  readonly result?: unknown
  readonly failure?: { readonly kind: string; readonly error: unknown } | undefined
  /** What is not known, one sentence each. */
  readonly unknown: readonly string[]
}

/** A record decoded, or what there is of it where it is damaged. */
export function historyOf(record: StoredRecord, classes: ClassRegistry): HistoryRecord {
  try {
    return toHistory(record, classes)
  } catch (error) {
    const { seq, at, kind } = record
    return { seq, at, kind: kind as HistoryRecord['kind'], error: new Missing('Unreadable', messageOf(error)) }
  }
}

/** A value, or why it cannot be read. */
export function readable(read: () => unknown): unknown {
  try {
    return read()
  } catch (error) {
    return new Missing('Unreadable', messageOf(error))
  }
}

/** The events that `records` have brought to the router, in order. */
export function routedIn({ kind, event, events = [], dueAt }: HistoryRecord): readonly AnyEvent[] {
  if (kind === 'settled') return events
  return (kind === 'sent' || kind === 'event') && event !== undefined && typeof dueAt !== 'number' ? [event] : []
}
