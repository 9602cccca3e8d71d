export { type CrashOptions, type CrashReport, crashAtEveryRecord } from './crash.ts'
export { type StoreConformanceCase, type StoreConformanceOptions, storeConformance } from './store-conformance.ts'
export { type VirtualTime, type VirtualTimeOptions, virtualTime, type WatchedRun } from './virtual-time.ts'
