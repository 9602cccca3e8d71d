import type { AnyEventObject } from 'xstate'
import {
  type Answered,
  childrenOf,
  type InputRequest,
  type RoutedEvent,
  type Run,
  responseType,
  toLabel,
} from '../machines/index.ts'
import { InputRequestError } from './errors.ts'
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
  const open: OpenRequest[] = []
  gather(run, '', [], open)
  return open
}

/** Asked for with every fact: so what asks nothing costs a look, and no more. */
function gather(run: Run, prefix: string, way: readonly Hop[], open: OpenRequest[]): void {
  for (const request of run.requests.values()) open.push({ id: prefix + request.requestId, request, run, way })
  if (run.nesting === 0) return
  for (const execution of run.open.values()) {
    for (const child of childrenOf(execution)) {
      const { run: inside, name } = child
      if (inside.requests.size === 0 && inside.nesting === 0) continue
      const hop: Hop = [execution.id, execution.step, name]
      gather(inside, `${prefix}${toLabel(execution, name)}/`, [...way, hop], open)
    }
  }
}

type TellableRequest = InputRequest & InputRequestEvent

/** By the request as it was asked: so what has not changed is the same object whenever somebody looks. */
const told = new WeakMap<InputRequest, TellableRequest>()

/** The questions as the outermost run tells of them: those of runs inside with the way there. */
export function pendingInputs(run: Run): TellableRequest[] {
  return openRequests(run).map(({ id, request, way }) => {
    const asked = request as TellableRequest
    if (way.length === 0) return asked
    const before = told.get(request)
    if (before?.requestId === id) return before
    const shown = { ...asked, requestId: id, path: toPath(way) }
    told.set(request, shown)
    return shown
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

/** The error of an answer to a request that is not open. */
export function notOpen(run: Run, requestId: string): InputRequestError {
  const open = requestIds(run).map((id) => `"${id}"`)
  return new InputRequestError(
    `Run ${run.id} has no open request "${requestId}": it was never asked, or it is answered. Open are: ${open.join(', ') || 'none'}.`,
    requestId,
  )
}
