import { InvalidArgumentError, Option } from 'commander'
import type { ClassRegistry } from '../class-codec.ts'
import { type Duration, toMs } from '../duration.ts'
import { type Message, toLetter } from '../letter.ts'
import type { Store } from '../store.ts'
import { NoSuchRun } from './command-error.ts'

/** How often is looked whether a letter was taken. */
const pollMs = 50

/**
 * Puts a letter into a run's inbox, and waits for the run's host to take it.
 *
 * @returns whether that has happened in time.
 * @throws CommandError if there is no such run.
 */
export async function post(
  store: Store,
  runId: string,
  message: Message,
  classes: ClassRegistry,
  waitMs: number,
): Promise<boolean> {
  const letter = toLetter(message, Date.now(), classes)
  if (!(await store.post(runId, letter))) throw new NoSuchRun(runId)
  const until = Date.now() + waitMs
  for (;;) {
    if (!(await store.inbox(runId)).some(({ id }) => id === letter.id)) return true
    if (Date.now() >= until) return false
    await new Promise((resolve) => setTimeout(resolve, pollMs))
  }
}

/** `--wait`. */
export function waitOption(): Option {
  return new Option(
    '--wait <duration>',
    "how long to wait for the run's host to take it, as 500ms, 10s; 0 for not at all",
  )
    .default(2_000, '"2s"')
    .argParser(toShortMs)
}

/** Milliseconds of a duration, for an option. */
export function toShortMs(text: string): number {
  try {
    return toMs((/^\d+$/.test(text) ? Number(text) : text) as Duration, 'the option')
  } catch {
    throw new InvalidArgumentError('Expected a number with its unit: 500ms, 10s, 1m; or 0.')
  }
}
