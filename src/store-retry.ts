import { StoreError } from './errors.ts'
import { warn } from './warn.ts'

/** How a store that fails is dealt with. */
export interface RetryPlace {
  /** Told of every failed try, before the next one. */
  readonly onStoreError: ((error: unknown) => void) | undefined
  /** Whether what fails is given up. */
  readonly isClosed: () => boolean
}

/** Tries again, ever less often, until the store does it; rejects where that is in vain. */
export async function untilStored<Result>(place: RetryPlace, fn: () => Promise<Result>): Promise<Result> {
  for (let failures = 0; ; failures++) {
    try {
      return await fn()
    } catch (error) {
      place.onStoreError?.(error)
      if (isPermanent(error) || place.isClosed()) throw error
      if (failures === 0 && place.onStoreError === undefined) {
        warn('BLAZEN_STORE_FAILED', `The store failed and is tried again: ${String(error)}`)
      }
      await new Promise((resolve) => setTimeout(resolve, Math.min(10_000, 50 * 2 ** failures)))
    }
  }
}

/** Whether trying again is in vain. */
export function isPermanent(error: unknown): boolean {
  return error instanceof StoreError && error.permanent
}
