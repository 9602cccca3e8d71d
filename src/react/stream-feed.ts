import type { AnyEvent } from '../event.ts'
import type { WorkflowHandler } from '../handler.ts'
import { Pace } from '../pace.ts'
import type { RunStream, StreamGap } from '../stream.ts'

export interface FeedOptions {
  readonly from: number | 'now'
  /** How many events are kept, the last ones. */
  readonly limit: number
  /** The types that are kept; `undefined` for all. */
  readonly types: ReadonlySet<string> | undefined
}

/** What a run has written so far, read for as long as somebody subscribes, and told at most once a frame. */
export class StreamFeed {
  readonly #handler: WorkflowHandler | undefined
  readonly #options: FeedOptions
  readonly #pace = new Pace(() => this.#tell())
  /** Where reading goes on. */
  #from: number | 'now'
  #reader: RunStream | undefined
  #listener: (() => void) | undefined
  #events: AnyEvent[] = []
  #shown: readonly AnyEvent[] = []

  constructor(handler: WorkflowHandler | undefined, options: FeedOptions) {
    this.#handler = handler
    this.#options = options
    this.#from = options.from
  }

  readonly get = (): readonly AnyEvent[] => this.#shown

  readonly subscribe = (listener: () => void): (() => void) => {
    const reader = this.#handler?.stream({ from: this.#from })
    if (reader === undefined) return () => {}
    this.#listener = listener
    this.#reader = reader
    void this.#read(reader)
    return () => {
      this.#reader = undefined
      this.#listener = undefined
      void reader.return?.()
    }
  }

  async #read(reader: RunStream): Promise<void> {
    for await (const event of reader) {
      // Left meanwhile: whoever comes next reads this event again.
      if (this.#reader !== reader) return
      if (this.#from !== 'now') this.#from += isGap(event) ? event.missed : 1
      this.#add(event)
    }
  }

  #add(event: AnyEvent): void {
    const { limit, types } = this.#options
    if (types !== undefined && !types.has(event.type)) return
    this.#events.push(event)
    // Dropping in bulk keeps it cheap: between one and two times the limit is kept.
    if (this.#events.length >= limit * 2) this.#events = this.#events.slice(-limit)
    this.#pace.note()
  }

  #tell(): void {
    this.#shown = this.#events.slice(-this.#options.limit)
    this.#listener?.()
  }
}

function isGap(event: AnyEvent | StreamGap): event is StreamGap {
  return event.type === 'blazen::StreamGap'
}
