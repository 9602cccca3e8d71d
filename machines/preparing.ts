import type { AnyActorRef } from 'xstate'
import { relay } from './actor-scope.ts'
import { nestedRuns } from './child.ts'
import { fail } from './record.ts'
import type { Run } from './run.ts'
import type { WorkflowConfig } from './workflow-config.ts'

/**
 * Does what has to be done before any step runs, once, when the run begins to run in this process. Until then,
 * executions wait in the queues of their steps.
 */
export function prepare(self: AnyActorRef, run: Run, config: Pick<WorkflowConfig, 'prepare'>): void {
  if (run.prepared) return
  run.prepared = true
  const preparing = config.prepare(run)
  if (preparing === undefined) return
  run.preparing = true
  preparing.then(
    () => {
      run.preparing = false
      if (self.getSnapshot().status !== 'active') return
      wakeSteps(self)
      if (run.open.size === 0) self.send({ type: 'blazen.check' })
    },
    (error) => {
      if (self.getSnapshot().status === 'active') self.send(fail({ kind: 'error', error }))
    },
  )
}

/** Has the steps of a run, and of those inside it, look again whether they may begin what waits. */
export function wakeSteps(self: AnyActorRef): void {
  const { children, context } = self.getSnapshot()
  for (const { child } of nestedRuns(context.run)) if (!child.hasEnded) wakeSteps(child.actor)
  for (const child of Object.values<AnyActorRef>(children)) relay({ self, system: self.system }, child, prepared)
}

const prepared = { type: 'blazen.prepared' }
