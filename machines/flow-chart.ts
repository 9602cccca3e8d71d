import type { StateValue } from 'xstate'
import { requestType, responseType, startType, stopType } from './execution.ts'

/** A step, as a chart needs to know it. */
export interface FlowStep {
  readonly name: string
  readonly accepts: readonly string[]
  /** What it returns and sends; `undefined` where its author has left that out. */
  readonly emits: readonly string[] | undefined
}

/** How the events of a workflow lead from step to step: what stands in `machine.config.meta.flow`. */
export interface Flow {
  readonly name: string
  readonly steps: readonly FlowStep[]
}

/** A type that a step was seen to return or send in some run. */
export interface SeenEdge {
  readonly step: string
  readonly type: string
}

/** Where an edge begins or ends: a step, by its name, or what is around the steps. */
export type Place = { readonly step: string } | 'start' | 'stop' | 'person' | 'outside'

/** One event type on its way from one place to another. */
export interface FlowEdge {
  readonly from: Place
  readonly type: string
  readonly to: Place
  /** Whether the step says so itself; otherwise it was only seen, or nobody knows where the event comes from. */
  readonly isDeclared: boolean
}

/** What a step has under way, and what it has done. */
export interface StepActivity {
  readonly running: number
  /** Executions that wait for a place. */
  readonly waiting: number
  readonly settled: number
}

/** A state of a chart, as plain JSON that `createMachine` takes. */
export interface ChartState {
  readonly id?: string
  readonly type?: 'parallel' | 'final'
  readonly description?: string
  readonly initial?: string
  readonly states?: Record<string, ChartState>
  readonly on?: Record<string, ChartTransition | ChartTransition[]>
}

/** Where an event leads. */
export interface ChartTransition {
  readonly target: string[]
  readonly description?: string
}

/** Every way that an event can take, in the order of the steps. */
export function computeEdges({ steps }: Flow, seen: Iterable<SeenEdge> = []): FlowEdge[] {
  const seenTypes = new Map<string, Set<string>>()
  for (const { step, type } of seen) seenTypes.set(step, (seenTypes.get(step) ?? new Set()).add(type))
  const acceptors = (type: string): Place[] =>
    steps.filter(({ accepts }) => accepts.includes(type)).map(({ name }) => ({ step: name }))
  const destinations = (type: string): Place[] => {
    if (type === stopType) return ['stop']
    return type === requestType ? ['person'] : acceptors(type)
  }

  const edges: FlowEdge[] = acceptors(startType).map((to) => ({ from: 'start', type: startType, to, isDeclared: true }))
  const emitted = new Set([startType, responseType])
  for (const { name, emits = [] } of steps) {
    for (const type of new Set([...emits, ...(seenTypes.get(name) ?? [])])) {
      emitted.add(type)
      for (const to of destinations(type))
        edges.push({ from: { step: name }, type, to, isDeclared: emits.includes(type) })
    }
  }
  for (const to of acceptors(responseType)) edges.push({ from: 'person', type: responseType, to, isDeclared: true })
  // Where every step says what it emits, the rest comes from outside; else it may come from a step that does not say.
  const isWhole = steps.every(({ emits }) => emits !== undefined)
  for (const type of new Set(steps.flatMap(({ accepts }) => accepts))) {
    if (emitted.has(type)) continue
    for (const to of acceptors(type)) edges.push({ from: 'outside', type, to, isDeclared: isWhole })
  }
  return edges
}

const endings = ['completed', 'failed', 'aborted']

/**
 * A workflow's flow as a statechart, in which every step is a state of its own, `idle` or `running`, every event type
 * is an edge, and one more region tells where the run stands. It shows what `computeFlowState` gives; it runs nothing.
 */
export function toFlowChart(flow: Flow, seen: Iterable<SeenEdge> = []): ChartState & { readonly id: string } {
  const edges = computeEdges(flow, seen)
  const region: Record<string, ChartState> = { running: {}, waiting: { id: 'run:waiting' }, pausing: {}, paused: {} }
  for (const ending of endings) region[ending] = { id: `run:${ending}`, type: 'final' }
  const steps = flow.steps.map(({ name }): [string, ChartState] => {
    const on = toTransitions(edges.filter(({ from }) => typeof from === 'object' && from.step === name))
    const running = { id: `step:${name}`, on: { 'blazen.settled': { target: ['idle'] }, ...on } }
    return [toKey(name), { initial: 'idle', states: { idle: {}, running } }]
  })
  return {
    id: flow.name,
    type: 'parallel',
    on: toTransitions(edges.filter(({ from }) => typeof from === 'string')),
    states: Object.fromEntries([...steps, [runKey(flow), { initial: 'running', states: region }]]),
  }
}

/** Which states of `toFlowChart` are lit. */
export function computeFlowState(
  flow: Flow,
  /** Where the run stands. */
  life: string,
  activity: ReadonlyMap<string, StepActivity>,
): { value: StateValue; context: Record<string, StepActivity> } {
  const value: Record<string, string> = {}
  const context: Record<string, StepActivity> = {}
  for (const { name } of flow.steps) {
    const step = activity.get(name) ?? { running: 0, waiting: 0, settled: 0 }
    value[toKey(name)] = step.running > 0 ? 'running' : 'idle'
    context[name] = step
  }
  value[runKey(flow)] = life
  return { value, context }
}

function toTransitions(edges: readonly FlowEdge[]): Record<string, ChartTransition> {
  const on = new Map<string, ChartTransition>()
  for (const { type, to, isDeclared } of edges) {
    const target = [...(on.get(type)?.target ?? []), toTarget(to)]
    on.set(type, isDeclared ? { target } : { target, description: 'seen, not declared' })
  }
  return Object.fromEntries(on)
}

function toTarget(place: Place): string {
  if (typeof place === 'object') return `#${escapePath(`step:${place.step}`)}`
  return place === 'stop' ? '#run:completed' : '#run:waiting'
}

/** XState reads a dot in a target as the way to an inner state. */
export function escapePath(name: string): string {
  return name.replace(/[\\.]/g, '\\$&')
}

/** XState reads a dot in the key of a state as a way, and `#` before it as an id. */
export function toKey(name: string): string {
  return name.replaceAll('.', '·').replace(/^#/, '＃')
}

function runKey({ steps }: Flow): string {
  let key = 'the run'
  while (steps.some(({ name }) => toKey(name) === key)) key += "'"
  return key
}
