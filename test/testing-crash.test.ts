import {
  createHost,
  defineEvent,
  InputRequestEvent,
  InputResponseEvent,
  memoryStore,
  StartEvent,
  StopEvent,
  subWorkflow,
  workflow,
} from 'blazen-xstate'
import { crashAtEveryRecord, failSteps, mockSteps } from 'blazen-xstate/testing'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
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

test('what holds the id of an execution is the same however the run is cut', async () => {
  const paid = new Map<string, number>()
  const flow = workflow('payment')
    .step('begin', { accepts: StartEvent }, () => Job({ n: 1 }))
    .step('pay', { accepts: Job }, ({ n }, ctx) => {
      paid.set(ctx.executionId, n)
      return StopEvent({ result: `receipt for ${ctx.executionId}` })
    })
  const effects = { clear: () => paid.clear(), read: () => [...paid] }
  const { result } = await crashAtEveryRecord(flow, { effects })
  expect(paid).toEqual(new Map([[String(result).replace('receipt for ', ''), 1]]))
}, 60_000)

describe('an answer that is missing ends the test at once', () => {
  const approval = workflow('approval', { requests: { approval: { response: z.enum(['yes', 'no']) } } })
    .step('ask', { accepts: StartEvent, emits: InputRequestEvent }, () => {
      return InputRequestEvent({ requestId: 'approve', prompt: 'Publish?', kind: 'approval' })
    })
    .step('hear', { accepts: InputResponseEvent, emits: StopEvent }, ({ response }) => StopEvent({ result: response }))

  /** The time that a run has goes far beyond that of the test. */
  const patient = { timeoutMs: 600_000 }

  test.each([
    { answers: undefined, given: '`answers` is not given' },
    { answers: {}, given: '`answers` has none' },
    { answers: { aprove: 'yes' }, given: '`answers` has only "aprove"' },
    { answers: () => undefined, given: '`answers` gives undefined' },
  ])(
    'and says what there is: $given',
    async ({ answers, given }) => {
      await expect(crashAtEveryRecord(approval, { ...patient, ...(answers && { answers }) })).rejects.toThrow(
        `The run waits for an answer to "approve" (Publish?): ${given}. Give it, as in answers: { approve: … }.`,
      )
    },
    60_000,
  )

  test('of a run inside, by the key that it has here, which answers it', async () => {
    const desk = workflow('desk').step(
      'order',
      subWorkflow(approval, { accepts: StartEvent, emits: StopEvent, output: (result) => StopEvent({ result }) }),
    )
    await expect(crashAtEveryRecord(desk, { ...patient, answers: { approve: 'yes' } })).rejects.toThrow(
      `The run waits for an answer to "order#1/approve" (Publish?): \`answers\` has only "approve". Give it, as in answers: { 'order#1/approve': … }.`,
    )
    const { result } = await crashAtEveryRecord(desk, { answers: { 'order#1/approve': 'yes' } })
    expect(result).toBe('yes')
  }, 60_000)

  test('of a request without an id of its own, which has another one in each run', async () => {
    const flow = workflow('nameless').step('ask', { accepts: StartEvent }, () => InputRequestEvent({ prompt: 'Well?' }))
    const hearing = flow.step('hear', { accepts: InputResponseEvent }, () => StopEvent({ result: 1 }))
    await expect(crashAtEveryRecord(hearing, patient)).rejects.toThrow(
      'Name the request first, by a `requestId`: it has another one each time. Give it, as in answers: { approve: … }.',
    )
  }, 60_000)

  test('but not while a delayed event, or a request beside it, may move the run on', async () => {
    const two = workflow('two')
      .step('ask', { accepts: StartEvent }, (_event, ctx) => {
        ctx.sendEvent(Job({ n: 2 }), { delay: '3d' })
        return [
          InputRequestEvent({ requestId: 'never', prompt: 'Well?' }),
          InputRequestEvent({ requestId: 'late', prompt: 'Well?', timeout: '1d', default: 'nobody' }),
        ]
      })
      .step('hear', { accepts: InputResponseEvent }, () => null)
      .step('end', { accepts: Job }, ({ n }) => StopEvent({ result: n }))
    expect((await crashAtEveryRecord(two)).result).toBe(2)
  }, 60_000)

  test('nor while a function in the process is at an answer, for longer than time waits for it', async () => {
    const asked = workflow('asked', {
      onInput: async () => {
        await new Promise((resolve) => setTimeout(resolve, 150))
        return 'from here'
      },
    })
      .step('ask', { accepts: StartEvent }, () => InputRequestEvent({ requestId: 'q', prompt: 'Well?' }))
      .step('hear', { accepts: InputResponseEvent }, ({ response }) => StopEvent({ result: response }))
    expect((await crashAtEveryRecord(asked)).result).toBe('from here')
  }, 60_000)

  test('and so does one that its schema refuses', async () => {
    const refused = crashAtEveryRecord(approval, { ...patient, answers: { approve: 'perhaps' } })
    await expect(refused).rejects.toThrow(
      /^The answer to request "approve" does not fit the schema of its kind "approval": .*yes.* Give one that does, as in answers: \{ approve: … \}\.$/,
    )
    await expect(refused).rejects.toMatchObject({ cause: { name: 'EventValidationError' } })
  }, 60_000)
})
