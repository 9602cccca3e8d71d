import type { AnyActorRef } from 'xstate'
import type { Run } from '../machines/index.ts'
import { Pace } from './pace.ts'

/** Tells those who look on that a run has changed. While nobody does, nothing of the run is listened to. */
export class RunChanges {
  readonly #actor: AnyActorRef
  readonly #run: Run
  readonly #listeners = new Map<symbol, () => void>()
  readonly #pace = new Pace(() => this.#tell())
  #stop: (() => void) | undefined

  constructor(actor: AnyActorRef, run: Run) {
    this.#actor = actor
    this.#run = run
  }

  subscribe(listener: () => void): () => void {
    // A function may be given twice, and is told twice then.
    const key = Symbol()
    this.#listeners.set(key, listener)
    this.#stop ??= this.#watch()
    return () => {
      this.#listeners.delete(key)
      if (this.#listeners.size > 0) return
      this.#stop?.()
      this.#stop = undefined
    }
  }

  #watch(): () => void {
    // Of a run that has ended there is nothing more to tell.
    if (this.#actor.getSnapshot().status !== 'active') return () => {}
    const note = () => this.#pace.note()
    const subscription = this.#actor.subscribe({ next: note, complete: note, error: note })
    const stop = this.#run.state.watch(note)
    return () => {
      subscription.unsubscribe()
      stop()
    }
  }

  /** What a listener throws is the process's business, as XState has it, and not the run's. */
  #tell(): void {
    for (const listener of [...this.#listeners.values()]) {
      try {
        listener()
      } catch (error) {
        queueMicrotask(() => {
          throw error
        })
      }
    }
  }
}
