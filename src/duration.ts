import { BlazenError } from './errors.ts'

/** A length of time: milliseconds, or a number with its unit. */
export type Duration = number | `${number}${Unit}`

type Unit = 'ms' | 's' | 'm' | 'h' | 'd'

const unitMs: Record<Unit, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** The longest delay that JavaScript's timers keep: about 24.8 days. */
const maxMs = 2_147_483_647

/**
 * Milliseconds of a duration.
 *
 * @param where names the option, for the error.
 * @param max the longest that is taken, in milliseconds.
 * @throws BlazenError (`invalid_option`) unless it is a finite number of at least 0, alone or with a unit.
 */
export function toMs(duration: Duration, where: string, max = maxMs): number {
  const match = typeof duration === 'string' ? /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(duration) : undefined
  const ms = typeof duration === 'number' ? duration : Number(match?.[1]) * unitMs[match?.[2] as Unit]
  if (ms >= 0 && ms <= max) return ms
  const got = typeof duration === 'string' ? `"${duration}"` : String(duration)
  throw new BlazenError(
    'invalid_option',
    `${where} is no duration: expected milliseconds from 0 to ${max}, or a text such as "250ms", "30s", "5m", "1h" or "2d", got ${got}.`,
  )
}
