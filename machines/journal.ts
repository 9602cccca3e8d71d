import type { AnyEventObject } from 'xstate'

/**
 * Writes down what happens to a run before it counts. `submit` keeps a fact, in order; when it is durable, the journal
 * sends the very same event to the run's actor again, while `folding` says that it is that one.
 */
export interface Journal {
  readonly folding: AnyEventObject | undefined
  submit(fact: AnyEventObject): void
  /** Resolves when a fact that was sent to the run's actor is durable and counts; rejects if it never will. */
  durable(fact: AnyEventObject): Promise<void>
}

/** Whether an event tells of something that happened, and is not XState's or a question of the machine to itself. */
export function isFact(event: AnyEventObject): boolean {
  return event.type !== 'blazen.check' && !event.type.startsWith('xstate.')
}
