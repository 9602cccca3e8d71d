/**
 * Streaming: what a step writes to the stream goes outward, to any number of readers, while the run goes on.
 *
 *     StartEvent ── read ── Rows ── sum ── StopEvent
 *                    └─ ▷ RowRead, RowRefused … to the stream, not to steps
 */
import { defineEvent, StartEvent, StopEvent, workflow } from 'blazen-xstate'
import { z } from 'zod'

const RowRead = defineEvent('RowRead', z.object({ line: z.int(), name: z.string() }))
const RowRefused = defineEvent('RowRefused', z.object({ line: z.int(), reason: z.string() }))
const Rows = defineEvent('Rows', z.object({ prices: z.array(z.number()) }))

export const importer = workflow('importer', { input: z.object({ csv: z.string() }) })
  .step('read', { accepts: StartEvent, emits: Rows }, ({ csv }, ctx) => {
    const prices: number[] = []
    for (const [at, text] of csv.split('\n').entries()) {
      const [name = '', price = ''] = text.split(',')
      if (price !== '' && Number.isFinite(Number(price))) {
        prices.push(Number(price))
        ctx.writeEventToStream(RowRead({ line: at + 1, name }))
      } else {
        ctx.writeEventToStream(RowRefused({ line: at + 1, reason: `"${price}" is no price` }))
      }
    }
    return Rows({ prices })
  })
  .step('sum', { accepts: Rows, emits: StopEvent }, ({ prices }) => {
    return StopEvent({ result: prices.reduce((sum, price) => sum + price, 0) })
  })

export const csv = 'tea,4\ncoffee,7\nsugar,cheap\nmilk,2'

export async function main(): Promise<void> {
  const handler = importer.run({ csv })
  for await (const event of handler.stream()) {
    if (RowRead.is(event)) console.log(`line ${event.line}: ${event.name}`)
    if (RowRefused.is(event)) console.log(`line ${event.line}: refused, ${event.reason}`)
  }
  console.log(`sum: ${await handler.result()}`)

  // A reader that comes late misses nothing, unless it asks to: `{ from: 2 }` begins with the third event.
  for await (const event of handler.stream({ from: 2 })) console.log(`late reader: ${event.type}`)
}
