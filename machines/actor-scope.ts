import type { AnyActorRef, AnyActorScope, EventObject, InspectionEvent } from 'xstate'

/** What a run takes its time from: XState's clocks are such. Simulated clocks also tell the time. */
export interface Clock {
  /** Calls `fn` when `delayMs` milliseconds are over; gives the timer. */
  setTimeout(fn: () => void, delayMs: number): unknown
  /** Has the timer not fire. */
  clearTimeout(timer: unknown): void
  /** Milliseconds since the epoch. @default Date.now */
  now?(): number
  /** Told of every run that starts on it: a simulated clock does not go on before its runs have come to rest. */
  began?(run: AnyActorRef): void
}

/** The clock of this machine. */
export const systemClock: Clock = {
  setTimeout: (fn, delayMs) => setTimeout(fn, delayMs),
  clearTimeout: (timer) => clearTimeout(timer as ReturnType<typeof setTimeout>),
}

/** What XState's own actors use of their system, and its public types leave out. */
interface Internals {
  readonly _clock: Clock
  _bookId(): string
  _register(sessionId: string, actor: AnyActorRef): void
  _unregister(actor: AnyActorRef): void
  _sendInspectionEvent(event: DistributiveOmit<InspectionEvent, 'rootId'>): void
  _relay(source: AnyActorRef | undefined, target: AnyActorRef, event: EventObject): void
}

type DistributiveOmit<Union, Key extends PropertyKey> = Union extends unknown ? Omit<Union, Key> : never

/** The one place that reaches behind XState's public types. */
export function internalsOf(system: AnyActorRef['system']): Internals {
  return system as unknown as Internals
}

/** Sends `event` to `target` in the name of the actor that `scope` belongs to, so that inspectors draw the arrow. */
export function relay(scope: Pick<AnyActorScope, 'self' | 'system'>, target: AnyActorRef, event: EventObject): void {
  internalsOf(scope.system)._relay(scope.self, target, event)
}

/** The clock that an actor's system runs on. */
export function clockOf(actor: Pick<AnyActorRef, 'system'>): Clock {
  return internalsOf(actor.system)._clock
}

/** Milliseconds since the epoch, on the system's clock where it can tell the time. */
export function now(clock: Clock): number {
  return clock.now?.() ?? Date.now()
}

/**
 * Keeps XState from throwing the error of this actor globally for want of an observer that takes it; those that do are
 * told. To be called when the actor is about to end.
 */
export function keepErrorLocal(actor: AnyActorRef): void {
  actor.subscribe({ error: () => {} })
  const { observers } = actor as unknown as { readonly observers: Iterable<{ error?: (error: unknown) => void }> }
  for (const observer of observers) observer.error ??= () => {}
}

/** What an inspector throws is the process's business, as with what an observer throws, and not the actors'. */
export function keepInspectionApart(system: AnyActorRef['system']): void {
  const internals = internalsOf(system)
  const inspect = internals._sendInspectionEvent
  internals._sendInspectionEvent = (event) => {
    try {
      inspect(event)
    } catch (error) {
      setTimeout(() => {
        throw error
      })
    }
  }
}

/** A scope in which transitions of an actor do nothing of what they ask for. */
export function toStillScope(actor: AnyActorRef): AnyActorScope {
  const nothing = () => {}
  const { system, id, sessionId } = actor
  return {
    ...{ self: actor, system, id, sessionId },
    ...{ defer: nothing, emit: nothing, logger: nothing, stopChild: nothing, actionExecutor: nothing },
  }
}
