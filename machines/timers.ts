import type { AnyActorRef } from 'xstate'
import { clockOf, now } from './actor-scope.ts'
import type { WorkflowMachineSnapshot } from './machine.ts'
import type { Fired } from './record.ts'
import { type Run, type Timer, timedOut } from './run.ts'

/**
 * The timers of a run, on the clock of its actor system. XState forgets its timers when an actor is restored; these
 * are part of the run, with the time at which they are due, and are armed whenever it starts to run.
 */
export function arm(actor: AnyActorRef, { id, dueAt }: Timer): void {
  const delayMs = Math.max(0, dueAt - now(clockOf(actor)))
  // A timer further off than JavaScript can count is looked at again on the way.
  const fired: Fired = { type: 'blazen.fired', timer: id }
  actor.system.scheduler.schedule(actor, actor, fired, Math.min(delayMs, 2 ** 31 - 1), id)
}

/** Arms every timer of a run: when it begins to run, here or again. */
export function armAll(actor: AnyActorRef, run: Run): void {
  for (const timer of [...run.timers.values()].sort((a, b) => a.dueAt - b.dueAt)) arm(actor, timer)
}

export function disarm(actor: AnyActorRef, { id }: Pick<Timer, 'id'>): void {
  actor.system.scheduler.cancel(actor, id)
}

export function disarmAll(actor: AnyActorRef, run: Run): void {
  for (const timer of run.timers.values()) disarm(actor, timer)
}

/** Counts the run's own time down, from now on. */
export function startClock(actor: AnyActorRef, run: Run): void {
  if (run.timeLeftMs === undefined) return
  run.runningSince = now(clockOf(actor))
  actor.system.scheduler.schedule(actor, actor, timedOut(run), Math.max(0, run.timeLeftMs), 'timeout')
}

/** What is left of the run's time at this moment. */
export function timeLeft(actor: AnyActorRef, { timeLeftMs, runningSince }: Run): number | undefined {
  if (timeLeftMs === undefined || runningSince === undefined) return timeLeftMs
  return Math.max(0, timeLeftMs - (now(clockOf(actor)) - runningSince))
}

/** Stands the run's own time still. */
export function stopClock(actor: AnyActorRef, run: Run): void {
  if (run.timeLeftMs === undefined) return
  run.timeLeftMs = timeLeft(actor, run)
  run.runningSince = undefined
  actor.system.scheduler.cancel(actor, 'timeout')
}

/** Counts the own time of a run that is folded down, as far as it was at work, up to `at`. */
export function passTime({ value, context: { run } }: WorkflowMachineSnapshot<unknown>, at: number | undefined): void {
  const { timeLeftMs, foldedUntil } = run
  const isAtWork = value === 'running' || value === 'pausing'
  if (timeLeftMs !== undefined && foldedUntil !== undefined && at !== undefined && isAtWork)
    run.timeLeftMs = timeLeftMs - (at - foldedUntil)
  run.foldedUntil = at
}
