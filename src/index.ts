export type { StepContext } from './context.ts'
export type { OnInput, RetryOptions, Step, StepOptions, WorkflowOptions } from './definition.ts'
export type { Duration } from './duration.ts'
export * from './errors.ts'
export {
  type AnyEvent,
  type AnyEventType,
  defineEvent,
  type EventOf,
  type EventType,
  type InputRequestData,
  InputRequestEvent,
  InputResponseEvent,
  StartEvent,
  StopEvent,
  type WorkflowEvent,
} from './event.ts'
export type { RunStatus, WorkflowHandler } from './handler.ts'
export type { Namespace } from './namespace.ts'
export { type Schema, typeOnly } from './schema.ts'
export { type StepReturn, step } from './step.ts'
export type { RunStream, StreamGap, StreamOptions } from './stream.ts'
export { type AnyWorkflow, type RunOptions, type Workflow, workflow } from './workflow.ts'
