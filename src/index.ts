/**
 * Workflows, runs and hosts, for any runtime: the main entry.
 *
 * @module blazen-xstate
 */
export type { Clock } from '../machines/index.ts'
export { BlazenState, type StateMeta } from './blazen-state.ts'
export { type Class, type ClassCodec, classCodec, registerClass } from './class-codec.ts'
export { CodecError, type CodecErrorCode } from './codec-error.ts'
export { BranchesFailedError, StageError } from './composition-errors.ts'
export type { SendOptions, SessionNamespace, StepContext } from './context.ts'
export type { RetryOptions, Step, StepOptions, WorkflowOptions } from './definition.ts'
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
export { CallbackFieldStore, type FieldContext, type FieldStore } from './field-store.ts'
export type { ForkOptions } from './fork.ts'
export type { PauseOptions, RunStatus, WorkflowHandler } from './handler.ts'
export type { HistoryRecord } from './history.ts'
export { createHost, type Host, type HostOptions, type HostRunOptions } from './host.ts'
export type { OnInput } from './live-run.ts'
export { type MemoryStoreOptions, memoryStore } from './memory-store.ts'
export type { Migration, SnapshotDraft } from './migration.ts'
export type { Namespace } from './namespace.ts'
export {
  type BranchOptions,
  type LoopOptions,
  type MappedOptions,
  type ParallelOptions,
  type ParallelResult,
  Pipeline,
  type PipelineOptions,
  pipeline,
  type StageOptions,
} from './pipeline.ts'
export type { RecordKind } from './record-codec.ts'
export { type Resource, type ResourceContext, resource } from './resource.ts'
export type { RunHandle } from './run-handle.ts'
export { type Issue, type Schema, typeOnly } from './schema.ts'
export type { SeenProperties, SeenState } from './seen-state.ts'
export type { SessionPausePolicy } from './session.ts'
export type { WorkflowSnapshot } from './snapshot.ts'
export type { StageView } from './stage.ts'
export type { StageStatus } from './stage-record.ts'
export type { StageState } from './stage-status.ts'
export type { Frozen, Recipe, StateNamespace, StateProperties } from './state.ts'
export { type StepReturn, step } from './step.ts'
export type * from './store.ts'
export type { RunStream, StreamGap, StreamOptions } from './stream.ts'
export { type Branches, type SubInput, type SubResult, type SubWorkflowOptions, subWorkflow } from './sub-workflow.ts'
export {
  type ProgressData,
  ProgressEvent,
  type RunUsage,
  type Usage,
  type UsageData,
  UsageEvent,
} from './telemetry.ts'
export { type AnyWorkflow, type RunOptions, type Workflow, workflow } from './workflow.ts'
