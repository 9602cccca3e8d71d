import type { AnyActorRef, AnyEventObject } from 'xstate'
import { toStillScope } from './actor-scope.ts'
import { nestedRuns } from './child.ts'
import type { RunPicture, WorkflowMachine, WorkflowMachineSnapshot } from './machine.ts'
import { clearWork, toData } from './run.ts'
import { passTime } from './timers.ts'

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
  const scope = toStillScope(actor)
  let snapshot: WorkflowMachineSnapshot<unknown> = actor.getSnapshot()
  const { run } = snapshot.context
  run.foldedUntil = since
  for (const { child } of nestedRuns(run)) child.run.foldedUntil = since
  for (const { event, at } of facts) {
    if (snapshot.status !== 'active') break
    passTime(snapshot, at)
    snapshot = transition(snapshot, event, scope)
  }
  // As a run does that ends alive.
  if (snapshot.status === 'done') clearWork(run)
  const failed = snapshot.status === 'done' && run.failure !== undefined
  return { status: failed ? 'error' : snapshot.status, value: snapshot.value, data: toData(run) }
}
