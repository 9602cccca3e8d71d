import { EventValidationError } from '../errors.ts'
import type { InputRequestEvent } from '../event.ts'
import type { Host } from '../host.ts'
import { endedStatuses } from '../store-rules.ts'
import { realNow, realPause } from './real-time.ts'
import type { VirtualTime } from './virtual-time.ts'

/** The answers to input requests, by request id, or a function that gives them; `undefined` is none. */
export type Answers = Readonly<Record<string, unknown>> | ((requestId: string) => unknown)

/** A run that is brought to its end. */
export interface DrivenRun {
  readonly host: Host
  readonly runId: string
  readonly answers: Answers | undefined
  readonly time: VirtualTime
  /** When it is given up, in the machine's time. */
  readonly until: number
  readonly isOver: () => boolean
  /** Whether the host has the run in memory until its end, so that all that may move it on is on its clock. */
  readonly isHeld: boolean
}

/**
 * Answers what the run asks, and has time pass when it waits for nothing else, until it has ended.
 *
 * @throws Error at once where only an answer that is not there could move it on, and where one is refused.
 */
export async function driveRun({ host, runId, answers, time, until, isOver, isHeld }: DrivenRun): Promise<void> {
  while (!isOver()) {
    await time.advance(0)
    const run = await host.get(runId)
    const status = await run?.status()
    if (run === undefined || status === undefined || endedStatuses.includes(status)) return
    const unanswered: InputRequestEvent[] = []
    let isAnswered = false
    for (const request of await run.pendingInputs()) {
      const response = toResponse(answers, request.requestId)
      if (response === undefined) {
        unanswered.push(request)
        continue
      }
      await run.respondToInput(request.requestId, response).catch((error: unknown) => {
        if (error instanceof EventValidationError) throw refused(request, error)
        // It may have been answered just before the process died.
      })
      isAnswered = true
    }
    if (realNow() > until) {
      const asked = unanswered.length === 0 ? '' : ` ${unansweredText(unanswered, answers)}`
      throw new Error(
        `The run has not ended in time: it is ${status}, after ${await lastRecords(host, runId)}.${asked}`,
      )
    }
    // What nobody answers runs out of time, where it can.
    if (isAnswered || isOver() || (await time.skip())) continue
    // Nothing is at work, and nothing is due.
    if (isHeld && unanswered.length > 0 && (await run.status()) === 'waiting' && time.due.length === 0)
      throw new Error(unansweredText(unanswered, answers))
    await realPause(1)
  }
}

function toResponse(answers: Answers | undefined, requestId: string): unknown {
  if (typeof answers === 'function') return answers(requestId)
  return answers !== undefined && Object.hasOwn(answers, requestId) ? answers[requestId] : undefined
}

function unansweredText(requests: readonly InputRequestEvent[], answers: Answers | undefined): string {
  const asked = requests.map(({ requestId, prompt }) => `"${requestId}" (${prompt})`).join(', ')
  const missing = requests.find(({ requestId }) => madeId.test(requestId))
  const id = missing === undefined ? '' : ` Name the request first, by a \`requestId\`: it has another one each time.`
  return `The run waits for ${requests.length === 1 ? 'an answer' : 'answers'} to ${asked}: ${toGiven(answers)}.${id} Give it, as in ${toExample(requests)}.`
}

/** The id of a request to which its step gave none. */
const madeId = /(^|\/)[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/

function toGiven(answers: Answers | undefined): string {
  if (answers === undefined) return '`answers` is not given'
  if (typeof answers === 'function') return '`answers` gives undefined'
  const ids = Object.keys(answers).map((id) => `"${id}"`)
  return `\`answers\` has ${ids.length === 0 ? 'none' : `only ${ids.join(', ')}`}`
}

function refused(request: InputRequestEvent, error: EventValidationError): Error {
  return new Error(`${error.message} Give one that does, as in ${toExample([request])}.`, { cause: error })
}

function toExample(requests: readonly InputRequestEvent[]): string {
  const entries = requests.map(({ requestId }) => {
    const id = requestId.replace(madeId, '$1approve')
    return `${/^[a-z_$][\w$]*$/i.test(id) ? id : `'${id}'`}: …`
  })
  return `answers: { ${entries.join(', ')} }`
}

async function lastRecords(host: Host, runId: string): Promise<string> {
  return (await host.history(runId)).map(({ seq, kind, step }) => `${seq} ${kind} ${step ?? ''}`.trim()).join(', ')
}
