import {
  createHost,
  defineEvent,
  InputRequestEvent,
  InputResponseEvent,
  memoryStore,
  StartEvent,
  StopEvent,
  workflow,
} from 'blazen-xstate'
import { crashAtEveryRecord, failSteps, mockSteps } from 'blazen-xstate/testing'
import { expect, test } from 'vitest'
import { checkCalls, settledIn } from '../src/testing/settled-calls.ts'

const Job = defineEvent<{ n: number }>('Job')

/** Waits an hour for a retry, three days for an event, and two for a person; half an hour it may be at work. */
const longWait = workflow('long wait', { timeout: '20d' })
  .step('begin', { accepts: StartEvent, timeout: '30m', retry: { attempts: 2, delay: '1h' } }, (_event, ctx) => {
    ctx.sendEvent(Job({ n: 1 }), { delay: '3d' })
  })
  .step('job', { accepts: Job }, () =>
    InputRequestEvent({ requestId: 'ok', prompt: '?', timeout: '2d', default: 'nobody' }),
  )
  .step('hear', { accepts: InputResponseEvent }, ({ response }) => StopEvent({ result: response }))

test('a workflow that waits for days is cut at every record in no time, and a request that nobody answers times out', async () => {
  const report = await crashAtEveryRecord(failSteps(longWait, { begin: { when: 'after' } }))
  expect(report.result).toBe('nobody')
  expect(report.records).toBeGreaterThan(6)
  expect(report.cuts).toEqual(Array.from({ length: report.records - 1 }, (_, n) => n + 1))
}, 60_000)

test('a request that has an answer is answered before its time is up', async () => {
  const { result } = await crashAtEveryRecord(longWait, { answers: { ok: 'me' } })
  expect(result).toBe('me')
}, 60_000)

test('an effect that is not idempotent is found', async () => {
  const effects: string[] = []
  const flow = workflow('effect')
    .step('begin', { accepts: StartEvent }, () => Job({ n: 1 }))
    .step('job', { accepts: Job, retry: { attempts: 2 } }, ({ n }) => {
      effects.push(`job ${n}`)
      return StopEvent({ result: n })
    })
  const options = { effects: { clear: () => effects.splice(0), read: () => [...effects] } }
  await expect(crashAtEveryRecord(flow, { ...options, lostRecords: false })).resolves.toBeDefined()
  await expect(crashAtEveryRecord(flow, options)).rejects.toThrow(
    'cut before record 3: expected effects ["job 1"], got ["job 1","job 1"].',
  )
}, 60_000)

test('a function that is called for an execution that had settled is told of', async () => {
  const flow = workflow('twice').step('begin', { accepts: StartEvent }, () => StopEvent({ result: 1 }))
  const store = memoryStore()
  await using host = createHost({ store, workflows: [flow] })
  await (await host.run(flow, undefined, { runId: 'r' })).result()
  const settled = await settledIn(store, 'r')
  const watched = mockSteps(flow, {})
  checkCalls('here', settled, watched)
  await watched.run(undefined, { runId: 'r' }).result()
  expect(() => checkCalls('here', settled, watched)).toThrow(
    'here: the function of step "begin" was called again for execution r/1, which had settled in record 2.',
  )
})
