import { fail, type Sent } from '../machines/index.ts'
import type { Compiled } from './compile.ts'
import { type BlazenError, EventValidationError, UnhandledEventError } from './errors.ts'
import type { WorkflowHandler } from './handler.ts'
import { fromLetter, type Message } from './letter.ts'
import { LiveRun } from './live-run.ts'
import { findRequest, toAnswered } from './open-request.ts'
import type { RunJournal } from './run-journal.ts'
import type { Letter, Store } from './store.ts'
import { warn } from './warn.ts'

export interface InboxPlace {
  readonly store: Store
  readonly report: (error: unknown) => void
  readonly runId: string
  readonly compiled: Compiled
  readonly handler: WorkflowHandler
  readonly journal: RunJournal
}

/** Takes what others have to say to a run of this process, and hands it to the run as facts. */
export class Inbox {
  readonly #place: InboxPlace
  /** Letters that are on their way into the run. */
  readonly #taking = new Set<string>()
  #reading: Promise<void> | undefined
  #again = false

  constructor(place: InboxPlace) {
    this.#place = place
  }

  get isBusy(): boolean {
    return this.#reading !== undefined
  }

  /** Looks for letters. An answer to what was not asked yet stays where it is. */
  read(): Promise<void> {
    this.#again = true
    this.#reading ??= this.#readAll().finally(() => {
      this.#reading = undefined
    })
    return this.#reading
  }

  async #readAll(): Promise<void> {
    const { store, runId, report } = this.#place
    while (this.#again) {
      this.#again = false
      try {
        for (const letter of await store.inbox(runId)) {
          if (!this.#taking.has(letter.id)) await this.#take(letter)
        }
      } catch (error) {
        report(error)
      }
    }
  }

  async #take(letter: Letter): Promise<void> {
    const { journal, compiled, runId, report } = this.#place
    this.#taking.add(letter.id)
    try {
      const message = fromLetter(letter, compiled.blueprint.classes)
      if (message.kind === 'answer' && (await this.#isLate(message, letter))) return
      const fact = this.#toFact(message)
      if (fact === undefined) this.#taking.delete(letter.id)
      else journal.sendLetter(fact, letter.id).catch(() => {})
    } catch (error) {
      // What does not fit is the fault of whoever sent it, who may be far; what cannot be read is one of the store.
      if (error instanceof EventValidationError || error instanceof UnhandledEventError) refuse(runId, error)
      else report(error)
      journal.dropLetter(letter.id)
    }
  }

  /** `undefined` for what has to wait. */
  #toFact(message: Message) {
    const { run } = this.#place.handler.actor.getSnapshot().context
    const live = LiveRun.of(run)
    switch (message.kind) {
      case 'abort':
        return fail({ kind: 'aborted', reason: message.reason })
      case 'event': {
        const { accepted } = live.blueprint
        if (!accepted.includes(message.event.type)) throw new UnhandledEventError(message.event, undefined, accepted)
        const { event } = live.toSent(message.event, undefined, undefined)
        if (message.dueAt === undefined) return event
        return { type: 'blazen.sent', execution: undefined, event, dueAt: message.dueAt } satisfies Sent
      }
      case 'answer': {
        const { requestId } = message
        const asked = findRequest(run, requestId)
        if (asked === undefined) return undefined
        const response = LiveRun.of(asked.run).checkAnswer(asked.request, message.response)
        return toAnswered(asked.way, asked.request.requestId, response)
      }
    }
  }

  /** Whether somebody else has answered since the answer was given; where the store cannot tell, the letter waits. */
  async #isLate({ requestId, seq }: { requestId: string; seq: number }, { id }: Letter): Promise<boolean> {
    const { store, runId, journal, report } = this.#place
    try {
      const isLate = await wasAnswered(store, runId, requestId, seq)
      if (isLate) journal.dropLetter(id)
      return isLate
    } catch (error) {
      this.#taking.delete(id)
      report(error)
      return true
    }
  }
}

/** Says each time that a letter comes to nothing. */
function refuse(runId: string, error: BlazenError): void {
  warn(
    'BLAZEN_LETTER_REFUSED',
    `Run ${runId} goes on undisturbed, and has not taken what was sent to it from outside: ${error.message}`,
  )
}

/** Whether a request was answered after record `seq`. */
export async function wasAnswered(store: Store, runId: string, requestId: string, seq: number): Promise<boolean> {
  for (let from = seq + 1; ; ) {
    const records = await store.records(runId, { from, limit: 1_000 })
    for (const { kind, body } of records) {
      if (kind === 'answered' && answeredBy(JSON.parse(body)) === requestId) return true
    }
    const last = records.at(-1)
    if (last === undefined || records.length < 1_000) return false
    from = last.seq + 1
  }
}

/** The id of the request that a record answers, as the outermost run knows it. */
export function answeredBy({
  requestId,
  asked = requestId,
}: {
  readonly requestId: string
  readonly asked?: string
}): string {
  return asked
}
