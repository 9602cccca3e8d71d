import {
  defineEvent,
  InputRequestEvent,
  InputResponseEvent,
  RunAbortedError,
  RunFinishedError,
  RunOwnershipLostError,
  RunTimeoutError,
  StartEvent,
  StepFailedError,
  StopEvent,
  type WorkflowSnapshot,
  workflow,
} from 'blazen-xstate'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createGate, rejection, turns } from './waiting.ts'

const Job = defineEvent<{ n: number }>('Job')
const Note = defineEvent<{ text: string }>('Note')
const never = () => new Promise<null>(() => {})

const asText = (snapshot: WorkflowSnapshot): WorkflowSnapshot => JSON.parse(JSON.stringify(snapshot))

/** Timers and the date are the test's; the event loop turns as ever. */
beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'], now: 1_000_000 }))
afterEach(() => void vi.useRealTimers())

async function pass(ms: number): Promise<void> {
  await turns()
  await vi.advanceTimersByTimeAsync(ms)
  await turns()
}

/** A step that works until its gate opens, and notes how often it began. */
function gated() {
  const gate = createGate()
  const log: string[] = []
  const flow = workflow('gated', { timeout: '1h' })
    .step('begin', { accepts: StartEvent }, async (_event, ctx) => {
      log.push(`begin ${ctx.attempt} ${ctx.executionId.split('/')[1]}`)
      ctx.state.update<number>('begun', (n = 0) => n + 1)
      await gate.opened
      return Job({ n: 1 })
    })
    .step('job', { accepts: Job }, ({ n }, ctx) => {
      log.push(`job ${n}`)
      return StopEvent({ result: [n, ctx.state.begun] })
    })
  return { flow, gate, log }
}

