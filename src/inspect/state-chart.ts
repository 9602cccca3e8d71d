import {
  type ChartState,
  type ChartTransition,
  computeEdges,
  escapePath,
  type Place,
  toKey,
} from '../../machines/index.ts'
import { type FlowSource, flowOf } from './flow-of.ts'

/** A machine's config as plain JSON: what `createMachine` takes, and what Stately's editor opens. */
export type StateChart = ChartState & { readonly id: string; readonly initial: string }

/**
 * The flow of a workflow as a statechart to look at, to edit, or to find paths in: every step is a state, and every event type
 * an edge. It is in one step at a time, and where several accept an event, in the first; the workflow itself is
 * `workflow.machine`.
 *
 * @throws DefinitionError for a workflow that cannot work; BlazenError (`no_flow`) for what is none.
 *
 * @example
 * await writeFile('greeter.json', JSON.stringify(toStateChart(greeter)))
 */
export function toStateChart(source: FlowSource): StateChart {
  const flow = flowOf(source)
  const names = new Set(flow.steps.map(({ name }) => toKey(name)))
  const unique = (name: string): string => (names.has(name) ? unique(`${name}'`) : name)
  const around = { start: unique('Start'), stop: unique('Stop'), person: unique('Person') }
  const keyOf = (place: Place) =>
    typeof place === 'object' ? toKey(place.step) : place === 'outside' ? undefined : around[place]

  const edges = computeEdges(flow)
  const on = (from: string | undefined): Pick<ChartState, 'on'> => {
    const leaving = edges.filter((edge) => keyOf(edge.from) === from)
    if (leaving.length === 0) return {}
    const transitions = new Map<string, ChartTransition[]>()
    for (const { type, to } of leaving) {
      const target = `${from === undefined ? '.' : ''}${escapePath(keyOf(to) ?? '')}`
      transitions.set(type, [...(transitions.get(type) ?? []), { target: [target] }])
    }
    return { on: Object.fromEntries(transitions) }
  }
  const isUsed = (place: Place) => edges.some(({ from, to }) => from === place || to === place)
  const states: [string, ChartState][] = [
    [around.start, on(around.start)],
    ...flow.steps.map(({ name }): [string, ChartState] => [toKey(name), on(toKey(name))]),
    ...(isUsed('person') ? [[around.person, on(around.person)] as [string, ChartState]] : []),
    ...(isUsed('stop') ? [[around.stop, { type: 'final' }] as [string, ChartState]] : []),
  ]
  return { id: flow.name, initial: around.start, ...on(undefined), states: Object.fromEntries(states) }
}
