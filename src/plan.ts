import type { StepConfig } from '../machines/index.ts'
import { SnapshotError } from './errors.ts'

/** How a workflow routes. It is kept with every base, so that the records behind one are folded as they were written. */
export interface Plan {
  /** Each step with the event types that it accepts, in the order of their definition, which is that of executions. */
  readonly routes: readonly (readonly [step: string, ...types: string[]])[]
  /** Whether a run in which nothing is left to do waits. */
  readonly idle?: 'wait'
}

export function toPlan(steps: readonly StepConfig[], idle: 'fail' | 'wait'): Plan {
  const routes = steps.map(({ name, accepts }) => [name, ...accepts] as const)
  return idle === 'wait' ? { routes, idle } : { routes }
}

/** The plan that a base was written with; `undefined` for one of before there were plans. @throws SnapshotError */
export function readPlan({ routes, idle }: { readonly [Key in keyof Plan]?: unknown }): Plan | undefined {
  if (routes === undefined) return undefined
  const isRoute = (route: unknown) =>
    Array.isArray(route) && route.length > 0 && route.every((name) => typeof name === 'string')
  if (!Array.isArray(routes) || !routes.every(isRoute))
    throw new SnapshotError(
      'The base of the run is damaged at routes: expected lists of a step and its types.',
      'routes',
    )
  return idle === 'wait' ? { routes, idle } : { routes }
}

export function isSamePlan(one: Plan, other: Plan): boolean {
  return one === other || JSON.stringify(one) === JSON.stringify(other)
}

/** Steps that are routed to and never called, for a fold. */
export function toFoldedSteps({ routes }: Plan, steps: readonly StepConfig[]): StepConfig[] {
  const children = new Map(steps.map(({ name, child }) => [name, child]))
  return routes.map(([name, ...accepts]) => ({
    ...{ name, accepts, concurrency: Number.POSITIVE_INFINITY, timeoutMs: undefined, retry: undefined },
    child: children.get(name),
    ...{ invoke: never, toEvents: never, save: never, toFailure: never, timedOut: never, stopReason: never },
  }))
}

function never(): never {
  throw new TypeError('A step of a run that is only folded was called.')
}
