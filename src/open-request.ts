import type { AnyEventObject } from 'xstate'
import {
  type Answered,
  type InputRequest,
  nestedRuns,
  type RoutedEvent,
  type Run,
  responseType,
  toLabel,
} from '../machines/index.ts'
import type { InputRequestEvent } from './event.ts'
import { type Hop, unwrap, wrap } from './inner-fact.ts'

/** A question that a run, or one inside it, has asked. */
export interface OpenRequest {
  /** Unique in the outermost run: behind the path to the run that asks. */
  readonly id: string
  /** As it was asked. */
  readonly request: InputRequest
  /** The run that asks. */
  readonly run: Run
  /** How to get there. */
  readonly way: readonly Hop[]
}

/** The questions that have no answer yet: of the run itself, then of those inside it. */
export function openRequests(run: Run): OpenRequest[] {
  const own = Array.from(run.requests.values(), (request) => ({ id: request.requestId, request, run, way: [] }))
  if (run.nesting === 0) return own
  const ways = new Map<Run, { readonly prefix: string; readonly way: readonly Hop[] }>([[run, { prefix: '', way: [] }]])
  const below: OpenRequest[] = []
  for (const { parent, execution, child } of nestedRuns(run)) {
    const above = ways.get(parent) ?? { prefix: '', way: [] }
    const prefix = `${above.prefix}${toLabel(execution, child.name)}/`
    const way: readonly Hop[] = [...above.way, [execution.id, execution.step, child.name]]
    ways.set(child.run, { prefix, way })
    for (const request of child.run.requests.values())
      below.push({ id: prefix + request.requestId, request, run: child.run, way })
  }
  return [...own, ...below]
}

/** The questions as the outermost run tells of them: those of runs inside with the way there. */
export function pendingInputs(run: Run): (InputRequest & InputRequestEvent)[] {
  return openRequests(run).map(({ id, request, way }) => {
    const asked = request as InputRequest & InputRequestEvent
    return way.length === 0 ? asked : { ...asked, requestId: id, path: toPath(way) }
  })
}

/** The steps, and branches, that a way leads through. */
export function toPath(way: readonly Hop[]): string[] {
  return way.flatMap(([, step, name]) => (name === '' ? [step] : [step, name]))
}

/** The fact that somebody has answered, as the outermost run takes it. */
export function toAnswered(way: readonly Hop[], requestId: string, response: unknown): AnyEventObject {
  const answered: Answered = {
    type: 'blazen.answered',
    requestId,
    response: { type: responseType, requestId, response } as RoutedEvent,
  }
  return wrap(way, answered)
}

export function requestIds(run: Run): string[] {
  return run.nesting === 0 ? [...run.requests.keys()] : openRequests(run).map(({ id }) => id)
}

export function findRequest(run: Run, id: string): OpenRequest | undefined {
  const request = run.requests.get(id)
  if (request !== undefined) return { id, request, run, way: [] }
  return run.nesting === 0 ? undefined : openRequests(run).find((open) => open.id === id)
}

/** The id of the request that a fact answers, as the outermost run knows it. */
export function answeredIn(run: Run, fact: AnyEventObject): string | undefined {
  if (fact.type === 'blazen.answered') return (fact as Answered).requestId
  if (fact.type !== 'blazen.child') return undefined
  const inner = unwrap(run, fact)
  if (inner.fact.type !== 'blazen.answered') return undefined
  const { requestId } = inner.fact as unknown as Answered
  return openRequests(run).find(({ run: asking, request }) => asking === inner.run && request.requestId === requestId)
    ?.id
}
