import { computeEdges, type FlowEdge, type Place } from '../../machines/index.ts'
import type { HistoryRecord } from '../history.ts'
import { type FlowSource, flowOf } from './flow-of.ts'
import { computeTally, type StepTally, type Tally } from './tally.ts'

/** What `toMermaid` draws beside the flow, and how. */
export interface MermaidOptions {
  /** The records of a run, of `handler.history()` or `host.history(runId)`: how often, how long, and what failed is drawn too. */
  readonly history?: readonly HistoryRecord[]
  /** Where the arrows lead: down, or to the right. @default 'TD' */
  readonly direction?: 'TD' | 'LR'
}

/**
 * A workflow as the text of a Mermaid flowchart: its steps, and event types on the arrows between them. Dashed arrows
 * are not declared by `emits`.
 *
 * @throws DefinitionError for a workflow that cannot work; BlazenError (`no_flow`) for what is none.
 *
 * @example
 * console.log(toMermaid(greeter))
 * console.log(toMermaid(greeter, { history: await handler.history() }))
 */
export function toMermaid(source: FlowSource, { history, direction = 'TD' }: MermaidOptions = {}): string {
  const flow = flowOf(source)
  const tally = history === undefined ? undefined : computeTally(history)
  const edges = computeEdges(flow, tally?.seen)
  // Names are no ids of Mermaid, which has reserved words.
  const ids = new Map(flow.steps.map(({ name }, at) => [name, `step${at + 1}`]))
  const idOf = (place: Place) => (typeof place === 'object' ? (ids.get(place.step) ?? '') : `at_${place}`)
  const isUsed = (place: Place) => edges.some(({ from, to }) => from === place || to === place)

  const around: [place: Place, shape: string][] = [
    ['start', '(["Start"])'],
    ['outside', '(["from outside"])'],
    ['person', '[/"a person"/]'],
    ['stop', '(["Stop"])'],
  ]
  const nodes = flow.steps.map(({ name }) => `${idOf({ step: name })}["${toStepLabel(name, tally)}"]`)
  const failed = flow.steps.filter(({ name }) => tally?.steps.get(name)?.hasFailed)
  return [
    `flowchart ${direction}`,
    ...around.filter(([place]) => isUsed(place)).map(([place, shape]) => `  ${idOf(place)}${shape}`),
    ...nodes.map((node) => `  ${node}`),
    ...edges.map((edge) => {
      const arrow = edge.isDeclared ? '-->' : '-.->'
      return `  ${idOf(edge.from)} ${arrow}|"${toEdgeLabel(edge, tally)}"| ${idOf(edge.to)}`
    }),
    ...(failed.length === 0 ? [] : ['  classDef failed stroke:#c00,stroke-width:3px']),
    ...failed.map(({ name }) => `  class ${idOf({ step: name })} failed`),
  ].join('\n')
}

function toStepLabel(name: string, tally: Tally | undefined): string {
  const label = escapeLabel(name)
  if (tally === undefined) return label
  const step = tally.steps.get(name)
  return step === undefined ? `${label}<br/>not run` : `${label}<br/>${describe(step)}`
}

function describe({ settled, retried, totalMs, hasFailed }: StepTally): string {
  return [
    `${settled} ×, ${Math.round(totalMs)} ms`,
    ...(retried > 0 ? [`${retried} retried`] : []),
    ...(hasFailed ? ['failed'] : []),
  ].join(', ')
}

function toEdgeLabel({ from, type }: FlowEdge, tally: Tally | undefined): string {
  const label = escapeLabel(type.replace(/^blazen::/, ''))
  const count = typeof from === 'object' ? tally?.countOf(from.step, type) : undefined
  return count === undefined ? label : `${label} × ${count}`
}

/** Any text as a label: what Mermaid, Markdown or HTML could read something into is written as its number. */
function escapeLabel(text: string): string {
  const escaped = text.replace(/[^\p{L}\p{N}\p{M} _:,/()-]|^[-\d]/gu, (sign) => `#${sign.codePointAt(0)};`)
  return escaped.trim() === '' ? '#160;' : escaped
}
