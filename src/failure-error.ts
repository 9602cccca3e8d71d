import type { Failure, Run } from '../machines/index.ts'
import {
  InputRequestError,
  RunAbortedError,
  RunTimeoutError,
  StalledError,
  StepFailedError,
  UnhandledEventError,
} from './errors.ts'
import type { Blueprint } from './live-run.ts'

/** The class that tells of a failure. */
export function toError(failure: Failure, { id, collections }: Run, { name, accepted }: Blueprint): unknown {
  switch (failure.kind) {
    case 'step':
      return new StepFailedError(failure.step, failure.event, failure.attempt, failure.cause)
    case 'unhandled':
      return new UnhandledEventError(failure.event, failure.step, accepted)
    case 'runTimeout':
      return new RunTimeoutError(id, failure.timeoutMs)
    case 'aborted':
      return new RunAbortedError(id, failure.reason)
    case 'duplicateRequest':
      return new InputRequestError(
        `The request "${failure.requestId}" is open already. Give each request an id of its own, or leave the id out to have one made.`,
        failure.requestId,
      )
    case 'requestTimeout':
      return new InputRequestError(
        `Nobody answered the request "${failure.request.requestId}" in time. Give it a \`default\`, or a longer \`timeout\`.`,
        failure.request.requestId,
      )
    case 'stalled':
      return new StalledError(
        id,
        name,
        failure.step,
        [...collections].map(([type, { length }]) => `Collected so far: ${length} of "${type}".`),
      )
    case 'error':
      return failure.error
  }
}
