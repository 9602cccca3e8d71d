import type { WorkflowSnapshot } from 'blazen-xstate'
import type { Paper } from './approval-workflow.ts'
import type { FlowTrace } from './flow-trace.ts'

/** What survives a reload: the run, and what is shown of it before it goes on. */
export interface KeptRun {
  readonly snapshot: WorkflowSnapshot
  readonly papers: Readonly<Record<string, Paper>>
  readonly trace: FlowTrace
}

const key = 'blazen-xstate approval'

/** Keeps it in the place of the one before; false where the browser has no room, or keeps nothing. */
export function keepRun(run: KeptRun): boolean {
  try {
    localStorage.setItem(key, JSON.stringify(run))
    return true
  } catch {
    return false
  }
}

export function readKeptRun(): KeptRun | undefined {
  try {
    return JSON.parse(localStorage.getItem(key) ?? 'null') ?? undefined
  } catch {
    return undefined
  }
}

export function forgetRun(): void {
  try {
    localStorage.removeItem(key)
  } catch {
    // What was never kept needs no forgetting.
  }
}

/** Whether it goes on only when somebody says so. */
export function isKeptPaused({ snapshot }: KeptRun): boolean {
  return snapshot.value === 'paused' || snapshot.value === 'pausing'
}
