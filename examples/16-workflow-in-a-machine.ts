/**
 * A pipeline inside a machine of your own: the machine has the states that people see, the pipeline does the work in one.
 *
 *     writing ── submit ──▶ checking (invokes the pipeline) ──▶ reviewing ── accept ──▶ published
 *        ▲                     │    measure ── check ┬ spelling         │
 *        │                     │                     └ length           │
 *        └── cancel, failed ───┴──────────────── revise ────────────────┘
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { defineEvent, pipeline, StartEvent, StopEvent, typeOnly, workflow } from 'blazen-xstate'
import { type ActorRefFrom, assign, createActor, setup, waitFor } from 'xstate'
import { z } from 'zod'

const Checking = defineEvent('Checking', z.object({ what: z.string() }))
const words = { input: typeOnly<{ words: readonly string[] }>() }

const measurer = workflow('measurer', { input: z.object({ text: z.string() }) }).step(
  'measure',
  { accepts: StartEvent, emits: StopEvent },
  ({ text }) => {
    console.log(`measures "${text}"`)
    return StopEvent({ result: { words: text.split(' ') } })
  },
)

const speller = workflow('speller', words).step(
  'spell',
  { accepts: StartEvent, emits: StopEvent },
  async ({ words }, ctx) => {
    ctx.signal.addEventListener('abort', () => console.log('spelling is aborted'))
    ctx.writeEventToStream(Checking({ what: 'spelling' }))
    await sleep(100, undefined, { signal: ctx.signal })
    return StopEvent({ result: words.filter((word) => word === 'teh') })
  },
)

const ruler = workflow('ruler', words).step('compare', { accepts: StartEvent, emits: StopEvent }, ({ words }) =>
  StopEvent({ result: words.length < 4 ? 'short' : 'long' }),
)

export const checks = pipeline('checks', { input: z.object({ text: z.string() }) })
  .stage('measure', measurer)
  .parallel('check', { spelling: speller, length: ruler })

export const desk = setup({
  types: {
    context: {} as { text: string; mistakes: readonly string[] },
    events: {} as { type: 'submit'; text: string } | { type: 'cancel' | 'accept' | 'revise' },
  },
  actors: { checks: checks.machine },
}).createMachine({
  context: { text: '', mistakes: [] },
  initial: 'writing',
  states: {
    writing: { on: { submit: { target: 'checking', actions: assign({ text: ({ event }) => event.text }) } } },
    checking: {
      invoke: {
        id: 'checks',
        src: 'checks',
        input: ({ context }) => ({ text: context.text }),
        onDone: { target: 'reviewing', actions: assign({ mistakes: ({ event }) => event.output.spelling }) },
        onError: 'writing',
      },
      on: { cancel: 'writing' }, // leaving the state ends the pipeline, at every level
    },
    reviewing: { on: { accept: 'published', revise: 'writing' } },
    published: { type: 'final' },
  },
})

export async function main(): Promise<void> {
  const actor = createActor(desk).start()
  actor.send({ type: 'submit', text: 'a hasty draft' })
  await checking(actor)
  actor.send({ type: 'cancel' })
  console.log(actor.getSnapshot().value)

  actor.send({ type: 'submit', text: 'teh final draft' })
  await checking(actor)
  const text = JSON.stringify(actor.getPersistedSnapshot()) // the machine, the pipeline, and what runs in it
  actor.stop()

  // In another process, what had settled does not run again: nothing is measured.
  const elsewhere = createActor(desk, { snapshot: JSON.parse(text) }).start()
  const { context } = await waitFor(elsewhere, (snapshot) => snapshot.matches('reviewing'))
  console.log('mistakes:', context.mistakes.join(', '))
  elsewhere.send({ type: 'accept' })
  console.log(elsewhere.getSnapshot().value)
}

/** Resolves when the spelling is being checked: what runs inside writes, the pipeline emits. */
function checking(actor: ActorRefFrom<typeof desk>): Promise<void> {
  return new Promise((resolve) => {
    actor.getSnapshot().children.checks?.on(Checking.type, () => resolve())
  })
}
