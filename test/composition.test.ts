import {
  type AnyWorkflow,
  createHost,
  defineEvent,
  InputRequestEvent,
  InputResponseEvent,
  memoryStore,
  ProgressEvent,
  pipeline,
  RunAbortedError,
  StartEvent,
  StopEvent,
  subWorkflow,
  typeOnly,
  UsageEvent,
  type WorkflowHandler,
  workflow,
} from 'blazen-xstate'
import { crashAtEveryRecord, virtualTime } from 'blazen-xstate/testing'
import { describe, expect, test } from 'vitest'
import { createGate, rejection, turns, until } from './waiting.ts'

const numbers = { input: typeOnly<{ value: number }>() }
const Value = defineEvent('Value', typeOnly<{ value: number }>())

/** What the steps at the bottom do, by name: told to a test, and told by it. */
interface Watch {
  readonly calls: string[]
  readonly gates: Record<string, Promise<unknown>>
  readonly aborted: string[]
}

const watch = (gates: Watch['gates'] = {}): Watch => ({ calls: [], gates, aborted: [] })

/** Adds one, when its gate is open. */
function adder(name: string, { calls, gates, aborted }: Watch) {
  return workflow(name, numbers).step('add', { accepts: StartEvent, emits: StopEvent }, async ({ value }, ctx) => {
    const call = `${name}(${value})`
    calls.push(call)
    ctx.signal.addEventListener('abort', () => void aborted.push(call))
    ctx.writeEventToStream({ type: 'Adding' })
    ctx.writeEventToStream(UsageEvent({ inputTokens: 10, outputTokens: 1, cost: 0.5 }))
    await gates[call]
    return StopEvent({ result: { value: value + 1 } })
  })
}

const asker = workflow('asker', numbers)
  .step('ask', { accepts: StartEvent, emits: InputRequestEvent }, ({ value }) =>
    InputRequestEvent({ requestId: 'q', prompt: `${value}?` }),
  )
  .step('hear', { accepts: InputResponseEvent, emits: StopEvent }, ({ response }) =>
    StopEvent({ result: { value: Number(response) } }),
  )

/** A pipeline in a pipeline in a workflow: a stage, branches, and a loop. */
function deep(what: Watch, last: AnyWorkflow = adder('last', what)) {
  const inner = pipeline('inner', numbers)
    .stage('one', adder('one', what))
    .parallel('fan', { left: adder('left', what), right: adder('right', what) })
    .loop('grow', adder('round', what), {
      input: ({ last, round, results }) => ({
        value: round === 1 ? results.fan.left.value + results.fan.right.value : (last as { value: number }).value,
      }),
      until: (_result, round) => round === 4,
      max: 9,
    })
  const outer = pipeline('outer', numbers)
    .stage('inner', inner)
    .stage('last', last as ReturnType<typeof adder>)
  return workflow('top', numbers)
    .step('outer', subWorkflow(outer, { accepts: StartEvent, emits: Value }))
    .step('end', { accepts: Value, emits: StopEvent }, ({ value }, ctx) => {
      what.calls.push('end')
      ctx.writeEventToStream({ type: 'Adding' })
      return StopEvent({ result: value })
    })
}

const allCalls = ['one(0)', 'left(1)', 'right(1)', 'round(4)', 'round(5)', 'round(6)', 'round(7)', 'last(8)', 'end']

const copy = <Snapshot>(snapshot: Snapshot): Snapshot => JSON.parse(JSON.stringify(snapshot))

