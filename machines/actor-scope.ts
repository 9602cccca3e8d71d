import type { AnyActorRef, AnyActorScope, EventObject } from 'xstate'

/** A clock of an actor system. Simulated clocks also tell the time. */
export interface Clock {
  setTimeout(fn: () => void, delayMs: number): unknown
  clearTimeout(timer: unknown): void
  now?(): number
}

interface Relaying {
  readonly _clock: Clock
  _relay(source: AnyActorRef | undefined, target: AnyActorRef, event: EventObject): void
}

/** XState gives its own logic `_relay`, which names the sender to inspectors, but leaves it out of the public types. */
function internals(system: AnyActorRef['system']): Relaying {
  return system as unknown as Relaying
}

/** Sends `event` to `target` in the name of the actor that `scope` belongs to, so that inspectors draw the arrow. */
export function relay(scope: AnyActorScope, target: AnyActorRef, event: EventObject): void {
  internals(scope.system)._relay(scope.self, target, event)
}

/** The clock that an actor's system runs on. */
export function clockOf(actor: Pick<AnyActorRef, 'system'>): Clock {
  return internals(actor.system)._clock
}

/** Milliseconds since the epoch, on the system's clock where it can tell the time. */
export function now(clock: Clock): number {
  return clock.now?.() ?? Date.now()
}
