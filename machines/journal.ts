import type { AnyEventObject } from 'xstate'

/**
 * Writes down what happens to a run before it counts. `submit` keeps a fact, in order; when it is durable, the journal
 * sends the very same event to the run's actor again, while `folding` says that it is that one.
 */
export interface Journal {
  readonly folding: AnyEventObject | undefined
  /**
   * Whether the run is this process's for certain. Where it is not, its steps begin nothing; they go on with a
   * `blazen.prepared`.
   */
  readonly isSure: boolean
  /** Whether there are facts that were handed in and do not count yet. */
  readonly isBusy: boolean
  /**
   * Takes a fact, to be written down behind those before it.
   *
   * @param sent the event as it was sent to the run's actor; the fact is the same, parsed.
   */
  submit(fact: AnyEventObject, sent: AnyEventObject): void
  /** Resolves when an event that is about to be sent to the run's actor is durable and counts; rejects if it never will. */
  durable(sent: AnyEventObject): Promise<void>
}

/** Whether an event tells of something that happened, and is not XState's or a question of the machine to itself. */
export function isFact(event: AnyEventObject): boolean {
  return event.type !== 'blazen.check' && !event.type.startsWith('xstate.')
}
