/**
 * The statecharts alone, over plain records.
 *
 * @module blazen-xstate/machines
 */
export { Activity, type StepConfig } from './activity.ts'
export { type Clock, clockOf, now, relay, systemClock } from './actor-scope.ts'
export { Attempt } from './attempt.ts'
export {
  Child,
  ChildJournal,
  type ChildLogic,
  type ChildPlace,
  childrenOf,
  halt,
  type NestedRun,
  nestedRuns,
} from './child.ts'
export { collect } from './collect.ts'
export * from './execution.ts'
export * from './flow-chart.ts'
export type { Fact } from './fold.ts'
export { isFact, type Journal } from './journal.ts'
export * from './machine.ts'
export { computeProgress, type StageRoute, toStageRoutes, toStageType } from './pipeline-machine.ts'
export { wakeSteps } from './preparing.ts'
export * from './record.ts'
export { computeDelay, type RetryPolicy } from './retry.ts'
export * from './run.ts'
export { Change, type Composite, deleted, parts, StateLog, Writes } from './state-log.ts'
export { createStepLogic, type StepLogic, type StepSnapshot } from './step-logic.ts'
export { arm, armAll } from './timers.ts'
export * from './workflow-config.ts'
export { createWorkflowMachine, type WorkflowLogic } from './workflow-machine.ts'
