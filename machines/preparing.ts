import type { AnyActorRef } from 'xstate'
import { relay } from './actor-scope.ts'
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

/** Has the steps of a run look again whether they may begin what waits. */
export function wakeSteps(self: AnyActorRef): void {
  const { children } = self.getSnapshot()
  for (const child of Object.values<AnyActorRef>(children)) relay({ self, system: self.system }, child, prepared)
}

const prepared = { type: 'blazen.prepared' }
