import type { Flow, StepActivity } from 'blazen-xstate/machines'

/** What is lit in the picture of a flow, and what has been passed. Plain data: it is kept with the run. */
export interface FlowTrace {
  /** Where the run stands; `idle` where there is none. */
  readonly life: string
  readonly steps: Readonly<Record<string, StepActivity>>
  /** `step event` for each event that a step has returned or sent. */
  readonly passed: readonly string[]
}

export const noTrace: FlowTrace = { life: 'idle', steps: {}, passed: [] }

/** How the events of a workflow lead from step to step, as its machine tells. */
export function flowOf({ machine }: { readonly machine: { readonly config: object } }): Flow {
  return (machine.config as { meta: { flow: Flow } }).meta.flow
}

/** The trace of a run that goes on in another page: nothing is at work any more, and what has settled has. */
export function atRest(trace: FlowTrace): FlowTrace {
  const steps = Object.entries(trace.steps).map(([name, step]) => [name, { ...step, running: 0, waiting: 0 }])
  return { ...trace, steps: Object.fromEntries(steps) }
}
