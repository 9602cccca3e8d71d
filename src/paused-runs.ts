import type { LiveRun } from './live-run.ts'

/**
 * The runs that are paused in this process, by id. Resumed from their snapshot here, they get their live values back;
 * so these are held until the run goes on, or is aborted.
 */
export const pausedRuns = new Map<string, LiveRun>()
