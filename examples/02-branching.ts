/**
 * Branching: a step decides by the event it returns. Mail for a support desk goes one of three ways.
 *
 *     StartEvent ── triage ──┬── Refund ──── refund ──── StopEvent
 *                            ├── Question ── answer ──── StopEvent
 *                            └── Spam ────── discard ─── StopEvent
 */
import { defineEvent, StartEvent, StopEvent, workflow } from 'blazen-xstate'
import { z } from 'zod'

const Refund = defineEvent('Refund', z.object({ order: z.string() }))
const Question = defineEvent('Question', z.object({ topic: z.enum(['delivery', 'other']) }))
const Spam = defineEvent('Spam')

export const supportDesk = workflow('support-desk', { input: z.object({ mail: z.string() }) })
  // What it returns is one of three events; were one of them accepted by no step, `run` below would not compile.
  .step('triage', { accepts: StartEvent, emits: [Refund, Question, Spam] }, ({ mail }) => {
    if (/lottery|million dollars/i.test(mail)) return Spam()
    const order = /order (\d+)/i.exec(mail)?.[1]
    if (order !== undefined && /refund|money back/i.test(mail)) return Refund({ order })
    return Question({ topic: /deliver|arrive/i.test(mail) ? 'delivery' : 'other' })
  })
  .step('refund', { accepts: Refund, emits: StopEvent }, ({ order }) => {
    return StopEvent({ result: `Order ${order} will be refunded.` })
  })
  .step('answer', { accepts: Question, emits: StopEvent }, ({ topic }) => {
    return StopEvent({ result: topic === 'delivery' ? 'It arrives within three days.' : 'We will write to you.' })
  })
  .step('discard', { accepts: Spam, emits: StopEvent }, () => StopEvent({ result: 'No reply.' }))

export async function main(): Promise<void> {
  const mails = [
    'I want my money back for order 4711.',
    'When does my parcel arrive?',
    'You have won the lottery!',
    'Do you have it in blue?',
  ]
  for (const mail of mails) {
    console.log(`${mail} -> ${await supportDesk.run({ mail }).result()}`)
  }
}
