import type { Flow } from 'blazen-xstate/machines'
import { useId, useMemo } from 'react'
import { layOut, type PlacedNode } from './flow-layout.ts'
import type { FlowTrace } from './flow-trace.ts'

interface Props {
  readonly flow: Flow
  readonly trace: FlowTrace
  /** How many questions have no answer. */
  readonly questions: number
}

/** The flow of a workflow, from top to bottom: what is at work is lit, and what was passed is drawn stronger. */
export function FlowPicture({ flow, trace, questions }: Props) {
  const layout = useMemo(() => layOut(flow), [flow])
  const id = useId()
  const passed = new Set(trace.passed)
  const begun = layout.edges.flatMap(({ from, to }) =>
    from === 'person' ? [trace.steps[to.replace(/^step:/, '')]] : [],
  )
  const isAnswered = begun.some((step) => step !== undefined && step.settled + step.running > 0)
  const shown = layout.nodes.map((node) => ({ node, ...stateOf(node, trace, questions, isAnswered) }))
  const lit = new Set(shown.filter(({ state }) => state === 'lit').map(({ node }) => node.id))
  const names = shown.filter(({ state }) => state === 'lit').map(({ node }) => nameOf(node))

  return (
    <svg
      className="flow"
      viewBox={`0 0 ${layout.width} ${layout.height}`}
      style={{ maxWidth: layout.width * 1.15 }}
      role="img"
      aria-label={`The flow. ${names.length === 0 ? 'Nothing is at work.' : `At work: ${names.join(', ')}.`}`}
    >
      <defs>
        {['plain', 'passed', 'live'].map((kind) => (
          <marker
            key={kind}
            id={`${id}-${kind}`}
            className={`tip ${kind}`}
            {...{ viewBox: '0 0 8 8', refX: 7, refY: 4, markerWidth: 8, markerHeight: 8 }}
            {...{ orient: 'auto', markerUnits: 'userSpaceOnUse' }}
          >
            <path d="M0 0.5 7.5 4 0 7.5z" />
          </marker>
        ))}
      </defs>
      {layout.edges.map((edge) => {
        const isTold = passed.has(`${edge.from.replace(/^step:/, '')} ${edge.type}`)
        const isPassed =
          isTold || (edge.from === 'person' ? isAnswered : edge.from === 'start' && trace.life !== 'idle')
        const kind = isPassed && lit.has(edge.to) ? 'live' : isPassed ? 'passed' : 'plain'
        return <path key={edge.id} className={`edge ${kind}`} d={edge.path} markerEnd={`url(#${id}-${kind})`} />
      })}
      {layout.edges.map(({ id: key, label: { text, x, y } }) => (
        <text key={key} className="edge-label" x={x} y={y}>
          {text}
        </text>
      ))}
      {shown.map(({ node, state, note }) => (
        <g key={node.id} className={`node ${state} ${typeof node.place === 'object' ? 'step' : node.place}`}>
          <rect
            {...{ x: node.x - node.width / 2, y: node.y - node.height / 2, width: node.width, height: node.height }}
            rx={typeof node.place === 'object' ? 9 : node.height / 2}
          />
          {typeof node.place === 'object' && (trace.steps[node.place.step]?.settled ?? 0) > 0 && (
            // Drawn anew each time the step settles: what takes no time lights up for a moment too.
            <rect
              key={trace.steps[node.place.step]?.settled}
              className="flash"
              {...{ x: node.x - node.width / 2, y: node.y - node.height / 2, width: node.width, height: node.height }}
              rx={9}
            />
          )}
          <text className="name" x={node.x} y={note === '' ? node.y + 4.5 : node.y - 3}>
            {nameOf(node)}
          </text>
          {note !== '' && (
            <text className="note" x={node.x} y={node.y + 12}>
              {note}
            </text>
          )}
        </g>
      ))}
    </svg>
  )
}

interface NodeState {
  readonly state: 'plain' | 'lit' | 'passed'
  readonly note: string
}

function stateOf({ place }: PlacedNode, { life, steps }: FlowTrace, questions: number, isAnswered: boolean): NodeState {
  if (typeof place === 'object') {
    const { running = 0, waiting = 0, settled = 0 } = steps[place.step] ?? {}
    if (running > 0) return { state: 'lit', note: `${running} at work${waiting > 0 ? `, ${waiting} wait` : ''}` }
    return settled > 0 ? { state: 'passed', note: `${settled} done` } : { state: 'plain', note: '' }
  }
  if (place === 'person' && questions > 0) return { state: 'lit', note: `${questions} to answer` }
  const isPassed = { person: isAnswered, stop: life === 'completed', start: life !== 'idle', outside: life !== 'idle' }
  return { state: isPassed[place] ? 'passed' : 'plain', note: '' }
}

function nameOf({ place }: PlacedNode): string {
  if (typeof place === 'object') return place.step
  return { start: 'Start', stop: 'Stop', person: 'You', outside: 'Outside' }[place]
}