describe('three levels', () => {
  test('come to a result, with streams that tell where they are', async () => {
    const what = watch()
    const handler = deep(what).run({ value: 0 })
    expect(await handler.result()).toBe(9)
    expect(what.calls).toEqual(allCalls)
    const paths: unknown[] = []
    for await (const event of handler.stream())
      if (event.type === 'Adding') paths.push(((event as { path?: string[] }).path ?? []).join('/'))
    expect(paths).toEqual([
      'outer/inner/one/add',
      'outer/inner/fan/left/add',
      'outer/inner/fan/right/add',
      'outer/inner/grow/1/add',
      'outer/inner/grow/2/add',
      'outer/inner/grow/3/add',
      'outer/inner/grow/4/add',
      'outer/last/add',
      '',
    ])
  })

  test.each(['one(0)', 'right(1)', 'round(6)', 'last(8)'])(
    'pause inside %s, and go on there, here or elsewhere: nothing that had settled runs again',
    async (call) => {
      for (const inFlight of ['wait', 'abort'] as const) {
        for (const elsewhere of [false, true]) {
          const gate = createGate()
          const what = watch({ [call]: gate.opened })
          const flow = deep(what)
          let handler: WorkflowHandler = flow.run({ value: 0 })
          await until(() => what.calls.includes(call))
          const pausing = handler.pause({ inFlight })
          await turns()
          if (inFlight === 'wait') {
            expect(handler.status).toBe('pausing')
            gate.open()
          }
          const snapshot = copy(await pausing)
          expect(handler.status).toBe('paused')
          expect(what.aborted).toEqual(inFlight === 'abort' ? [call] : [])
          const before = what.calls.length
          await turns()
          expect(what.calls).toHaveLength(before)
          gate.open()
          if (elsewhere) handler = flow.resume(snapshot)
          else handler.resume()
          expect(await handler.result()).toBe(9)
          const expected = inFlight === 'abort' ? [...allCalls, call] : allCalls
          expect([...what.calls].sort()).toEqual([...expected].sort())
        }
      }
    },
  )

  test('that are aborted fire every signal, at once', async () => {
    const never = new Promise(() => {})
    const what = watch({ 'left(1)': never, 'right(1)': never })
    const handler = deep(what).run({ value: 0 })
    await until(() => what.calls.length === 3)
    const startedAt = performance.now()
    handler.abort('enough')
    expect(await rejection(handler.result())).toBeInstanceOf(RunAbortedError)
    await until(() => what.aborted.length === 2)
    expect(performance.now() - startedAt).toBeLessThan(500)
    expect(what.aborted).toEqual(['left(1)', 'right(1)'])
  })

  test('show a request at the top with its path; it is answered while paused, and after a restart', async () => {
    const flow = deep(watch(), asker as AnyWorkflow)
    const handler = flow.run({ value: 0 })
    await until(() => handler.status === 'waiting')
    const requestId = 'outer#1/last#2/q'
    expect(handler.pendingInputs).toMatchObject([{ requestId, path: ['outer', 'last'], prompt: '8?' }])
    const snapshot = copy(await handler.pause())
    await handler.respondToInput(requestId, 100)
    expect(handler.pendingInputs).toEqual([])
    await expect(handler.respondToInput(requestId, 100)).rejects.toThrow(requestId)
    handler.resume()
    expect(await handler.result()).toBe(100)
    const again = flow.resume(snapshot)
    await again.respondToInput(requestId, 200)
    expect(await again.result()).toBe(200)
  })

  test('progress from 0 to 100, and 100 only at the end', async () => {
    const gate = createGate()
    const what = watch({ 'last(8)': gate.opened })
    const flow = deep(what)
    const inner = pipeline('inner', numbers).stage('a', adder('a', what)).stage('b', adder('last', what))
    const handler = pipeline('flow', numbers).stage('inner', inner).stage('c', adder('c', what)).run({ value: 7 })
    const seen = [handler.progress]
    handler.actor.subscribe(() => void seen.push(handler.progress))
    await until(() => what.calls.includes('last(8)'))
    expect(handler.progress).toBe(25)
    gate.open()
    await handler.result()
    seen.push(handler.progress)
    expect(seen).toEqual([...seen].sort((a, b) => a - b))
    expect(seen[0]).toBe(0)
    expect(seen.at(-1)).toBe(100)
    expect(seen.slice(0, -2).every((percent) => percent < 100)).toBe(true)
    expect(await flow.run({ value: 0 }).result()).toBe(9)
  })

  test('what the steps of a workflow inside tell of their progress counts for its part of the pipeline', async () => {
    const gate = createGate()
    const telling = workflow('telling', numbers).step(
      'tell',
      { accepts: StartEvent, emits: StopEvent },
      async ({ value }, ctx) => {
        ctx.writeEventToStream(ProgressEvent({ current: 1, total: 2 }))
        await gate.opened
        return StopEvent({ result: { value } })
      },
    )
    const handler = pipeline('flow', numbers).stage('a', telling).stage('b', telling).run({ value: 1 })
    await turns()
    expect(handler.progress).toBe(25)
    gate.open()
    await handler.result()
    expect(handler.progress).toBe(100)
  })

  test('roll up what their steps have used', async () => {
    const handler = deep(watch()).run({ value: 0 })
    await handler.result()
    expect(handler.usage).toMatchObject({ inputTokens: 80, outputTokens: 8, totalTokens: 88, cost: 4 })
    expect(handler.usage.steps['outer/inner/grow/3/add']).toMatchObject({ totalTokens: 11 })
  })

  test('tell of their stages: status, time, result', async () => {
    const time = virtualTime({ start: 0 })
    const slow = workflow('slow', numbers).step(
      'work',
      { accepts: StartEvent, emits: StopEvent },
      async ({ value }) => {
        await time.sleep('2s')
        return StopEvent({ result: { value } })
      },
    )
    const flow = pipeline('flow', numbers)
      .stage('slow', slow)
      .stage('no', slow, { when: () => false })
      .stage('ask', asker)
    const handler = flow.run({ value: 1 }, { clock: time.clock })
    await turns()
    expect(handler.stages.map(({ status }) => status)).toEqual(['running', 'pending', 'pending'])
    await time.runUntil(handler)
    expect(handler.stages).toMatchObject([
      { name: 'slow', status: 'completed', durationMs: 2_000, result: { value: 1 }, skipped: false },
      { name: 'no', status: 'skipped', skipped: true },
      { name: 'ask', status: 'running', durationMs: undefined, result: undefined },
    ])
    await handler.respondToInput(handler.pendingInputs[0]?.requestId ?? '', 3)
    await handler.result()
    expect(handler.stages[2]).toMatchObject({ status: 'completed', result: { value: 3 } })
  })

  test('a condition that ends when its attempt was aborted by a pause changes nothing', async () => {
    const gate = createGate()
    const what = watch()
    const rounds: number[] = []
    const flow = pipeline('flow', numbers).loop('grow', adder('round', what), {
      until: async (_result, round) => {
        rounds.push(round)
        if (rounds.length === 1) await gate.opened
        return round === 2
      },
      max: 9,
    })
    const handler = flow.run({ value: 0 })
    await until(() => rounds.length === 1)
    await handler.pause({ inFlight: 'abort' })
    gate.open()
    await turns()
    expect(what.calls).toEqual(['round(0)'])
    handler.resume()
    expect(await handler.result()).toEqual({ value: 2 })
    expect(what.calls).toEqual(['round(0)', 'round(1)'])
    expect(rounds).toEqual([1, 1, 2])
  })
})

