/**
 * Aborting: long work stops when nobody wants it any more, because it looks at `ctx.signal`.
 *
 *     StartEvent ── search ── StopEvent
 */
import { createHash } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { RunAbortedError, RunTimeoutError, StartEvent, StopEvent, workflow } from 'blazen-xstate'
import { z } from 'zod'

const inputSchema = z.object({ text: z.string(), zeros: z.int() })

/** Searches for a number whose hash together with the text begins with so many zeros, as proof of work. */
export const prover = workflow('prover', { input: inputSchema }).step(
  'search',
  { accepts: StartEvent, emits: StopEvent },
  async ({ text, zeros }, ctx) => {
    const beginning = '0'.repeat(zeros)
    for (let proof = 0; ; proof++) {
      if (hash(`${text}${proof}`).startsWith(beginning)) return StopEvent({ result: proof })
      if (proof % 500 > 0) continue
      // Busy work gives way now and then; else no abort could come through.
      await nextTurn()
      ctx.signal.throwIfAborted()
    }
  },
)

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

export async function main(): Promise<void> {
  console.log(`proof: ${await prover.run({ text: 'blazen', zeros: 3 }).result()}`)

  const hopeless = { text: 'blazen', zeros: 64 }

  const handler = prover.run(hopeless)
  setTimeout(() => handler.abort('the user left'), 5)
  console.log(await handler.result().catch(whyItEnded))

  // Whoever starts a run can pass a signal instead, or say how long it may take.
  console.log(
    await prover
      .run(hopeless, { signal: AbortSignal.timeout(5) })
      .result()
      .catch(whyItEnded),
  )
  console.log(await prover.run(hopeless, { timeout: '5ms' }).result().catch(whyItEnded))
}

function whyItEnded(error: unknown): string {
  if (error instanceof RunTimeoutError) return `timed out after ${error.timeoutMs} ms`
  if (error instanceof RunAbortedError) return `aborted: ${error.reason}`
  throw error
}
