import type { ActorLogic, AnyActorRef, AnyActorScope, EventObject, Snapshot } from 'xstate'
import { Activity, type StepConfig } from './activity.ts'
import { Execution } from './execution.ts'
import type { Paused } from './record.ts'
import type { Run } from './run.ts'

/** What the actor of a step shows of itself. `activity` belongs to this process and changes in place. */
export type StepSnapshot = Snapshot<undefined> & { readonly activity: Activity | undefined }

/** The logic of a step's actor. */
export type StepLogic = ActorLogic<StepSnapshot, EventObject, unknown>

/**
 * The actor of one step, for the whole run: a sibling of `fromPromise` that calls its function for every event it is
 * sent, many at a time. It owns what belongs to this process; what is open, and at which attempt, is written down in
 * the run, to which it reports each execution in one event. So there is nothing of it to persist: a restored run
 * sends its open executions again.
 */
export function createStepLogic(step: StepConfig): StepLogic {
  const idle: StepSnapshot = { status: 'active', output: undefined, error: undefined, activity: undefined }
  return {
    config: step.invoke,
    getInitialSnapshot: () => idle,
    restoreSnapshot: () => idle,
    getPersistedSnapshot: ({ activity: _, ...persisted }) => persisted as Snapshot<unknown>,
    transition: (snapshot, event, scope) => {
      if (event instanceof Execution) {
        const active = snapshot.activity === undefined ? activate(step, snapshot, scope) : snapshot
        active.activity?.add(event)
        return active
      }
      switch (event.type) {
        case 'blazen.pause':
          snapshot.activity?.hold((event as Paused).inFlight)
          return snapshot
        case 'blazen.resume':
          snapshot.activity?.release()
          return snapshot
        case 'blazen.prepared':
          snapshot.activity?.wake()
          return snapshot
        case 'xstate.stop':
          snapshot.activity?.stop()
          return { ...snapshot, status: 'stopped' } as StepSnapshot
        default:
          return snapshot
      }
    },
  }
}

/** A step that is never reached costs nothing but its actor. */
function activate(step: StepConfig, snapshot: StepSnapshot, scope: AnyActorScope): StepSnapshot {
  const parent = scope.self._parent as AnyActorRef
  const run: Run = parent.getSnapshot().context.run
  return { ...snapshot, activity: new Activity(step, scope, parent, run) }
}
