import type { AnyActorRef } from 'xstate'

/**
 * The live references of runs: plain Maps beside the actor system, by run, and gone with it.
 * They are never copied and never part of a snapshot.
 */
const sessions = new WeakMap<AnyActorRef['system'], Map<string, Map<string, unknown>>>()

/** The session of a run, made when it is first asked for. */
export function sessionOf(system: AnyActorRef['system'], runId: string): Map<string, unknown> {
  let runs = sessions.get(system)
  if (runs === undefined) sessions.set(system, (runs = new Map()))
  let session = runs.get(runId)
  if (session === undefined) runs.set(runId, (session = new Map()))
  return session
}

/** Lets go of all that the session holds. */
export function dropSession(system: AnyActorRef['system'], runId: string): void {
  sessions.get(system)?.delete(runId)
}
