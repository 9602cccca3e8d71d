/**
 * Fan-out and fan-in: an array of events runs a step many times at once, and `ctx.collect` joins what comes of it.
 *
 *     StartEvent ── split ──┬── Chapter ── count ── Counted ──┬── join ── StopEvent
 *                           └── one for each chapter, 2 at once ┘
 */
import { defineEvent, StartEvent, StopEvent, workflow } from 'blazen-xstate'
import { z } from 'zod'

const Chapter = defineEvent('Chapter', z.object({ number: z.int(), text: z.string() }))
const Counted = defineEvent('Counted', z.object({ number: z.int(), words: z.int() }))

export const wordCounter = workflow('word-counter', {
  input: z.object({ book: z.string() }),
  state: z.object({ chapters: z.int().default(0) }),
})
  .step('split', { accepts: StartEvent, emits: Chapter }, ({ book }, ctx) => {
    const chapters = book.split('\n---\n')
    ctx.state.chapters = chapters.length
    // An array of events: each is routed, in this order.
    return chapters.map((text, at) => Chapter({ number: at + 1, text }))
  })
  .step('count', { accepts: Chapter, emits: Counted, concurrency: 2 }, ({ number, text }) => {
    return Counted({ number, words: text.match(/\S+/g)?.length ?? 0 })
  })
  .step('join', { accepts: Counted, emits: StopEvent }, (_event, ctx) => {
    // Undefined until the last one is in, and then all of them, exactly once.
    const counted = ctx.collect(Counted, ctx.state.chapters)
    if (counted === undefined) return
    const words = counted.sort((one, other) => one.number - other.number).map((each) => each.words)
    return StopEvent({ result: { words, total: words.reduce((sum, each) => sum + each, 0) } })
  })

export const book = [
  'It was a dark and stormy night.',
  'The rain fell in torrents, except at occasional intervals.',
  'Then it was checked by a violent gust of wind.',
].join('\n---\n')

export async function main(): Promise<void> {
  const { words, total } = await wordCounter.run({ book }).result()
  console.log(`words in each chapter: ${words.join(', ')}`)
  console.log(`words in the book: ${total}`)
}
