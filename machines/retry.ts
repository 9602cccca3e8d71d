/** How often, and after how long, an attempt that failed is made again. Times are milliseconds. */
export interface RetryPolicy {
  /** All tries, the first included. */
  readonly attempts: number
  readonly delayMs: number
  readonly factor: number
  readonly maxDelayMs: number
  /** The share of the delay, from 0 to 1, by which it may be shorter or longer. */
  readonly jitter: number
  /** Whether this error is worth another attempt. */
  readonly when: (error: unknown, attempt: number) => boolean
}

/**
 * Milliseconds to wait after attempt `attempt` (from 1) has failed. `random` is a number from 0 up to 1.
 */
export function computeDelay(policy: RetryPolicy, attempt: number, random: number): number {
  // Zero times a factor that has grown to infinity would be no number.
  if (policy.delayMs === 0) return 0
  const exact = Math.min(policy.delayMs * policy.factor ** (attempt - 1), policy.maxDelayMs)
  const spread = exact * (1 + policy.jitter * (2 * random - 1))
  return Math.round(Math.min(spread, policy.maxDelayMs))
}
