import type { AnyActorRef } from 'xstate'
import type { Clock } from '../../machines/index.ts'
import type { Rest } from './rest.ts'

interface VirtualTimer {
  readonly dueAt: number
  readonly fn: () => unknown
}

/** A clock that stands still until it is told to go on. */
export class VirtualClock implements Clock {
  /** By when they are due; those due at once, in the order in which they were set. */
  readonly #timers: VirtualTimer[] = []
  readonly #rest: Rest
  #now: number

  constructor(start: number, rest: Rest) {
    this.#now = start
    this.#rest = rest
  }

  /** Called apart from the clock by whoever takes it for a plain object. */
  readonly now = (): number => this.#now

  readonly setTimeout = (fn: () => unknown, delayMs = 0): VirtualTimer => {
    const timer = { dueAt: this.#now + Math.max(0, delayMs), fn }
    this.#timers.splice(this.#placeAfter(timer.dueAt), 0, timer)
    return timer
  }

  readonly clearTimeout = (timer: unknown): void => {
    const at = this.#timers.indexOf(timer as VirtualTimer)
    if (at >= 0) this.#timers.splice(at, 1)
  }

  readonly began = (run: AnyActorRef): void => this.#rest.add(run)

  /** When timers are due, in order. */
  get due(): readonly number[] {
    return this.#timers.map(({ dueAt }) => dueAt)
  }

  get nextDue(): number | undefined {
    return this.#timers[0]?.dueAt
  }

  /** Goes on to `at`, and fires what is due then. Time never goes back. */
  moveTo(at: number): void {
    this.#now = Math.max(this.#now, at)
    const last = this.#placeAfter(at)
    const due = new Set(this.#timers.slice(0, last))
    for (const timer of due) {
      // One that fires may take off another.
      const place = this.#timers.indexOf(timer)
      if (place < 0) continue
      this.#timers.splice(place, 1)
      const returned = timer.fn()
      if (returned instanceof Promise) this.#rest.follow(returned)
    }
  }

  /** Behind all timers that are due by then. */
  #placeAfter(dueAt: number): number {
    let [from, to] = [0, this.#timers.length]
    while (from < to) {
      const middle = (from + to) >> 1
      if ((this.#timers[middle]?.dueAt as number) <= dueAt) from = middle + 1
      else to = middle
    }
    return from
  }
}
