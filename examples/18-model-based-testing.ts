/**
 * Model-based tests: `@xstate/graph` finds every way through the flow of the support desk, and each wants a mail that
 * takes it. A branch that is added later, and that no mail takes, is found at once.
 *
 *     StartEvent ── triage ──┬── Refund ──── refund ──── StopEvent
 *                            ├── Question ── answer ──── StopEvent
 *                            └── Spam ────── discard ─── StopEvent
 */
import { getSimplePaths } from '@xstate/graph'
import type { HistoryRecord } from 'blazen-xstate'
import { toStateChart } from 'blazen-xstate/inspect'
import { createMachine } from 'xstate'
import { supportDesk } from './02-branching.ts'

/** The event types on every way through the flow. */
export const ways = getSimplePaths(createMachine(toStateChart(supportDesk)), {
  toState: ({ status }) => status === 'done',
}).map(({ steps }) => steps.map(({ event }) => event.type).filter((type) => type !== 'xstate.init'))

/** What is tested, by the event that tells the ways apart. */
const mails: Readonly<Record<string, string>> = {
  Refund: 'I want my money back for order 4711.',
  Question: 'When does my parcel arrive?',
  Spam: 'You have won the lottery!',
}

/** The event types on the way that a run has taken. */
function toWay(history: readonly HistoryRecord[]): string[] {
  return history
    .flatMap(({ event, events = [] }) => [...(event === undefined ? [] : [event]), ...events])
    .map(({ type }) => type)
}

export async function main(): Promise<void> {
  for (const way of ways) {
    const mail = way.map((type) => mails[type]).find((each) => each !== undefined)
    if (mail === undefined) throw new Error(`No mail takes the way ${way.join(' > ')}.`)
    const handler = supportDesk.run({ mail }, { history: true })
    await handler.result()
    const isTaken = toWay(await handler.history()).join() === way.join()
    console.log(`${isTaken ? 'ok' : 'NOT TAKEN'}: ${way.join(' > ').replaceAll('blazen::', '')}`)
  }
}
