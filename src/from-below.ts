import { BlazenError } from './errors.ts'

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
