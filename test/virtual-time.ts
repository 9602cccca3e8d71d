import type { WorkflowMachine } from 'blazen-xstate/machines'
import { type ActorRefFrom, createActor, SimulatedClock, toPromise } from 'xstate'
import { turns } from './waiting.ts'

/** A run whose time passes only when the test says so. */
export interface VirtualRun<Output> {
  readonly actor: ActorRefFrom<WorkflowMachine<unknown, Output>>
  readonly result: Promise<Output>
  /** Lets all promises settle, then time pass, then all promises that this freed settle. */
  pass(ms: number): Promise<void>
  /** The delays of the timers that are armed, in the order in which they were armed. */
  readonly armed: readonly number[]
}

export function runOnVirtualTime<Input, Output>(
  workflow: { readonly machine: WorkflowMachine<Input, Output> },
  input?: Input,
): VirtualRun<Output> {
  const clock = new SimulatedClock()
  const timers = new Map<unknown, number>()
  const actor = createActor(workflow.machine as WorkflowMachine<unknown, Output>, {
    input,
    clock: {
      setTimeout(fn: () => void, delayMs: number) {
        const timer = clock.setTimeout(() => {
          timers.delete(timer)
          fn()
        }, delayMs)
        timers.set(timer, delayMs)
        return timer
      },
      clearTimeout(timer: number) {
        timers.delete(timer)
        clock.clearTimeout(timer)
      },
      now: () => clock.now(),
    } as SimulatedClock,
  })
  const result = toPromise(actor)
  result.catch(() => {})
  actor.start()
  return {
    actor,
    result,
    pass: async (ms) => {
      await turns()
      clock.increment(ms)
      await turns()
    },
    get armed() {
      return [...timers.values()]
    },
  }
}
