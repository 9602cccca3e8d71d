/**
 * Versions and migration: a run that version 1 began is finished by version 2, in which a step, an event and a value
 * have other names, and cents have taken the place of euros.
 *
 *     version 1:  StartEvent ── price ── Payment { euros } ── charge ── StopEvent       ctx.state.euros
 *     version 2:  StartEvent ── price ── Invoice { cents } ── bill ──── StopEvent       ctx.state.cents
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { defineEvent, SnapshotError, StartEvent, StopEvent, typeOnly, workflow } from 'blazen-xstate'
import { z } from 'zod'

const input = z.object({ item: z.string() })
const Payment = defineEvent('Payment', z.object({ euros: z.number() }))
const Invoice = defineEvent('Invoice', z.object({ cents: z.int() }))
const Charging = defineEvent('Charging')

export const version1 = workflow('shop', { version: '1', input, state: typeOnly<{ euros: number }>() })
  .step('price', { accepts: StartEvent, emits: Payment }, ({ item }, ctx) => {
    ctx.state.euros = item === 'tea' ? 4.5 : 7
    return Payment({ euros: ctx.state.euros })
  })
  .step('charge', { accepts: Payment, emits: StopEvent }, async ({ euros }, ctx) => {
    ctx.writeEventToStream(Charging())
    await sleep(60_000, undefined, { signal: ctx.signal }) // the bank takes its time
    return StopEvent({ result: `${euros} EUR` })
  })

const options = { version: '2', input, state: typeOnly<{ cents: number }>() }

export const version2 = workflow('shop', {
  ...options,
  migrate: {
    // From version 1 to the next. Nothing runs before all of it has succeeded.
    '1': (draft) => {
      draft.renameStep('charge', 'bill')
      draft.mapEvents('Payment', (event) => (Payment.is(event) ? Invoice({ cents: toCents(event.euros) }) : event))
      draft.state.set('cents', toCents(draft.state.get<number>('euros', 0)))
      draft.state.delete('euros')
    },
  },
})
  .step('price', { accepts: StartEvent, emits: Invoice }, ({ item }, ctx) => {
    ctx.state.cents = item === 'tea' ? 450 : 700
    return Invoice({ cents: ctx.state.cents })
  })
  .step('bill', { accepts: Invoice, emits: StopEvent }, ({ cents }, ctx) => {
    return StopEvent({ result: `${cents} cents billed, ${ctx.state.cents} in the state` })
  })

function toCents(euros: number): number {
  return Math.round(euros * 100)
}

export async function main(): Promise<void> {
  const old = version1.run({ item: 'tea' })
  for await (const event of old.stream()) if (Charging.is(event)) break
  // The step that waits for the bank is stopped, and will run again: as `bill`.
  const snapshot = await old.pause({ inFlight: 'abort' })
  const stored = JSON.stringify(snapshot)
  old.abort('its process ends with its version')
  console.log(`stored: version ${snapshot.version}, in step "${snapshot.context.executions[0]?.step}"`)

  const moved = version2.resume(JSON.parse(stored))
  console.log(`resumed: ${await moved.result()}`)

  // A version that does not know the way from 1 refuses the snapshot, before anything runs.
  const strict = workflow('shop', options).step('end', { accepts: StartEvent, emits: StopEvent }, () => StopEvent())
  try {
    strict.resume(JSON.parse(stored))
  } catch (error) {
    if (error instanceof SnapshotError) console.log(`refused: ${error.message}`)
  }
}
