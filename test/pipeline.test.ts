import {
  createHost,
  InputRequestEvent,
  InputResponseEvent,
  memoryStore,
  pipeline,
  StartEvent,
  StopEvent,
  typeOnly,
  workflow,
} from 'blazen-xstate'
import { expect, test } from 'vitest'
import { crashAtEveryRecord } from '../src/testing/index.ts'
import { until } from './waiting.ts'

const extractor = workflow('extractor', { input: typeOnly<{ text: string }>() }).step(
  'extract',
  { accepts: StartEvent, emits: StopEvent },
  ({ text }, ctx) => {
    ctx.shared.update('log', (log: string[] = []) => [...log, 'extract'])
    return StopEvent({ result: { words: text.split(' ') } })
  },
)
const tagger = workflow('tagger', { input: typeOnly<{ words: string[] }>() }).step(
  'tag',
  { accepts: StartEvent, emits: StopEvent },
  ({ words }) => StopEvent({ result: words.length }),
)
const summariser = workflow('summariser', { input: typeOnly<{ words: string[] }>() }).step(
  'sum',
  { accepts: StartEvent, emits: StopEvent },
  async ({ words }) => {
    await Promise.resolve()
    return StopEvent({ result: words.join('-') })
  },
)
const refiner = workflow('refiner', { input: typeOnly<{ score: number }>() }).step(
  'refine',
  { accepts: StartEvent, emits: StopEvent },
  ({ score }) => StopEvent({ result: { score: score + 1 } }),
)
const approver = workflow('approver', { input: typeOnly<{ score: number }>() })
  .step('ask', { accepts: StartEvent, emits: InputRequestEvent }, ({ score }) =>
    InputRequestEvent({ requestId: 'ok', prompt: `Publish at ${score}?` }),
  )
  .step('done', { accepts: InputResponseEvent, emits: StopEvent }, ({ response }) =>
    StopEvent({ result: { published: response === 'yes' } }),
  )

const ingest = pipeline('ingest', { input: typeOnly<{ text: string }>() })
  .stage('extract', extractor)
  .parallel('enrich', { tags: tagger, summary: summariser })
  .loop('refine', refiner, {
    until: ({ score }) => score >= 3,
    max: 10,
    input: ({ last, round }) => ({ score: round === 1 ? 0 : (last as { score: number }).score }),
  })
  .stage('approve', approver)

test('a pipeline runs its stages, one after the other', async () => {
  const handler = ingest.run({ text: 'a b c' })
  await until(() => handler.status === 'waiting')
  expect(handler.pendingInputs).toMatchObject([{ prompt: 'Publish at 3?', path: ['approve'] }])
  await handler.respondToInput(handler.pendingInputs[0]?.requestId ?? '', 'yes')
  const result: { published: boolean } = await handler.result()
  expect(result).toEqual({ published: true })
})

test('paused and resumed', async () => {
  const handler = ingest.run({ text: 'a b c' })
  const snapshot = JSON.parse(JSON.stringify(await handler.pause()))
  handler.abort()
  const again = ingest.resume(snapshot)
  await until(() => again.status === 'waiting')
  await again.respondToInput(again.pendingInputs[0]?.requestId ?? '', 'no')
  expect(await again.result()).toEqual({ published: false })
})

test('however it is cut, a pipeline comes to the same', async () => {
  const report = await crashAtEveryRecord(ingest, { input: { text: 'a b c' }, answers: () => 'yes' })
  expect(report.result).toEqual({ published: true })
}, 60_000)

test('on a host', async () => {
  const store = memoryStore()
  await using host = createHost({ store, workflows: [ingest], pollMs: 5 })
  const handler = await host.run(ingest, { text: 'a b' })
  await until(() => handler.status === 'waiting')
  await host.respondToInput(handler.runId, handler.pendingInputs[0]?.requestId ?? '', 'yes')
  expect(await handler.result()).toEqual({ published: true })
})
