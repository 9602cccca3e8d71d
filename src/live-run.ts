import type { AnyActorScope } from 'xstate'
import { type Attempt, fail, type InputRequest, type Run, relay, responseType, type Sent } from '../machines/index.ts'
import type { OnInput, WorkflowDefinition } from './definition.ts'
import { InputRequestError } from './errors.ts'
import { type AnyEvent, checkEvent, type InputRequestEvent } from './event.ts'
import type { Schema } from './schema.ts'
import { dropSession, sessionOf } from './session.ts'
import { EventStream } from './stream.ts'

/** What a run has in this process, beside the run itself. */
export class LiveRun {
  readonly stream: EventStream
  #session: Map<string, unknown> | undefined

  constructor(
    readonly definition: WorkflowDefinition,
    readonly schemas: ReadonlyMap<string, Schema>,
    /** The event types that some step accepts. */
    readonly accepted: readonly string[],
    readonly run: Run,
    readonly scope: AnyActorScope,
    readonly onInput: OnInput | undefined,
  ) {
    this.stream = new EventStream(definition.options.streamBuffer ?? 65_536)
  }

  static of(run: Run): LiveRun {
    return run.local as LiveRun
  }

  get session(): Map<string, unknown> {
    this.#session ??= sessionOf(this.scope.system, this.run.id)
    return this.#session
  }

  /** Writes outward: to the stream, and to those who listen with `actor.on(type)`. */
  write(event: AnyEvent): void {
    this.stream.write(event)
    this.scope.emit(event)
  }

  /** Routes an event that a step sends while it goes on, unless an earlier attempt of the same execution has. */
  send(attempt: Attempt, event: AnyEvent): void {
    const checked = checkEvent(event, this.schemas.get(event.type))
    attempt.sent++
    if (attempt.sent <= attempt.sentBefore) return
    const sent: Sent = { type: 'blazen.sent', execution: attempt.execution.id, event: checked }
    relay(attempt.scope, this.scope.self, sent)
  }

  /** Shows a request on the stream, and has it answered if a function for that was given. */
  ask(request: InputRequest): void {
    this.write(request)
    if (this.onInput !== undefined) void this.#answer(this.onInput, request as InputRequestEvent)
  }

  close(): void {
    this.stream.end()
    if (this.#session !== undefined) dropSession(this.scope.system, this.run.id)
  }

  async #answer(onInput: OnInput, request: InputRequestEvent): Promise<void> {
    const { requestId } = request
    const { self } = this.scope
    // Somebody else may have answered, or the run may have ended, while the function was at it.
    const isOpen = () => self.getSnapshot().status === 'active' && this.run.requests.get(requestId) === request
    try {
      const response = await onInput(request)
      if (!isOpen()) return
      self.send({ type: 'blazen.answered', requestId, response: { type: responseType, requestId, response } })
    } catch (cause) {
      if (!isOpen()) return
      const message = `onInput failed on request "${requestId}" ("${request.prompt}"). Have it return an answer, or leave it out and answer with respondToInput.`
      self.send(fail({ kind: 'error', error: new InputRequestError(message, requestId, { cause }) }))
    }
  }
}
