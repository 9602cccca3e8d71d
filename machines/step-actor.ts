import type { AnyActorRef, AnyActorScope, EventObject, Observer, Snapshot, Subscription } from 'xstate'
import { internalsOf } from './actor-scope.ts'
import type { StepLogic, StepSnapshot } from './step-logic.ts'

/**
 * The actor of a step: to its parent, its system and inspectors it is what `createActor` makes of the same logic, at a
 * fraction of the time and memory. A run has one for each step, so they are most of what a run costs to start. Left out
 * is what the logic of a step has no use for: a mailbox (it takes an event in one go and never sends to itself),
 * deferred effects, emitted events.
 */
class StepActor {
  readonly sessionId: string
  readonly src: string
  readonly system: AnyActorRef['system']
  #snapshot: StepSnapshot
  #observers: Set<Observer<StepSnapshot>> | undefined

  constructor(
    readonly logic: StepLogic,
    readonly id: string,
    readonly _parent: AnyActorRef,
  ) {
    this.src = id
    this.system = _parent.system
    this.sessionId = internalsOf(this.system)._bookId()
    this.#snapshot = logic.getInitialSnapshot(this.#scope, undefined)
    internalsOf(this.system)._sendInspectionEvent({ type: '@xstate.actor', actorRef: this.ref })
  }

  /** Itself, as XState knows its actors; the class has all of it that is used of a child. */
  get ref(): AnyActorRef {
    return this as unknown as AnyActorRef
  }

  start(): void {
    // Stopped and started again, as @xstate/react does with actors in StrictMode, it begins anew; so does its run.
    if (this.#snapshot.status !== 'active') this.#snapshot = this.logic.getInitialSnapshot(this.#scope, undefined)
    internalsOf(this.system)._register(this.sessionId, this.ref)
    this.#inspect({ type: 'xstate.init' })
  }

  /** Takes an event that the system delivers. */
  _send(event: EventObject): void {
    if (this.#snapshot.status !== 'active') return
    this.#snapshot = this.logic.transition(this.#snapshot, event, this.#scope)
    this.#inspect(event)
    this.#tell((observer) => observer.next?.(this.#snapshot))
  }

  /** As the run stops it. */
  _stop(): void {
    this._send({ type: 'xstate.stop' })
    internalsOf(this.system)._unregister(this.ref)
    this.#tell((observer) => observer.complete?.())
    this.#observers = undefined
  }

  send(event: EventObject): void {
    internalsOf(this.system)._relay(undefined, this.ref, event)
  }

  getSnapshot(): StepSnapshot {
    return this.#snapshot
  }

  getPersistedSnapshot(): Snapshot<unknown> {
    return this.logic.getPersistedSnapshot(this.#snapshot)
  }

  subscribe(next: Observer<StepSnapshot> | ((snapshot: StepSnapshot) => void)): Subscription {
    const observer = typeof next === 'function' ? { next } : next
    if (this.#snapshot.status !== 'active') observer.complete?.()
    this.#observers ??= new Set()
    this.#observers.add(observer)
    return { unsubscribe: () => this.#observers?.delete(observer) }
  }

  /** What a step writes to the stream, the actor of the run emits. */
  on(): Subscription {
    return { unsubscribe: () => {} }
  }

  /** What an observer throws is the process's business, as XState has it, and not the run's. */
  #tell(how: (observer: Observer<StepSnapshot>) => void): void {
    if (this.#observers === undefined) return
    for (const observer of this.#observers) {
      try {
        how(observer)
      } catch (error) {
        setTimeout(() => {
          throw error
        })
      }
    }
  }

  /** Of a scope, the logic of a step uses the actor and its system. */
  get #scope(): AnyActorScope {
    return { self: this.ref, system: this.system } as AnyActorScope
  }

  #inspect(event: EventObject): void {
    internalsOf(this.system)._sendInspectionEvent({
      type: '@xstate.snapshot',
      actorRef: this.ref,
      event,
      snapshot: this.#snapshot,
    })
  }
}

/** The actor of the step `name`, a child of `parent`. */
export function createStepActor(logic: StepLogic, name: string, parent: AnyActorRef): AnyActorRef {
  return new StepActor(logic, name, parent).ref
}
