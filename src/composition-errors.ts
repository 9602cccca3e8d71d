import { messageOf } from './codec-error.ts'
import { BlazenError } from './errors.ts'

/** A mapper, a condition or an `until` of a pipeline's stage has thrown; `cause` is the very thing that it threw. */
export class StageError extends BlazenError {
  override name = 'StageError'

  constructor(
    /** The stage; with its branch, where it has several: `enrich::tags`. */
    readonly stage: string,
    /** What threw: `condition`, `input mapper` or `until`. */
    readonly part: string,
    cause: unknown,
  ) {
    super(
      'stage',
      `The ${part} of stage "${stage}" failed: ${cause instanceof Error ? cause.message : String(cause)}`,
      {
        cause,
      },
    )
  }
}

/** Of workflows that were run at once for the first success, none has succeeded. */
export class BranchesFailedError extends BlazenError {
  override name = 'BranchesFailedError'

  constructor(
    /** What each branch has failed with, in the order in which they failed. */
    readonly errors: readonly unknown[],
  ) {
    super('branches_failed', `All ${errors.length} branches have failed: ${errors.map(messageOf).join('; ')}`)
  }
}

/** Whether an error arose in a run inside the one that tells of it. */
export function isFromBelow(error: unknown): error is BlazenError & { readonly runPath: readonly string[] } {
  return error instanceof BlazenError && error.runPath !== undefined
}

/** The error of a run inside, with where it is. */
export function fromBelow(error: unknown, where: string): unknown {
  if (!(error instanceof BlazenError)) return error
  error.runPath = [where, ...(error.runPath ?? [])]
  error.message = `${where} › ${error.message}`
  return error
}
