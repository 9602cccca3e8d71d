/**
 * Shows runs to the Stately inspector or to a function, and draws workflows.
 *
 * @module blazen-xstate/inspect
 */
export type { FlowSource } from './flow-of.ts'
export { type Inspectable, type Inspection, type InspectOptions, inspect } from './inspect.ts'
export type { Inspector, StatelyInspector } from './inspector.ts'
export { type MermaidOptions, toMermaid } from './mermaid.ts'
export type * from './message.ts'
export { type Redactor, redactSecrets } from './redact.ts'
export { type StateChart, toStateChart } from './state-chart.ts'
