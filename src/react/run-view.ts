import type { InputRequestEvent } from '../event.ts'
import type { RunStatus, WorkflowHandler } from '../handler.ts'

/** Where a run stands, to be shown: its `status` tells whether there is a `result` or an `error`. */
export type RunView<Result = unknown> =
  | {
      /** `idle`: there is no run. */
      readonly status: 'idle' | Exclude<RunStatus, 'completed' | 'failed' | 'aborted'>
      readonly result: undefined
      readonly error: undefined
      /** The questions that have no answer yet, the oldest first. */
      readonly pendingInputs: readonly InputRequestEvent[]
    }
  | {
      readonly status: 'completed'
      readonly result: Result
      readonly error: undefined
      readonly pendingInputs: readonly InputRequestEvent[]
    }
  | {
      readonly status: 'failed' | 'aborted'
      readonly result: undefined
      /** What `handler.result()` rejects with. */
      readonly error: unknown
      readonly pendingInputs: readonly InputRequestEvent[]
    }

/** Where there is no run. */
export const idle: RunView<never> = { status: 'idle', result: undefined, error: undefined, pendingInputs: [] }

/** The view of a run; the one `before` where nothing of it has changed. */
export function viewOf<Result>(handler: WorkflowHandler<Result>, before: RunView<Result>): RunView<Result> {
  const { status, outcome } = handler
  const pendingInputs = pendingInputsOf(handler, before.pendingInputs)
  const result = outcome?.status === 'fulfilled' ? outcome.value : undefined
  const error = outcome?.status === 'rejected' ? outcome.reason : undefined
  const isSame =
    before.status === status &&
    Object.is(before.result, result) &&
    Object.is(before.error, error) &&
    before.pendingInputs === pendingInputs
  return isSame ? before : ({ status, result, error, pendingInputs } as RunView<Result>)
}

/** The open questions of a run; the array `before` where they are still the same. */
export function pendingInputsOf(
  handler: WorkflowHandler,
  before: readonly InputRequestEvent[],
): readonly InputRequestEvent[] {
  const { pendingInputs } = handler
  const isSame = pendingInputs.length === before.length && pendingInputs.every((request, at) => request === before[at])
  return isSame ? before : pendingInputs
}
