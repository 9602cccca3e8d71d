export { type CrashOptions, type CrashReport, crashAtEveryRecord } from './crash.ts'
export { type StoreConformanceCase, type StoreConformanceOptions, storeConformance } from './store-conformance.ts'
