/**
 * A person in the loop: above a limit, an expense is paid only when somebody agrees.
 *
 *     StartEvent ── check ──┬── Approved ────────────────────────────────────── pay ── StopEvent
 *                           └── InputRequestEvent … a person … InputResponseEvent ── decide ── Approved or StopEvent
 */
import { defineEvent, InputRequestEvent, InputResponseEvent, StartEvent, StopEvent, workflow } from 'blazen-xstate'
import { z } from 'zod'

const Approved = defineEvent('Approved', z.object({ by: z.string() }))
const answerSchema = z.object({ approved: z.boolean(), by: z.string() })

export const expenses = workflow('expenses', {
  input: z.object({ item: z.string(), euros: z.number() }),
  state: z.object({ item: z.string().default('') }),
})
  .step('check', { accepts: StartEvent, emits: [Approved, InputRequestEvent] }, ({ item, euros }, ctx) => {
    ctx.state.item = item
    if (euros <= 100) return Approved({ by: 'the rules' })
    return InputRequestEvent({ prompt: `Pay ${euros} EUR for ${item}?`, metadata: { euros } })
  })
  .step('decide', { accepts: InputResponseEvent, emits: [Approved, StopEvent] }, ({ response }, ctx) => {
    const { approved, by } = answerSchema.parse(response)
    return approved ? Approved({ by }) : StopEvent({ result: `${ctx.state.item}: refused by ${by}` })
  })
  .step('pay', { accepts: Approved, emits: StopEvent }, ({ by }, ctx) => {
    return StopEvent({ result: `${ctx.state.item}: paid, approved by ${by}` })
  })

export async function main(): Promise<void> {
  console.log(await expenses.run({ item: 'pencils', euros: 12 }).result())

  // The request is on the stream; whoever has the handler answers when they like.
  const handler = expenses.run({ item: 'a desk', euros: 480 })
  for await (const event of handler.stream()) {
    if (!InputRequestEvent.is(event)) continue
    console.log(event.prompt)
    await handler.respondToInput(event.requestId, { approved: true, by: 'Ada' })
  }
  console.log(await handler.result())

  // Or a function answers, in this process.
  const onInput = () => ({ approved: false, by: 'Grace' })
  console.log(await expenses.run({ item: 'a yacht', euros: 90_000 }, { onInput }).result())
}
