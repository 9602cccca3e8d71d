import type { AnyActorRef } from 'xstate'
import type { SendOptions } from './context.ts'
import { BlazenError } from './errors.ts'
import type { AnyEvent } from './event.ts'
import { type RunStatus, WorkflowHandler } from './handler.ts'
import type { HistoryRecord } from './history.ts'
import type { RunHandle } from './run-handle.ts'

/**
 * The handler of a run that another process has: it is steered through the store. `status` and `pendingInputs` are as
 * they were when the handler was made.
 */
export class RemoteHandler<Result> extends WorkflowHandler<Result> {
  readonly #handle: RunHandle<Result>

  /** @param mirror the run as it is stored, never started. */
  constructor(mirror: AnyActorRef, handle: RunHandle<Result>) {
    super(mirror)
    this.#handle = handle
  }

  override result(): Promise<Result> {
    return this.#handle.result()
  }

  override history(): Promise<readonly HistoryRecord[]> {
    return this.#handle.history()
  }

  override sendEvent(event: AnyEvent, options?: SendOptions): Promise<void> {
    return this.#handle.sendEvent(event, options)
  }

  override respondToInput(requestId: string, response: unknown): Promise<void> {
    return this.#handle.respondToInput(requestId, response)
  }

  override abort(reason?: unknown): void {
    void this.#handle.abort(reason).catch(() => {})
  }

  override stream(): never {
    throw this.#elsewhere('Its stream is')
  }

  override async pause(): Promise<never> {
    throw this.#elsewhere('It can be paused')
  }

  override resume(): never {
    throw this.#elsewhere('It can be resumed')
  }

  override get status(): RunStatus {
    return super.status
  }

  #elsewhere(what: string): BlazenError {
    return new BlazenError('run_elsewhere', `Run ${this.runId} is in another process. ${what} there.`)
  }
}
