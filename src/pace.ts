/** About as long as a screen shows one picture. */
const frameMs = 16

/** Calls a function for what has happened: soon after it, once for all of it, and at most once a frame. */
export class Pace {
  readonly #tell: () => void
  #isDue = false
  #last = Number.NEGATIVE_INFINITY

  constructor(tell: () => void) {
    this.#tell = tell
  }

  /** Something has happened. */
  note(): void {
    if (this.#isDue) return
    this.#isDue = true
    setTimeout(
      () => {
        this.#isDue = false
        this.#last = performance.now()
        this.#tell()
      },
      Math.max(0, this.#last + frameMs - performance.now()),
    )
  }
}
