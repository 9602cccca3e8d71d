import { type Duration, toMs } from './duration.ts'
import { BlazenError } from './errors.ts'

/** What `fn` gives, in an array; nothing where it threw, and then the problem is noted. */
export function attempt<Value>(problems: string[], fn: () => Value): Value[] {
  try {
    return [fn()]
  } catch (error) {
    if (!(error instanceof BlazenError)) throw error
    problems.push(error.message)
    return []
  }
}

/** @throws BlazenError (`invalid_option`) */
export function optionalMs(duration: Duration | undefined, where: string): number | undefined {
  return duration === undefined ? undefined : toMs(duration, where)
}
