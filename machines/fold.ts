import type { AnyActorRef, AnyActorScope, AnyEventObject } from 'xstate'
import type { RunPicture, WorkflowMachine, WorkflowMachineSnapshot } from './machine.ts'
import { clearWork, toData } from './run.ts'

/** Something that happened to a run, as it was written down. */
export interface Fact {
  readonly event: AnyEventObject
  /** When, in milliseconds since the epoch. */
  readonly at: number
}

/**
 * Runs the machine's own transitions over what was written down, and does nothing of what they ask for.
 *
 * @param since when the actor's snapshot was taken.
 */
export function fold(
  transition: WorkflowMachine['transition'],
  actor: AnyActorRef,
  facts: Iterable<Fact>,
  since?: number,
): RunPicture {
  const nothing = () => {}
  const { system, id, sessionId } = actor
  const scope: AnyActorScope = {
    ...{ self: actor, system, id, sessionId },
    ...{ defer: nothing, emit: nothing, logger: nothing, stopChild: nothing, actionExecutor: nothing },
  }
  let snapshot: WorkflowMachineSnapshot<unknown> = actor.getSnapshot()
  const { run } = snapshot.context
  let before = since
  for (const { event, at } of facts) {
    if (snapshot.status !== 'active') break
    const atWork = snapshot.value === 'running' || snapshot.value === 'pausing'
    if (run.timeLeftMs !== undefined && before !== undefined && atWork) run.timeLeftMs -= at - before
    before = at
    snapshot = transition(snapshot, event, scope)
  }
  // As a run does that ends alive.
  if (snapshot.status === 'done') clearWork(run)
  const failed = snapshot.status === 'done' && run.failure !== undefined
  return { status: failed ? 'error' : snapshot.status, value: snapshot.value, data: toData(run) }
}
