/**
 * Virtual time, mocks, failures, crashes at every record, and what a store has to keep to.
 *
 * @module blazen-xstate/testing
 */
export { type CrashOptions, type CrashReport, crashAtEveryRecord } from './crash.ts'
export { failSteps, type StepFailure, type StepFailures } from './fail-steps.ts'
export { mockSteps, type StepCall, type StepCalls, type StepMocks } from './mock-steps.ts'
export { type StoreConformanceCase, type StoreConformanceOptions, storeConformance } from './store-conformance.ts'
export { type VirtualTime, type VirtualTimeOptions, virtualTime, type WatchedRun } from './virtual-time.ts'
