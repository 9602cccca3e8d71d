/** What the router knows of an event: its type. The rest is the user's. */
export interface RoutedEvent {
  readonly type: string
}

/** The four types with a meaning of their own. */
export const startType = 'blazen::StartEvent'
/** The first event of it completes the run. */
export const stopType = 'blazen::StopEvent'
/** It asks a person. */
export const requestType = 'blazen::InputRequestEvent'
/** What the person has answered. */
export const responseType = 'blazen::InputResponseEvent'

/** One step at work on one event. It is also the very event that the step's actor receives: hence the `type`. */
export class Execution implements RoutedEvent {
  readonly type: string
  /** The attempt under way, from 1. */
  attempt = 1
  /** How many events it has sent before it settled; these are not routed twice when it runs again. */
  sent = 0
  /** When the attempt is due, in milliseconds since the epoch; `undefined` for at once. */
  dueAt: number | undefined = undefined
  /** Another execution has collected the event of this one, which then must not be collected again. */
  spent = false

  constructor(
    /** Counted from 1 in a run, over all steps. */
    readonly id: number,
    readonly step: string,
    readonly event: RoutedEvent,
  ) {
    this.type = event.type
  }
}

/** A copy that can be changed on its own. */
export function copyExecution(execution: Execution): Execution {
  return Object.assign(new Execution(execution.id, execution.step, execution.event), execution)
}
