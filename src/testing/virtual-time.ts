import type { Clock } from '../../machines/index.ts'
import { type Duration, toMs } from '../duration.ts'
import { BlazenError } from '../errors.ts'
import type { RunStatus } from '../handler.ts'
import { realNow, realPause } from './real-time.ts'
import { Rest } from './rest.ts'
import { VirtualClock } from './virtual-clock.ts'

/** When the virtual time begins, and how long steps may really work. */
export interface VirtualTimeOptions {
  /** What the clock shows at first: a date, or milliseconds since the epoch. @default now */
  readonly start?: Date | number
  /**
   * How much of the machine's time a step's function gets before time passes over it. What waits for a network or a
   * disk needs some; a function that never returns costs as much, once.
   *
   * @default '100ms'
   */
  readonly patience?: Duration
}

/** What `runUntil` waits for with a run: its end, its pause, or that only somebody outside can move it on. */
export interface WatchedRun {
  readonly status: RunStatus
}

/** Time that passes when a test says so. */
export interface VirtualTime {
  /** For `workflow.run`, `workflow.resume`, `createHost`, and XState's `createActor`: as many of them as share the time. */
  readonly clock: Clock
  /** Milliseconds since the epoch. */
  now(): number
  /** When the timers that are set are due, the first one first. */
  readonly due: readonly number[]
  /**
   * Lets time pass, from timer to timer, and resolves when the runs have come to rest. With `0`, only what is due
   * already happens.
   */
  advance(duration: Duration): Promise<void>
  /** Lets the runs come to rest, goes on to the next timer, and lets them come to rest again. False if none is set. */
  skip(): Promise<boolean>
  /**
   * Goes from timer to timer until the run has ended or is paused, or waits for a person or an event from outside;
   * gives its status then.
   *
   * @throws BlazenError (`virtual_time`) where nothing is due any more, and nothing happens.
   */
  runUntil(run: WatchedRun): Promise<RunStatus>
  /** Goes from timer to timer until the promise settles, as in `time.runUntil(handler.result())`; gives what it gives. */
  runUntil<Value>(promise: PromiseLike<Value>): Promise<Value>
  /** Goes from timer to timer until the condition holds. */
  runUntil(condition: () => boolean): Promise<void>
  /** Resolves when so much time has passed: for mocks that take their time. Rejects with the signal's reason. */
  sleep(duration: Duration, options?: { readonly signal?: AbortSignal }): Promise<void>
}

/** How long nothing may happen, in the machine's time, before `runUntil` gives up. */
const stuckMs = 2_000

const moving: ReadonlySet<RunStatus> = new Set(['running', 'pausing'])

/**
 * Time for tests: hours of delays, retries and timeouts pass in milliseconds, in their order.
 *
 * @throws BlazenError (`invalid_option`)
 *
 * @example
 * const time = virtualTime()
 * const handler = reminder.run({ to: 'Ada' }, { clock: time.clock })
 * await time.advance('3d')
 * console.log(await time.runUntil(handler.result()))
 */
export function virtualTime({ start = Date.now(), patience = '100ms' }: VirtualTimeOptions = {}): VirtualTime {
  const rest = new Rest(toMs(patience, 'virtualTime: patience'))
  const clock = new VirtualClock(Number(start), rest)

  const advance = async (duration: Duration): Promise<void> => {
    const until = clock.now() + toMs(duration, 'advance', Number.MAX_SAFE_INTEGER)
    await rest.reached()
    for (let due = clock.nextDue; due !== undefined && due <= until; due = clock.nextDue) {
      clock.moveTo(due)
      await rest.reached()
    }
    clock.moveTo(until)
  }

  const skip = async (): Promise<boolean> => {
    await rest.reached()
    const due = clock.nextDue
    if (due === undefined) return false
    clock.moveTo(due)
    await rest.reached()
    return true
  }

  const reach = async (isThere: () => boolean): Promise<void> => {
    let movedAt = realNow()
    for (;;) {
      await rest.reached()
      if (isThere()) return
      const due = clock.nextDue
      if (due !== undefined) {
        clock.moveTo(due)
        movedAt = realNow()
      } else if (realNow() - movedAt > stuckMs) {
        throw stuck(rest)
      } else {
        await realPause(1)
      }
    }
  }

  async function runUntil(until: WatchedRun | PromiseLike<unknown> | (() => boolean)): Promise<unknown> {
    if (typeof until === 'function') return reach(until)
    if (isPromise(until)) {
      let isSettled = false
      const settle = () => {
        isSettled = true
      }
      until.then(settle, settle)
      await reach(() => isSettled)
      return until
    }
    await reach(() => !moving.has(until.status))
    return until.status
  }

  const sleep = (duration: Duration, { signal }: { readonly signal?: AbortSignal } = {}): Promise<void> => {
    const ms = toMs(duration, 'sleep', Number.MAX_SAFE_INTEGER)
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason)
      const wake = () => {
        rest.asleep--
        clock.clearTimeout(timer)
        signal?.removeEventListener('abort', abort)
      }
      const abort = () => {
        wake()
        reject(signal?.reason)
      }
      const timer = clock.setTimeout(() => {
        wake()
        resolve()
      }, ms)
      rest.asleep++
      signal?.addEventListener('abort', abort, { once: true })
    })
  }

  return {
    ...{ clock, now: clock.now, advance, skip, sleep },
    runUntil: runUntil as VirtualTime['runUntil'],
    get due() {
      return clock.due
    },
  }
}

function isPromise(value: object): value is PromiseLike<unknown> {
  return 'then' in value && typeof value.then === 'function'
}

function stuck(rest: Rest): BlazenError {
  return new BlazenError(
    'virtual_time',
    `runUntil waits in vain: no timer is set on the virtual clock, and nothing has happened for ${stuckMs / 1_000} s. ${rest.describe()} Answer or send what is missing, give the run or its host this clock, or give virtualTime a longer \`patience\` for functions that wait for the world outside.`,
  )
}