describe('a pause', () => {
  test('waits for the steps that run, keeps what they return, and starts nothing', async () => {
    const { flow, gate, log } = gated()
    const handler = flow.run()
    const paused = handler.pause()
    await turns()
    expect(handler.status).toBe('pausing')
    gate.open()
    const snapshot = await paused
    await turns()
    expect(handler.status).toBe('paused')
    expect(log).toEqual(['begin 1 1'])
    expect(snapshot).toMatchObject({ status: 'active', value: 'paused', context: { executions: [] } })
    expect(snapshot.context.queue).toHaveLength(1)
    handler.resume()
    expect(await handler.result()).toEqual([1, 1])
    expect(log).toEqual(['begin 1 1', 'job 1'])
  })

  test('that aborts does not wait: the signal is aborted, and the step runs again, as the same execution and attempt', async () => {
    const { flow, gate, log } = gated()
    const handler = flow.run()
    await turns()
    const snapshot = await handler.pause({ inFlight: 'abort' })
    expect(handler.status).toBe('paused')
    expect(snapshot.context.executions).toMatchObject([{ id: 1, step: 'begin', attempt: 1 }])
    expect(snapshot.context.state).toEqual([])
    gate.open()
    await turns()
    expect(log).toEqual(['begin 1 1'])
    handler.resume()
    expect(await handler.result()).toEqual([1, 1])
    expect(log).toEqual(['begin 1 1', 'begin 1 1', 'job 1'])
  })

  test('aborts the signals of the steps that run, with a reason that says so, and no others', async () => {
    const reasons: unknown[] = []
    const flow = workflow('signals').step('begin', { accepts: StartEvent }, (_event, { signal }) => {
      signal.addEventListener('abort', () => reasons.push(signal.reason))
      return never()
    })
    const handler = flow.run()
    await turns()
    void handler.pause()
    await turns()
    expect(reasons).toEqual([])
    await handler.pause({ inFlight: 'abort' })
    expect(reasons).toMatchObject([{ name: 'AbortError', message: expect.stringContaining('paused') }])
    handler.abort()
  })

  test('that aborts comes after one that waits, and both resolve', async () => {
    const { flow } = gated()
    const handler = flow.run()
    await turns()
    const waits = handler.pause()
    await turns()
    const aborts = handler.pause({ inFlight: 'abort' })
    expect((await waits).value).toBe('paused')
    expect(await aborts).toEqual(await waits)
    handler.abort()
  })

  test('of a paused run gives the same snapshot again', async () => {
    const { flow, gate } = gated()
    const handler = flow.run()
    gate.open()
    const first = await handler.pause()
    expect(await handler.pause()).toEqual(first)
    expect(await handler.pause({ inFlight: 'abort' })).toEqual(first)
    expect(handler.snapshot()).toEqual(first)
    expect(handler.status).toBe('paused')
    handler.abort()
  })

  test('can be repeated as often as one likes, with the result awaited all the time', async () => {
    const gates = Array.from({ length: 5 }, () => createGate())
    const flow = workflow('often')
      .step('begin', { accepts: StartEvent }, () => Job({ n: 0 }))
      .step('job', { accepts: Job }, async ({ n }) => {
        await gates[n]?.opened
        return n === 4 ? StopEvent({ result: n }) : Job({ n: n + 1 })
      })
    const handler = flow.run()
    const result = handler.result()
    for (const gate of gates) {
      const paused = handler.pause()
      gate.open()
      await paused
      expect(handler.status).toBe('paused')
      handler.resume()
      await turns()
    }
    expect(await result).toBe(4)
  })

  test('is not starved by a workflow that loops without ever waiting', async () => {
    let rounds = 0
    const handler = workflow('busy')
      .step('begin', { accepts: StartEvent }, () => [Job({ n: 0 }), Job({ n: 1 })])
      .step('job', { accepts: Job }, ({ n }) => {
        rounds++
        return Job({ n })
      })
      .run()
    await turns()
    const snapshot = await handler.pause()
    const before = rounds
    await turns(10)
    expect(rounds).toBe(before)
    expect(snapshot.context.queue.length + snapshot.context.executions.length).toBe(2)
    handler.resume()
    await turns()
    expect(rounds).toBeGreaterThan(before)
    await handler.pause({ inFlight: 'abort' })
    handler.abort()
    expect(await rejection(handler.result())).toBeInstanceOf(RunAbortedError)
  })

  test('of a run that waits for a person leaves the request open; the answer may come while it is paused', async () => {
    const flow = workflow('asks')
      .step('begin', { accepts: StartEvent }, () => InputRequestEvent({ requestId: 'a', prompt: 'Sure?' }))
      .step('hear', { accepts: InputResponseEvent }, ({ response }) => StopEvent({ result: response }))
    const handler = flow.run()
    await turns()
    expect(handler.status).toBe('waiting')
    await handler.pause()
    expect(handler.pendingInputs).toMatchObject([{ requestId: 'a' }])
    await handler.respondToInput('a', 'yes')
    await turns()
    expect(handler.status).toBe('paused')
    expect(handler.pendingInputs).toEqual([])
    const elsewhere = asText(handler.snapshot())
    handler.resume()
    expect(await handler.result()).toBe('yes')
    expect(await flow.resume(elsewhere).result()).toBe('yes')
  })

  test('of a run that waits for a person makes it wait again after the resume', async () => {
    const flow = workflow('asks')
      .step('begin', { accepts: StartEvent }, () => InputRequestEvent({ requestId: 'a', prompt: 'Sure?' }))
      .step('hear', { accepts: InputResponseEvent }, ({ response }) => StopEvent({ result: response }))
    const handler = flow.run()
    await turns()
    await handler.pause()
    handler.resume()
    await turns()
    expect(handler.status).toBe('waiting')
    await handler.respondToInput('a', 'yes')
    expect(await handler.result()).toBe('yes')
  })

  test('of a run in the delay before a retry is settled at once, and the retry comes after the resume, when it is due', async () => {
    const starts: [number, number][] = []
    const flow = workflow('retries').step(
      'begin',
      { accepts: StartEvent, retry: { attempts: 2, delay: '10s' } },
      (_event, ctx) => {
        starts.push([ctx.attempt, Date.now() - 1_000_000])
        if (ctx.attempt === 1) throw new Error('again')
        return StopEvent({ result: 'done' })
      },
    )
    const handler = flow.run()
    await pass(2_000)
    const snapshot = await handler.pause()
    expect(vi.getTimerCount()).toBe(0)
    expect(snapshot.context.executions).toMatchObject([{ attempt: 2, dueAt: 1_010_000 }])
    await pass(3_000)
    handler.resume()
    await pass(4_999)
    expect(starts).toEqual([[1, 0]])
    await pass(1)
    expect(await handler.result()).toBe('done')
    expect(starts).toEqual([
      [1, 0],
      [2, 10_000],
    ])
  })

  test('keeps the queue behind a concurrency in its order, also where what runs fails and is tried again', async () => {
    const gate = createGate()
    const log: string[] = []
    const flow = workflow('queue', { idle: 'wait' })
      .step('begin', { accepts: StartEvent }, () => [1, 2, 3].map((n) => Job({ n })))
      .step('job', { accepts: Job, concurrency: 1, retry: { attempts: 2 } }, async ({ n }, ctx) => {
        log.push(`${n}.${ctx.attempt}`)
        if (n === 1 && ctx.attempt === 1) {
          await gate.opened
          throw new Error('again')
        }
      })
    const handler = flow.run()
    await turns()
    const paused = handler.pause()
    gate.open()
    const snapshot = asText(await paused)
    expect(log).toEqual(['1.1'])
    handler.resume()
    await turns()
    expect(log).toEqual(['1.1', '1.2', '2.1', '3.1'])
    handler.abort()
    log.length = 0
    const resumed = flow.resume(snapshot)
    await turns()
    expect(log).toEqual(['1.2', '2.1', '3.1'])
    resumed.abort()
  })

  test('waits for those of a concurrency that run, and starts none of those that wait', async () => {
    const gates = [createGate(), createGate(), createGate(), createGate()]
    const log: number[] = []
    const handler = workflow('places', { idle: 'wait' })
      .step('begin', { accepts: StartEvent }, () => gates.map((_gate, n) => Job({ n })))
      .step('job', { accepts: Job, concurrency: 2 }, async ({ n }) => {
        log.push(n)
        await gates[n]?.opened
      })
      .run()
    await turns()
    const paused = handler.pause()
    gates[0]?.open()
    await turns()
    expect([log, handler.status]).toEqual([[0, 1], 'pausing'])
    gates[1]?.open()
    expect((await paused).context.executions.map(({ id }) => id)).toEqual([4, 5])
    handler.resume()
    await turns()
    expect(log).toEqual([0, 1, 2, 3])
    handler.abort()
  })

  test('takes events from outside and puts them aside until the resume', async () => {
    const heard: string[] = []
    const flow = workflow('outside', { external: Note, idle: 'wait' })
      .step('begin', { accepts: StartEvent }, () => null)
      .step('note', { accepts: Note }, ({ text }) => {
        heard.push(text)
        return text === 'end' ? StopEvent({ result: heard.length }) : null
      })
    const handler = flow.run()
    await handler.pause()
    await handler.sendEvent(Note({ text: 'one' }))
    await handler.sendEvent(Note({ text: 'two' }))
    await turns()
    expect([heard, handler.status]).toEqual([[], 'paused'])
    handler.resume()
    await handler.sendEvent(Note({ text: 'end' }))
    expect(await handler.result()).toBe(3)
    expect(heard).toEqual(['one', 'two', 'end'])
  })

  test('keeps what a step sends early, in the time in which it is waited for', async () => {
    const gate = createGate()
    const heard: string[] = []
    const flow = workflow('early', { idle: 'wait' })
      .step('begin', { accepts: StartEvent }, async (_event, ctx) => {
        await gate.opened
        ctx.sendEvent(Note({ text: 'early' }))
        ctx.sendEvent(Note({ text: 'late' }), { delay: 10 })
        return Note({ text: 'returned' })
      })
      .step('note', { accepts: Note }, ({ text }) => void heard.push(text))
    const handler = flow.run()
    await turns()
    const paused = handler.pause()
    gate.open()
    expect((await paused).context.queue).toHaveLength(2)
    expect(heard).toEqual([])
    handler.resume()
    await pass(10)
    expect(heard).toEqual(['early', 'returned', 'late'])
    handler.abort()
  })

  test('keeps the stop that a step returns: the run completes when it resumes', async () => {
    const gate = createGate()
    const handler = workflow('stop')
      .step('begin', { accepts: StartEvent }, async () => {
        await gate.opened
        return StopEvent({ result: 'the end' })
      })
      .run()
    const paused = handler.pause()
    gate.open()
    await paused
    expect(handler.status).toBe('paused')
    handler.resume()
    expect(handler.status).toBe('completed')
    expect(await handler.result()).toBe('the end')
  })

  test('is rejected when the run fails before it is paused', async () => {
    const gate = createGate()
    const handler = workflow('fails')
      .step('begin', { accepts: StartEvent }, async () => {
        await gate.opened
        throw new Error('no')
      })
      .run()
    const paused = handler.pause()
    gate.open()
    expect(await rejection(paused)).toBeInstanceOf(RunFinishedError)
    expect(await rejection(handler.result())).toBeInstanceOf(StepFailedError)
  })

  test('is rejected when the run is aborted, or its actor stopped, before it is paused', async () => {
    for (const end of ['abort', 'stop'] as const) {
      const handler = gated().flow.run()
      const paused = handler.pause()
      await turns()
      if (end === 'abort') handler.abort()
      else handler.actor.stop()
      expect(await rejection(paused)).toBeInstanceOf(RunFinishedError)
    }
  })

  test('that waits is ended by the timeout of the run, whose time goes on until it has settled', async () => {
    const { flow } = gated()
    const handler = flow.run()
    const paused = handler.pause()
    void rejection(paused)
    await pass(3_600_000)
    expect(await rejection(handler.result())).toBeInstanceOf(RunTimeoutError)
    expect(await rejection(paused)).toBeInstanceOf(RunFinishedError)
  })

  test('of a run that has ended is rejected; so is its resume; abort does nothing', async () => {
    const handler = workflow('quick')
      .step('begin', { accepts: StartEvent }, () => StopEvent({ result: 1 }))
      .run()
    await handler.result()
    expect(await rejection(handler.pause())).toBeInstanceOf(RunFinishedError)
    expect(() => handler.resume()).toThrow(RunFinishedError)
    handler.abort()
    expect(handler.status).toBe('completed')
  })

  test('is ended by a resume: the run goes on, and nothing is lost or done twice', async () => {
    const { flow, gate, log } = gated()
    const handler = flow.run()
    const paused = handler.pause()
    await turns()
    handler.resume()
    await paused.catch(() => {})
    expect(handler.status).toBe('running')
    gate.open()
    expect(await handler.result()).toEqual([1, 1])
    expect(log).toEqual(['begin 1 1', 'job 1'])
  })

  test('leaves an aborted run nothing to do: the result rejects, and no timer is left', async () => {
    const flow = workflow('aborted', { timeout: '1h' }).step(
      'begin',
      { accepts: StartEvent, retry: { attempts: 2, delay: '1m' } },
      (_event, ctx) => {
        ctx.sendEvent({ type: StartEvent.type } as never, { delay: '1d' })
        throw new Error('again')
      },
    )
    const handler = flow.run()
    await turns()
    await handler.pause()
    handler.abort('enough')
    expect(handler.status).toBe('aborted')
    expect(await rejection(handler.result())).toMatchObject({ code: 'run_aborted', cause: 'enough' })
    expect(vi.getTimerCount()).toBe(0)
  })

  test('keeps no timer: nor one for what is sent with a delay while the run is paused', async () => {
    const flow = workflow('timers', { external: Note, idle: 'wait', timeout: '1h' })
      .step('begin', { accepts: StartEvent }, (_event, ctx) => {
        ctx.sendEvent(Note({ text: 'first' }), { delay: '1m' })
        return InputRequestEvent({ requestId: 'a', prompt: '?', timeout: '1m', default: 'default' })
      })
      .step('note', { accepts: [Note, InputResponseEvent] }, (event, ctx) => {
        ctx.state.update<string[]>('heard', (heard = []) => [
          ...heard,
          'text' in event ? event.text : `${event.response}`,
        ])
      })
    const handler = flow.run()
    await turns()
    expect(vi.getTimerCount()).toBeGreaterThan(0)
    await handler.pause()
    expect(vi.getTimerCount()).toBe(0)
    await handler.sendEvent(Note({ text: 'second' }), { delay: '30s' })
    expect(vi.getTimerCount()).toBe(0)
    await pass(120_000)
    handler.resume()
    await pass(0)
    expect(handler.snapshot().context.state).toEqual([['heard', { json: expect.any(Array) }]])
    const [[, heard] = []] = handler.snapshot().context.state
    expect((heard as { json: string[] }).json.toSorted()).toEqual(['default', 'first', 'second'])
    handler.abort()
  })

  test('is off the clock: the run has as much time left as when it was paused', async () => {
    for (const elsewhere of [false, true]) {
      const flow = workflow('clock', { timeout: 1_000 }).step('begin', { accepts: StartEvent }, never)
      let handler = flow.run()
      await pass(400)
      const snapshot = await handler.pause({ inFlight: 'abort' })
      expect(snapshot.context).toMatchObject({ timeoutMs: 1_000, timeLeftMs: 600 })
      await pass(10_000)
      if (elsewhere) handler = flow.resume(asText(snapshot))
      else handler.resume()
      await pass(599)
      expect(handler.status).toBe('running')
      await pass(1)
      expect(await rejection(handler.result())).toMatchObject({ code: 'run_timeout', timeoutMs: 1_000 })
    }
  })
})

