/**
 * A workflow as an actor: `workflow.machine` is ordinary XState logic, so a machine of your own can invoke it.
 *
 *     editing ── order ──▶ pricing (invokes the workflow) ──▶ offered ── accept ──▶ ordered
 *        ▲                    └─ it failed ─┐                    │
 *        └──────────────────────────────────┴────── change ──────┘
 */
import { defineEvent, StartEvent, StopEvent, workflow } from 'blazen-xstate'
import { assign, createActor, setup, waitFor } from 'xstate'
import { z } from 'zod'

const Priced = defineEvent('Priced', z.object({ euros: z.number() }))
const prices: Record<string, number> = { tea: 4, coffee: 7 }

export const pricing = workflow('pricing', { input: z.object({ item: z.string(), count: z.int() }) })
  .step('lookUp', { accepts: StartEvent, emits: Priced }, ({ item, count }) => {
    const price = prices[item]
    if (price === undefined) throw new Error(`we have no ${item}`)
    return Priced({ euros: price * count })
  })
  .step('discount', { accepts: Priced, emits: StopEvent }, ({ euros }) => {
    return StopEvent({ result: euros > 20 ? euros * 0.9 : euros })
  })

export const shop = setup({
  types: {
    context: {} as { item: string; offer?: number; problem?: string },
    events: {} as { type: 'order'; item: string } | { type: 'accept' } | { type: 'change' },
  },
  actors: { pricing: pricing.machine },
}).createMachine({
  context: { item: '' },
  initial: 'editing',
  states: {
    editing: { on: { order: { target: 'pricing', actions: assign({ item: ({ event }) => event.item }) } } },
    pricing: {
      invoke: {
        src: 'pricing',
        input: ({ context }) => ({ item: context.item, count: 5 }),
        onDone: { target: 'offered', actions: assign({ offer: ({ event }) => event.output }) },
        onError: { target: 'editing', actions: assign({ problem: ({ event }) => String(event.error) }) },
      },
    },
    offered: { on: { accept: 'ordered', change: 'editing' } },
    ordered: { type: 'final' },
  },
})

export async function main(): Promise<void> {
  const actor = createActor(shop).start()
  for (const item of ['cocoa', 'coffee']) {
    actor.send({ type: 'order', item })
    const { value, context } = await waitFor(actor, (snapshot) => !snapshot.matches('pricing'))
    console.log(`${item}: ${value}, ${value === 'offered' ? `${context.offer} EUR` : context.problem}`)
  }
  actor.send({ type: 'accept' })
  console.log(actor.getSnapshot().status)
}
