import { BlazenError } from './errors.ts'
import type { AnyEvent } from './event.ts'

/** Says to a reader that fell behind the buffer how many events it has missed. */
export interface StreamGap {
  readonly type: 'blazen::StreamGap'
  readonly missed: number
}

/** Where a reader begins. */
export interface StreamOptions {
  /**
   * Where reading begins: at the first event that the run ever wrote, at the n-th (0 is the first), or with what is
   * written from now on.
   *
   * @default 0
   */
  readonly from?: number | 'now'
}

/** What a run writes, for one reader: read it with `for await`, once. It ends when the run has ended. */
export interface RunStream extends AsyncIterableIterator<AnyEvent> {
  /** The same as a web stream, for a response. */
  toReadableStream(): ReadableStream<AnyEvent>
}

/**
 * The events that a run has written, kept for readers that come later, up to `limit`.
 * Every reader has its own place; a reader never slows the run down.
 */
export class EventStream {
  readonly #limit: number
  #events: AnyEvent[] = []
  /** The number of the first event that is kept. */
  #first = 0
  #ended = false
  #waiting: (() => void)[] = []

  constructor(limit: number) {
    this.#limit = limit
  }

  /** How many events have been written. */
  get length(): number {
    return this.#first + this.#events.length
  }

  write(event: AnyEvent): void {
    if (this.#ended) return
    this.#events.push(event)
    // Dropping in bulk keeps a write cheap: between one and two times the limit is kept.
    if (this.#events.length >= this.#limit * 2) {
      const surplus = this.#events.length - this.#limit
      this.#events = this.#events.slice(surplus)
      this.#first += surplus
    }
    this.wake()
  }

  end(): void {
    this.#ended = true
    this.wake()
  }

  read({ from = 0 }: StreamOptions = {}): RunStream {
    if (from === 'now') return new Reader(this, this.length)
    if (Number.isInteger(from) && from >= 0) return new Reader(this, from)
    throw new BlazenError(
      'invalid_option',
      `stream: from has to be a whole number of at least 0, or 'now', got ${String(from)}.`,
    )
  }

  /** The event at `place`, the gap before the first one that is kept, or nothing where none is yet. */
  at(place: number): AnyEvent | StreamGap | undefined {
    // The limit holds for readers exactly, however much is still in memory.
    const oldest = Math.max(this.#first, this.length - this.#limit)
    if (place < oldest) return { type: 'blazen::StreamGap', missed: oldest - place }
    return this.#events[place - this.#first]
  }

  get ended(): boolean {
    return this.#ended
  }

  /** Resolves at the next event, the end, or when a reader leaves. */
  next(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  wake(): void {
    if (this.#waiting.length === 0) return
    const waiting = this.#waiting
    this.#waiting = []
    for (const wake of waiting) wake()
  }
}

class Reader implements RunStream {
  readonly #stream: EventStream
  #place: number
  #closed = false

  constructor(stream: EventStream, place: number) {
    this.#stream = stream
    this.#place = place
  }

  async next(): Promise<IteratorResult<AnyEvent, undefined>> {
    while (!this.#closed) {
      const event = this.#stream.at(this.#place)
      if (event !== undefined) {
        this.#place += isGap(event) ? event.missed : 1
        return { done: false, value: event }
      }
      if (this.#stream.ended) break
      await this.#stream.next()
    }
    return { done: true, value: undefined }
  }

  async return(): Promise<IteratorResult<AnyEvent, undefined>> {
    this.#closed = true
    this.#stream.wake()
    return { done: true, value: undefined }
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  toReadableStream(): ReadableStream<AnyEvent> {
    return new ReadableStream<AnyEvent>({
      pull: async (controller) => {
        const { done, value } = await this.next()
        if (done) controller.close()
        else controller.enqueue(value)
      },
      cancel: async () => {
        await this.return()
      },
    })
  }
}

function isGap(event: AnyEvent | StreamGap): event is StreamGap {
  return event.type === 'blazen::StreamGap'
}
