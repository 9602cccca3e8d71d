import {
  createHost,
  defineEvent,
  InputRequestEvent,
  InputResponseEvent,
  memoryStore,
  StartEvent,
  StopEvent,
  subWorkflow,
  typeOnly,
  workflow,
} from 'blazen-xstate'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { crashAtEveryRecord } from '../src/testing/index.ts'
import { rejection, until } from './waiting.ts'

const Doc = defineEvent('Doc', typeOnly<{ text: string }>())
const Enriched = defineEvent('Enriched', typeOnly<{ words: number }>())

const counter = workflow('counter', { input: typeOnly<{ text: string }>() }).step(
  'count',
  { accepts: StartEvent, emits: StopEvent },
  ({ text }, ctx) => {
    ctx.writeEventToStream({ type: 'Counting' })
    return StopEvent({ result: { words: text.split(' ').length } })
  },
)
const asker = workflow('asker', { input: typeOnly<{ text: string }>() })
  .step('ask', { accepts: StartEvent, emits: InputRequestEvent }, ({ text }) =>
    InputRequestEvent({ requestId: 'q', prompt: text }),
  )
  .step('answered', { accepts: InputResponseEvent, emits: StopEvent }, ({ response }) =>
    StopEvent({ result: { words: Number(response) } }),
  )

const flow = (child: typeof counter | typeof asker) =>
  workflow('flow', { input: typeOnly<{ text: string }>() })
    .step('begin', { accepts: StartEvent, emits: Doc }, ({ text }) => Doc({ text }))
    .step('enrich', subWorkflow(child as typeof counter, { accepts: Doc, emits: Enriched }))
    .step('end', { accepts: Enriched, emits: StopEvent }, ({ words }) => StopEvent({ result: words }))

test('a step runs a workflow', async () => {
  const handler = flow(counter).run({ text: 'a b c' })
  expect(await handler.result()).toBe(3)
  const events = []
  for await (const event of handler.stream()) events.push(event)
  expect(events).toEqual([{ type: 'Counting', path: ['enrich', 'count'] }])
})

test('a request surfaces with its path', async () => {
  const handler = flow(asker).run({ text: 'How many?' })
  await new Promise((r) => setTimeout(r, 10))
  expect(handler.status).toBe('waiting')
  expect(handler.pendingInputs).toMatchObject([{ requestId: 'enrich#2/q', path: ['enrich'] }])
  const snapshot = JSON.parse(JSON.stringify(await handler.pause()))
  expect(handler.status).toBe('paused')
  handler.abort()
  const again = flow(asker).resume(snapshot)
  await new Promise((r) => setTimeout(r, 10))
  expect(again.status).toBe('waiting')
  await again.respondToInput('enrich#2/q', 5)
  expect(await again.result()).toBe(5)
})

test('what begins although its step has failed meanwhile does not go on', async () => {
  const store = memoryStore()
  const signals: AbortSignal[] = []
  const endless = workflow('endless', { input: typeOnly<{ text: string }>() }).step(
    'wait',
    { accepts: StartEvent, emits: StopEvent },
    async (_, ctx) => {
      signals.push(ctx.signal)
      await new Promise((resolve) => ctx.signal.addEventListener('abort', resolve))
      return StopEvent({ result: { words: 0 } })
    },
  )
  const picky = workflow('picky', { input: z.object({ text: z.string().max(3) }) }).step(
    'never',
    { accepts: StartEvent, emits: StopEvent },
    () => StopEvent({ result: { words: 0 } }),
  )
  const it = workflow('flow', { input: typeOnly<{ text: string }>() })
    .step('begin', { accepts: StartEvent, emits: Doc }, ({ text }) => Doc({ text }))
    .step(
      'enrich',
      subWorkflow(
        { endless, picky },
        { accepts: Doc, emits: Enriched, output: () => Enriched({ words: 1 }), retry: { attempts: 3 } },
      ),
    )
    .step('end', { accepts: Enriched, emits: StopEvent }, ({ words }) => StopEvent({ result: words }))
  await using host = createHost({ store, workflows: [it], pollMs: 5 })
  const handler = await host.run(it, { text: 'too long' })
  expect(String(await rejection(handler.result()))).toContain('Too big')
  await until(() => signals.every(({ aborted }) => aborted))
})

test('on a host', async () => {
  const store = memoryStore()
  const it = flow(asker)
  const host = createHost({ store, workflows: [it], pollMs: 5 })
  const handler = await host.run(it, { text: 'x' })
  await new Promise((r) => setTimeout(r, 30))
  expect((await host.history(handler.runId)).map(({ kind }) => [kind])).toMatchObject([
    ['started'],
    ['settled'],
    ['begun'],
    ['settled'],
    ['waiting'],
  ])
})

test('crash', async () => {
  console.log(await crashAtEveryRecord(flow(asker), { input: { text: 'x' }, answers: () => 7 }))
  console.log(await crashAtEveryRecord(flow(counter), { input: { text: 'x' } }))
})
