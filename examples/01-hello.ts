/**
 * The smallest workflow worth the name: two steps, and one event between them.
 *
 *     StartEvent ── parseInput ── Greet ── greet ── StopEvent
 */
import { defineEvent, StartEvent, StopEvent, workflow } from 'blazen-xstate'
import { z } from 'zod'

// An event has a type and data. The schema checks the data and gives it its TypeScript type.
const Greet = defineEvent('Greet', z.object({ name: z.string() }))

export const greeter = workflow('greeter', { input: z.object({ name: z.string().default('World') }) })
  // The fields of the input stand on the StartEvent.
  .step('parseInput', { accepts: StartEvent, emits: Greet }, (event) => Greet({ name: event.name.trim() }))
  // The first StopEvent completes the run.
  .step('greet', { accepts: Greet, emits: StopEvent }, (event) => StopEvent({ result: `Hello, ${event.name}!` }))

export async function main(): Promise<void> {
  console.log(await greeter.run({ name: ' Zach ' }).result())
  console.log(await greeter.run().result())
}
