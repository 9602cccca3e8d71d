/**
 * Retry and timeout: a step calls a service that is busy at first, then hangs, then answers.
 *
 *     StartEvent ── fetchRate ── Rate ── convert ── StopEvent
 *                    ↺ 3 attempts, 20 ms each
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { defineEvent, FatalError, StartEvent, StepFailedError, StopEvent, workflow } from 'blazen-xstate'
import { z } from 'zod'

const Rate = defineEvent('Rate', z.object({ amount: z.number(), rate: z.number(), attempts: z.int() }))

export const converter = workflow('converter', { input: z.object({ amount: z.number(), currency: z.string() }) })
  .step(
    'fetchRate',
    {
      accepts: StartEvent,
      emits: Rate,
      timeout: '20ms', // for each attempt
      retry: { attempts: 3, delay: '2ms', factor: 2 }, // waits 2 ms, then 4 ms
    },
    async ({ amount, currency }, ctx) => {
      const rate = await askService(currency, ctx.attempt, ctx.signal)
      return Rate({ amount, rate, attempts: ctx.attempt })
    },
  )
  .step('convert', { accepts: Rate, emits: StopEvent }, ({ amount, rate, attempts }) => {
    return StopEvent({ result: { converted: Math.round(amount * rate), attempts } })
  })

/** Stands for a service on the network; a real one would take the signal just so: `fetch(url, { signal })`. */
async function askService(currency: string, attempt: number, signal: AbortSignal): Promise<number> {
  if (currency !== 'USD') throw new FatalError(`no such currency: ${currency}`) // never retried
  if (attempt === 1) throw new Error('503: busy')
  if (attempt === 2) await sleep(60_000, undefined, { signal }) // hangs until the timeout aborts the signal
  return 1.08
}

export async function main(): Promise<void> {
  const { converted, attempts } = await converter.run({ amount: 250, currency: 'USD' }).result()
  console.log(`250 EUR are ${converted} USD, after ${attempts} attempts`)

  const error = await converter
    .run({ amount: 1, currency: 'XXX' })
    .result()
    .catch((error) => error)
  if (error instanceof StepFailedError) console.log(`${error.message} (attempt ${error.attempt})`)
}
