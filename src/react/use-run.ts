import type { WorkflowHandler } from '../handler.ts'
import { idle, type RunView, viewOf } from './run-view.ts'
import { useChanging } from './use-changing.ts'

/**
 * Where a run stands: its status, and its result or error, and what it asks. Without a handler, it is `idle`.
 * The run is only looked at: unmounting does not touch it.
 *
 * @example
 * const { status, result, error } = useRun(handler)
 */
export function useRun<Result>(handler: WorkflowHandler<Result> | undefined): RunView<Result> {
  return useChanging<Result, RunView<Result>>(handler, idle, viewOf)
}
