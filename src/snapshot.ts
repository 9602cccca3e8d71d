import type { PersistedValue } from './codec.ts'
import type { LostEntry } from './session.ts'

/** The picture of a run: plain JSON data, from which any process that has the workflow goes on. */
export interface WorkflowSnapshot {
  readonly format: 1
  readonly workflow: string
  /** The author's version of the workflow. */
  readonly version: string | null
  readonly runId: string
  readonly status: 'active' | 'done' | 'error' | 'stopped'
  /** Where the run is in its life. */
  readonly value: string
  readonly context: SnapshotContext
  /** The result of a completed run, where it is JSON data; else it is in `context`. */
  readonly output?: unknown
  /** One of XState's fields; a run keeps its failure in `context`. */
  readonly error?: unknown
}

export interface SnapshotContext {
  readonly state: readonly (readonly [key: string, value: PersistedValue])[]
  readonly session: readonly PersistedEntry[]
  /** What the pause policy left out. */
  readonly lost: { readonly state: readonly LostEntry[]; readonly session: readonly LostEntry[] }
  readonly executions: readonly PersistedExecution[]
  readonly executionsMade: number
  readonly queue: readonly PersistedValue[]
  readonly requests: readonly PersistedValue[]
  readonly timers: readonly PersistedTimer[]
  readonly timersMade: number
  readonly collections: readonly (readonly [type: string, collected: readonly PersistedCollected[]])[]
  readonly timeoutMs: number | null
  readonly timeLeftMs: number | null
  readonly result?: PersistedValue
  readonly failure?: PersistedFailure
}

export interface PersistedEntry extends LostEntry {
  readonly value: PersistedValue
}

export interface PersistedExecution {
  readonly id: number
  readonly step: string
  readonly event: PersistedValue
  readonly attempt: number
  readonly sent: number
  readonly spent: boolean
  readonly dueAt: number | null
  /** The runs that it has begun. */
  readonly children?: readonly PersistedChild[]
}

export interface PersistedChild {
  /** Unique in its execution; empty where there is but one. */
  readonly name: string
  readonly snapshot: WorkflowSnapshot
}

export interface PersistedTimer {
  readonly id: string
  readonly dueAt: number
  readonly event?: PersistedValue
  readonly requestId?: string
}

export interface PersistedCollected {
  readonly by: number
  readonly event: PersistedValue
}

export interface PersistedFailure {
  readonly kind: string
  readonly fields: PersistedValue
  readonly event?: PersistedValue
  readonly thrown?: PersistedValue
}
