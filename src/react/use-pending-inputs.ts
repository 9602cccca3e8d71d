import type { InputRequestEvent } from '../event.ts'
import type { WorkflowHandler } from '../handler.ts'
import { idle, pendingInputsOf } from './run-view.ts'
import { useChanging } from './use-changing.ts'

/**
 * The questions of a run that have no answer yet, the oldest first; renders when one comes or goes.
 * Answer them by `handler.respondToInput`.
 *
 * @example
 * const [request] = usePendingInputs(handler)
 * if (request) return <Question prompt={request.prompt} onAnswer={(answer) => handler.respondToInput(request.requestId, answer)} />
 */
export function usePendingInputs(handler: WorkflowHandler | undefined): readonly InputRequestEvent[] {
  return useChanging(handler, idle.pendingInputs, pendingInputsOf)
}
