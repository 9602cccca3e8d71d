/**
 * A hook for each thing that a component wants of a run.
 *
 * @module blazen-xstate/react
 */
export type { RunView } from './run-view.ts'
export { usePendingInputs } from './use-pending-inputs.ts'
export { useRun } from './use-run.ts'
export { type ReadableState, useRunState } from './use-run-state.ts'
export { type RunStreamOptions, useRunStream } from './use-run-stream.ts'
export { type UseWorkflowOptions, useWorkflow, type WorkflowRun } from './use-workflow.ts'