describe('on a host', () => {
  test('a request of a run inside is answered from another process', async () => {
    const store = memoryStore()
    const flow = deep(watch(), asker as AnyWorkflow)
    await using owner = createHost({ store, workflows: [flow], pollMs: 5 })
    await using other = createHost({ store, workflows: [flow], pollMs: 5, recover: false })
    const { runId } = await owner.run(flow, { value: 0 })
    const seen = await other.get(runId)
    await until(async () => (await seen?.pendingInputs())?.length === 1)
    const [request] = (await seen?.pendingInputs()) ?? []
    expect(request).toMatchObject({ requestId: 'outer#1/last#2/q', path: ['outer', 'last'] })
    await other.respondToInput(runId, request?.requestId ?? '', 42)
    expect(await (await other.get(runId))?.result()).toBe(42)
  })

  test('however it is cut, it comes to the same', async () => {
    const report = await crashAtEveryRecord(deep(watch(), asker as AnyWorkflow), {
      input: { value: 0 },
      answers: () => 42,
    })
    expect(report.result).toBe(42)
    expect(report.records).toBeGreaterThan(20)
  }, 120_000)

  test('what is retried inside, and the first of several, come to the same however they are cut', async () => {
    const flaky = workflow('flaky', { ...numbers, retry: { attempts: 2, delay: '1h' } }).step(
      'work',
      { accepts: StartEvent, emits: StopEvent },
      ({ value }, ctx) => {
        if (ctx.attempt === 1) throw new Error('not yet')
        ctx.shared.update<number>('count', (n = 0) => n + 1)
        return StopEvent({ result: { value: value + Number(ctx.shared.get('count')) } })
      },
    )
    const bad = workflow('bad', numbers).step('work', { accepts: StartEvent, emits: StopEvent }, () => {
      if (flaky.name === 'flaky') throw new Error('never')
      return StopEvent({ result: { value: 0 } })
    })
    const flow = pipeline('flow', numbers)
      .loop('flaky', flaky, { max: 2 })
      .parallel('race', { bad, flaky }, { join: 'first' })
      .parallel('again', { flaky: { run: flaky, input: ({ last }) => last.result } }, { retry: { attempts: 2 } })
    const report = await crashAtEveryRecord(flow, { input: { value: 0 } })
    expect(report.result).toEqual({ flaky: { value: 10 } })
  }, 120_000)
})
