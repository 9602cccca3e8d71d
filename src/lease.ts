/** A renewal that was asked for. */
export interface Renewal {
  readonly since: number
  readonly doubts: number
}

/**
 * Until when the runs of a host are its own for certain. A process that was asleep, or could not reach its store, wakes up
 * with runs that somebody else may have claimed: it begins nothing of them before it has heard that they are still its.
 */
export class Lease {
  readonly #ms: number
  readonly #onDoubt: () => void
  #until: number
  #isAsking = false
  /** How often runs came that may have been claimed by somebody else on the way. */
  #doubts = 0

  /** @param onDoubt something was to be begun, and the lease may have run out: the runs are to be renewed. */
  constructor(ms: number, onDoubt: () => void) {
    this.#ms = ms
    this.#onDoubt = onDoubt
    this.#until = Date.now() + ms
  }

  get isSure(): boolean {
    if (Date.now() < this.#until) return true
    if (!this.#isAsking) {
      this.#isAsking = true
      this.#onDoubt()
    }
    return false
  }

  /**
   * The host got a run that is renewed with the others from here on.
   *
   * @param since when the store was asked for it.
   */
  obtained(since: number): void {
    if (Date.now() < since + this.#ms) return
    this.#until = 0
    this.#doubts++
  }

  /** The runs that the host has now are about to be renewed. */
  ask(): Renewal {
    return { since: Date.now(), doubts: this.#doubts }
  }

  /** They are renewed; gives whether something was waiting for that. */
  renewed({ since, doubts }: Renewal): boolean {
    if (doubts === this.#doubts) this.#until = since + this.#ms
    const wasAsking = this.#isAsking
    this.#isAsking = false
    return wasAsking
  }
}
