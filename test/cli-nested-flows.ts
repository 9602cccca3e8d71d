import {
  InputRequestEvent,
  InputResponseEvent,
  pipeline,
  StartEvent,
  StopEvent,
  subWorkflow,
  workflow,
} from 'blazen-xstate'
import { z } from 'zod'

// Runs inside runs, for the tests of the command line: it loads this file as a user's module.

/** What the command was called with is none of a module's business. */
if (process.argv.length > 2 && process.env.BLAZEN_TEST_ARGV !== undefined)
  throw new Error(`The module was given ${process.argv.slice(2).join(' ')}.`)

const approver = workflow('approver', {
  requests: { approval: { response: z.object({ ok: z.boolean() }) } },
})
  .step('ask', { accepts: StartEvent, emits: InputRequestEvent }, (_, ctx) => {
    ctx.set('mine', 'of the run inside')
    ctx.shared.notes = [...(ctx.shared.notes as string[]), 'asked']
    return InputRequestEvent({ requestId: 'approve', prompt: 'Buy it?', kind: 'approval' })
  })
  .step('note', { accepts: InputResponseEvent, emits: StopEvent }, ({ response }) => StopEvent({ result: response }))

/** A stage that asks, and one after it that asks in two branches. */
export const trade = pipeline('trade', { shared: z.object({ notes: z.array(z.string()).default([]) }) })
  .stage('order', approver)
  .parallel('check', { law: approver, tax: approver })

const clerk = workflow('clerk', { requests: { approval: { response: z.object({ ok: z.boolean() }) } } })
  .step('ask', { accepts: StartEvent, emits: InputRequestEvent }, (_, ctx) => {
    ctx.set('mine', 'of the run inside')
    return InputRequestEvent({ requestId: 'approve', prompt: 'Sign it?', kind: 'approval' })
  })
  .step('note', { accepts: InputResponseEvent, emits: StopEvent }, ({ response }) => StopEvent({ result: response }))

export const office = workflow('office').step(
  'order',
  subWorkflow(clerk, { accepts: StartEvent, emits: StopEvent, output: (result) => StopEvent({ result }) }),
)