describe('a resume in the same process', () => {
  const socket = { write: () => 'written' }
  const Live = defineEvent<{ n: number; fn: () => string }>('Live')

  /** A paused run with live values in all places that an event or a value can be in. */
  async function pauseWithLiveValues() {
    const gate = createGate()
    const flow = workflow('live', { sessionPausePolicy: 'warn_drop', external: [Live, Note], idle: 'wait' })
      .step('begin', { accepts: StartEvent }, async (_event, ctx) => {
        ctx.session.socket = socket
        ctx.state.live = socket
        ctx.sendEvent(Live({ n: 3, fn: socket.write }), { delay: 10 })
        ctx.sendEvent(Live({ n: 1, fn: socket.write }))
        await gate.opened
        return [
          Live({ n: 2, fn: socket.write }),
          InputRequestEvent({ requestId: 'a', prompt: '?', metadata: { fn: socket.write } }),
        ]
      })
      .step('collects', { accepts: Live }, async ({ fn }, ctx) => {
        ctx.state.update<number>('calls', (calls = 0) => calls + (fn() === 'written' ? 1 : 0))
        const all = ctx.collect(Live, 3)
        return all === undefined ? null : Note({ text: all.map((each) => each.fn()).join() })
      })
      .step('hear', { accepts: InputResponseEvent }, () => null)
      .step('note', { accepts: Note }, ({ text }, ctx) =>
        StopEvent({ result: [text, ctx.state.calls, ctx.session.socket === socket, ctx.state.live === socket] }),
      )
    const handler = flow.run()
    await turns()
    const paused = handler.pause()
    gate.open()
    return { flow, handler, snapshot: await paused }
  }

  test('finds its live values again, identical: of the session, of state, and in all pending events', async () => {
    const { flow, handler, snapshot } = await pauseWithLiveValues()
    const result = handler.result()
    const resumed = flow.resume(asText(snapshot))
    expect(resumed.runId).toBe(handler.runId)
    expect(await rejection(result)).toBeInstanceOf(RunOwnershipLostError)
    expect(handler.status).toBe('failed')
    await turns()
    expect(resumed.pendingInputs).toMatchObject([{ metadata: { fn: socket.write } }])
    await pass(10)
    expect(await resumed.result()).toEqual(['written,written,written', 3, true, true])
  })

  test('takes the run from whoever had it: what is sent there is refused', async () => {
    const { flow, handler, snapshot } = await pauseWithLiveValues()
    const resumed = flow.resume(snapshot)
    expect(await rejection(handler.result())).toMatchObject({ code: 'run_ownership_lost', runId: resumed.runId })
    expect(await rejection(handler.sendEvent(Note({ text: 'x' })))).toBeInstanceOf(RunFinishedError)
    expect(() => handler.resume()).toThrow(RunFinishedError)
    expect(await rejection(handler.pause())).toBeInstanceOf(RunFinishedError)
    resumed.abort()
  })

  test('brings back nothing that the snapshot does not speak of: what a migration took out stays out', async () => {
    const build = (version: string) =>
      workflow('migrated', {
        version,
        external: Note,
        idle: 'wait',
        migrate: { '1': ({ state }) => void state.delete('old') },
      })
        .step('begin', { accepts: StartEvent }, (_event, ctx) => ctx.set('old', 'value'))
        .step('note', { accepts: Note }, (_event, ctx) => StopEvent({ result: ctx.state.has('old') }))
    const handler = build('1').run()
    await turns()
    const resumed = build('2').resume(await handler.pause())
    await resumed.sendEvent(Note({ text: 'x' }))
    expect(await resumed.result()).toBe(false)
  })

  test('of a run that went on meanwhile shares nothing live with it', async () => {
    const flow = workflow('went on', { sessionPausePolicy: 'warn_drop', external: Note, idle: 'wait' })
      .step('begin', { accepts: StartEvent }, (_event, ctx) => {
        ctx.session.socket = socket
      })
      .step('note', { accepts: Note }, (_event, ctx) => StopEvent({ result: ctx.session.has('socket') }))
    const handler = flow.run()
    await turns()
    const fromPause = await handler.pause()
    handler.resume()
    for (const snapshot of [fromPause, handler.snapshot()]) {
      const other = flow.resume(snapshot)
      await other.sendEvent(Note({ text: 'x' }))
      expect(await other.result()).toBe(false)
    }
    expect(handler.status).toBe('waiting')
    await handler.sendEvent(Note({ text: 'x' }))
    expect(await handler.result()).toBe(true)
  })

  test('may be made from the same snapshot again: each time the run is with the last who resumed it', async () => {
    const { flow, gate } = gated()
    const handler = flow.run()
    gate.open()
    const snapshot = await handler.pause()
    const first = flow.resume(snapshot)
    const second = flow.resume(snapshot)
    expect(await Promise.all([first.result(), second.result()])).toEqual([
      [1, 1],
      [1, 1],
    ])
    expect(await rejection(handler.result())).toBeInstanceOf(RunOwnershipLostError)
  })
})
