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

/** A run as it is written down: where it is in its life, and what is known of it. */
export interface Picture {
  readonly status: 'active' | 'done' | 'error' | 'stopped'
  readonly value: unknown
  readonly data: unknown
}

/** A run that an execution has begun, as its parent sees it. */
export interface ChildRun {
  /** Unique in its execution. */
  readonly name: string
  /** Whether it has completed, failed or been aborted. */
  readonly hasEnded: boolean
  /** Whether only a person, or an event from outside, can move it on. */
  readonly isWaiting: boolean
  /** Whether it is paused. */
  readonly isPaused: boolean
  /** Lets it begin, or go on. */
  start(): void
  /** Tells it what counts already: by `later`, where it is at work. */
  tell(event: RoutedEvent, later: (fn: () => void) => void): void
  /** Ends it, where it is at work. */
  abort(reason: unknown): void
  /** Where it is, and what is known of it. */
  picture(): Picture
}

/** A child of which there is a picture, and no actor. */
export class StillChild implements ChildRun {
  readonly #picture: Picture

  constructor(
    readonly name: string,
    picture: Picture,
    /** What it is a picture of, where that is in this process. */
    readonly origin?: ChildRun,
  ) {
    this.#picture = picture
  }

  get hasEnded(): boolean {
    return this.#picture.status !== 'active'
  }

  get isWaiting(): boolean {
    return !this.hasEnded && this.#picture.value === 'waiting'
  }

  get isPaused(): boolean {
    return !this.hasEnded && this.#picture.value === 'paused'
  }

  start(): void {}

  tell(): void {}

  abort(): void {}

  picture(): Picture {
    return this.#picture
  }
}

/** What the ids of the runs in an execution have behind that of its own run: `step#3`, and `step#3/branch` for one of several. */
export function toLabel({ step, id, attempt }: Execution, name: string): string {
  const again = attempt === 1 ? '' : `.${attempt}`
  return `${step}#${id}${again}${name === '' ? '' : `/${name}`}`
}

/** How errors name the run that a step calls `name`. */
export function toPlace({ step }: Execution, name: string): string {
  return name === '' ? step : `${step}::${name}`
}

/** Whether an execution does nothing but wait for runs that wait. */
export function isAsleep({ children }: Execution): boolean {
  if (children === undefined) return false
  let waiting = 0
  for (const child of children.values()) {
    if (child.isWaiting) waiting++
    else if (!child.hasEnded) return false
  }
  return waiting > 0
}

/** Whether all runs that an execution has begun are paused, or have ended. */
export function isPaused({ children }: Execution): boolean {
  for (const child of children?.values() ?? []) if (!child.isPaused && !child.hasEnded) return false
  return true
}

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
  /** The runs that it has begun, by name; `undefined` for none. */
  children: Map<string, ChildRun> | undefined = undefined

  constructor(
    /** Counted from 1 in a run, over all steps. */
    readonly id: number,
    readonly step: string,
    readonly event: RoutedEvent,
  ) {
    this.type = event.type
  }
}

/** A copy, of whose children there are pictures. */
export function copyExecution(execution: Execution): Execution {
  const { id, step, event, children } = execution
  const copy = Object.assign(new Execution(id, step, event), execution)
  if (children !== undefined) {
    copy.children = new Map(
      Array.from(children, ([name, child]) => [
        name,
        new StillChild(name, child.picture(), child instanceof StillChild ? child.origin : child),
      ]),
    )
  }
  return copy
}
