/**
 * Sub-workflows: a step runs a workflow for each event, or several at once; what they ask, write and fail with passes through.
 *
 *     StartEvent ── split ── Chapter ── translate (a workflow, two at once) ── Translated ── judge (two workflows) ── StopEvent
 *                                           │                                                  ├── length
 *                                           └── find ── Found ── replace                       └── reader, a person
 */
import {
  defineEvent,
  InputRequestEvent,
  InputResponseEvent,
  StartEvent,
  StopEvent,
  subWorkflow,
  workflow,
} from 'blazen-xstate'
import { z } from 'zod'

const Chapter = defineEvent('Chapter', z.object({ number: z.int(), text: z.string() }))
const Translated = defineEvent('Translated', z.object({ number: z.int(), text: z.string() }))
const Book = defineEvent('Book', z.object({ text: z.string() }))
const Found = defineEvent('Found', z.object({ words: z.array(z.string()) }))

const dictionary: Readonly<Record<string, string>> = {
  chat: 'cat',
  noir: 'black',
  dort: 'sleeps',
  mange: 'eats',
  le: 'the',
}

/** A workflow like any other: it can be run and tested alone. */
export const translator = workflow('translator', {
  input: z.object({ number: z.int(), text: z.string() }),
  state: z.object({ number: z.int().default(0) }),
})
  .step('find', { accepts: StartEvent, emits: Found }, ({ number, text }, ctx) => {
    ctx.state.number = number // its own state: every run inside has one
    return Found({ words: text.split(' ') })
  })
  .step('replace', { accepts: Found, emits: StopEvent }, ({ words }, ctx) => {
    const unknown = words.find((word) => dictionary[word] === undefined)
    if (unknown !== undefined) throw new RangeError(`no word for "${unknown}"`)
    return StopEvent({ result: { number: ctx.state.number, text: words.map((word) => dictionary[word]).join(' ') } })
  })

const length = workflow('length', { input: z.object({ text: z.string() }) }).step(
  'measure',
  { accepts: StartEvent, emits: StopEvent },
  ({ text }) => StopEvent({ result: text.split(' ').length }),
)

const reader = workflow('reader', { input: z.object({ text: z.string() }) })
  .step('ask', { accepts: StartEvent, emits: InputRequestEvent }, ({ text }) =>
    InputRequestEvent({ requestId: 'stars', prompt: `How many stars for "${text}"?` }),
  )
  .step('hear', { accepts: InputResponseEvent, emits: StopEvent }, ({ response }) =>
    StopEvent({ result: Number(response) }),
  )

export const publisher = workflow('publisher', {
  input: z.object({ chapters: z.array(z.string()).min(1) }),
  state: z.object({ chapters: z.int().default(0) }),
})
  .step('split', { accepts: StartEvent, emits: Chapter }, ({ chapters }, ctx) => {
    ctx.state.chapters = chapters.length
    return chapters.map((text, at) => Chapter({ number: at + 1, text }))
  })
  // The event's data is the input, and the result is the data of the event: nothing to map.
  .step('translate', subWorkflow(translator, { accepts: Chapter, emits: Translated, concurrency: 2, timeout: '10s' }))
  .step('bind', { accepts: Translated, emits: Book }, (_event, ctx) => {
    const chapters = ctx.collect(Translated, ctx.state.chapters)
    if (chapters === undefined) return null
    const inOrder = [...chapters].sort((one, other) => one.number - other.number)
    return Book({ text: inOrder.map(({ text }) => text).join(', ') })
  })
  // Two at once: their results go by their names.
  .step(
    'judge',
    subWorkflow(
      { length, reader },
      {
        accepts: Book,
        emits: StopEvent,
        output: ({ length, reader }, { text }) => StopEvent({ result: `${text}: ${length} words, ${reader} stars` }),
      },
    ),
  )

export async function main(): Promise<void> {
  const handler = publisher.run({ chapters: ['le chat noir', 'le chat mange', 'le chat dort'] })
  for await (const event of handler.stream()) {
    if (!InputRequestEvent.is(event)) continue
    // The id leads to the run that asks: handler.pendingInputs has it too, and the path there.
    console.log(`${event.requestId}: ${event.prompt}`)
    await handler.respondToInput(event.requestId, 5)
  }
  console.log(await handler.result())

  const failed = publisher.run({ chapters: ['le chien'] }, { runId: 'book-2' })
  await failed.result().catch((error) => console.log(error.message))
}
