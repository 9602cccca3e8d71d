import { StoreError } from './errors.ts'

/** How a store that fails is dealt with. */
export interface RetryPlace {
  /** Told of every failed try, before the next one. */
  readonly report: (error: unknown) => void
  /** Whether what fails is given up. */
  readonly isClosed: () => boolean
}

/** Tries again, ever less often, until the store does it; rejects where that is in vain, or was tried often enough. */
export async function untilStored<Result>(
  place: RetryPlace,
  fn: () => Promise<Result>,
  tries = Number.POSITIVE_INFINITY,
): Promise<Result> {
  for (let failures = 1; ; failures++) {
    try {
      return await fn()
    } catch (error) {
      place.report(error)
      if (isPermanent(error) || place.isClosed() || failures >= tries) throw error
      await new Promise((resolve) => setTimeout(resolve, Math.min(10_000, 25 * 2 ** failures)))
      if (place.isClosed()) throw error
    }
  }
}

/** Whether trying again is in vain. */
export function isPermanent(error: unknown): boolean {
  return error instanceof StoreError && error.permanent
}
