/** Which step set a live value, and when: told when it is lost. */
export interface Origin {
  readonly step: string
  /** Milliseconds since the epoch. */
  readonly at: number
}

const origins = new WeakMap<object, Origin>()

/** Notes where a live value of state, as it is stored, came from. */
export function noteOrigin(stored: object, origin: Origin): void {
  origins.set(stored, origin)
}

/** Where a live value of state came from; `undefined` if no step has set it. */
export function originOf(stored: unknown): Origin | undefined {
  return typeof stored === 'object' && stored !== null ? origins.get(stored) : undefined
}
