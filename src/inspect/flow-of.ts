import type { Flow } from '../../machines/index.ts'
import { BlazenError } from '../errors.ts'
import { type AnyWorkflow, compiledOf, Workflow } from '../workflow.ts'

/** What has a flow: a workflow, its machine, or the actor of one of its runs. */
export type FlowSource = AnyWorkflow | object

/** How events lead through a workflow; `undefined` of what is none. @throws DefinitionError */
export function findFlow(source: FlowSource): Flow | undefined {
  const { logic = source } =
    source instanceof Workflow ? { logic: compiledOf(source).machine } : (source as { logic?: unknown })
  const { config } = logic as { config?: { meta?: { flow?: Flow } } }
  return config?.meta?.flow
}

/** @throws DefinitionError; BlazenError (`no_flow`) for what is no workflow. */
export function flowOf(source: FlowSource): Flow {
  const flow = findFlow(source)
  if (flow !== undefined) return flow
  throw new BlazenError(
    'no_flow',
    'A diagram is drawn of a workflow, of its machine, or of the actor of its run. Give it one of these.',
  )
}
