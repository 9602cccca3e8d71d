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
import type { ChildRun, RunData } from 'blazen-xstate/machines'
import { virtualTime } from 'blazen-xstate/testing'
import { expect, test } from 'vitest'
import { readStoredRun } from '../src/stored-run.ts'
import { compiledOf } from '../src/workflow.ts'

const numbers = { input: typeOnly<{ value: number }>() }

test('the time of runs inside is counted down over a restart, as far as the records tell', async () => {
  const time = virtualTime({ start: 0 })
  const slow = workflow('slow', numbers).step(
    'work',
    { accepts: StartEvent, emits: StopEvent },
    async ({ value }, ctx) => {
      await time.sleep('2s', { signal: ctx.signal })
      return StopEvent({ result: { value } })
    },
  )
  const asker = workflow('asker', numbers)
    .step('ask', { accepts: StartEvent, emits: InputRequestEvent }, async () => {
      await time.sleep('3s')
      return InputRequestEvent({ requestId: 'q', prompt: '?' })
    })
    .step('hear', { accepts: InputResponseEvent, emits: StopEvent }, () => StopEvent({ result: { value: 1 } }))
  const inner = pipeline('inner', numbers).stage('slow', slow).stage('ask', asker, { timeout: '10s' })
  const flow = pipeline('flow', numbers).stage('inner', inner, { timeout: '30s' })
  const store = memoryStore({ now: () => time.now() })
  await using host = createHost({ store, workflows: [flow], clock: time.clock })
  const handler = await host.run(flow, { value: 1 })
  await time.runUntil(() => handler.status === 'waiting')
  await time.advance('1h')
  await time.runUntil(() => true)
  const { picture } = readStoredRun(compiledOf(flow), { base: undefined, records: await store.records(handler.runId) })
  const childOf = ({ open }: Pick<RunData, 'open'>) => [...(open[0]?.children?.values() ?? [])][0] as ChildRun
  const below = childOf(picture.data).picture().data as RunData
  expect(below.timeLeftMs).toBe(25_000)
  expect((childOf(below).picture().data as RunData).timeLeftMs).toBe(7_000)
})

test('what a run inside has asked is not asked any more when it has failed, also after a restart', async () => {
  const store = memoryStore()
  const both = workflow('both', numbers)
    .step('ask', { accepts: StartEvent, emits: InputRequestEvent }, () =>
      InputRequestEvent({ requestId: 'lost', prompt: '?', timeout: '20ms' }),
    )
    .step('hear', { accepts: InputResponseEvent, emits: StopEvent }, () => StopEvent({ result: { value: 1 } }))
  const asker = workflow('asker', numbers)
    .step('ask', { accepts: StartEvent, emits: InputRequestEvent }, () =>
      InputRequestEvent({ requestId: 'kept', prompt: '?' }),
    )
    .step('hear', { accepts: InputResponseEvent, emits: StopEvent }, () => StopEvent({ result: { value: 2 } }))
  const flow = pipeline('flow', numbers).parallel('race', { both, asker }, { join: 'first' })
  const first = createHost({ store, workflows: [flow], pollMs: 5 })
  const handler = await first.run(flow, { value: 1 })
  while (handler.pendingInputs.length !== 1) await new Promise((resolve) => setTimeout(resolve, 5))
  const { picture } = readStoredRun(compiledOf(flow), { base: undefined, records: await store.records(handler.runId) })
  const pictures = [...(picture.data.open[0]?.children?.values() ?? [])].map((child) => child.picture().data as RunData)
  expect(pictures.map(({ requests }) => requests.map(({ requestId }) => requestId))).toEqual([[], ['kept']])
  await first.close()
  await using second = createHost({ store, workflows: [flow], pollMs: 5 })
  const run = await second.get(handler.runId)
  expect((await run?.pendingInputs())?.map(({ requestId }) => requestId)).toEqual(['race#1/asker/kept'])
  await second.respondToInput(handler.runId, 'race#1/asker/kept', 'yes')
  expect(await run?.result()).toEqual({ branch: 'asker', result: { value: 2 } })
})
