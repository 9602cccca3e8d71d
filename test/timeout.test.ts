import {
  type Duration,
  defineEvent,
  InputRequestEvent,
  InputResponseEvent,
  RunTimeoutError,
  StartEvent,
  type StepReturn,
  StepTimeoutError,
  StopEvent,
  workflow,
} from 'blazen-xstate'
import { describe, expect, test } from 'vitest'
import { runInProcess } from './child-process.ts'
import { runOnVirtualTime } from './virtual-time.ts'
import { rejection, turns } from './waiting.ts'

const Job = defineEvent<{ n: number }>('Job')
const never = () => new Promise<null>(() => {})

describe("a step's timeout", () => {
  test('fails the run, naming the step and the event, and is the reason of its signal', async () => {
    let signal: AbortSignal | undefined
    const job = Job({ n: 1 })
    const run = runOnVirtualTime(
      workflow('slow')
        .step('begin', { accepts: StartEvent }, () => job)
        .step('job', { accepts: Job, timeout: '2s' }, (_event, ctx) => {
          signal = ctx.signal
          return never()
        }),
    )
    await run.pass(1_999)
    expect(signal?.aborted).toBe(false)
    await run.pass(1)
    const error = (await rejection(run.result)) as StepTimeoutError
    expect(error).toBeInstanceOf(StepTimeoutError)
    expect(error).toMatchObject({ code: 'step_timeout', step: 'job', attempt: 1, timeoutMs: 2_000 })
    expect(error.event).toBe(job)
    expect(signal?.reason).toBe(error)
    expect(run.armed).toEqual([])
  })

  test('counts from when an attempt starts, not from when its event was queued', async () => {
    const log: number[] = []
    const run = runOnVirtualTime(
      workflow('queued')
        .step('begin', { accepts: StartEvent }, () => [1, 2, 3].map((n) => Job({ n })))
        .step('job', { accepts: Job, concurrency: 1, timeout: 100 }, async ({ n }) => {
          log.push(n)
          await new Promise<void>((resolve) => free.push(resolve))
          return n === 3 ? StopEvent({ result: 'in time' }) : null
        }),
    )
    for (let n = 0; n < 3; n++) {
      await run.pass(90)
      free.shift()?.()
      await turns()
    }
    expect(await run.result).toBe('in time')
    expect(log).toEqual([1, 2, 3])
  })
  const free: (() => void)[] = []

  test('does not count for a step that is done', async () => {
    const run = runOnVirtualTime(
      workflow('done in time')
        .step('begin', { accepts: StartEvent, timeout: 100 }, () => Job({ n: 1 }))
        .step('job', { accepts: Job, timeout: 1_000 }, never),
    )
    await run.pass(999)
    expect(run.actor.getSnapshot().status).toBe('active')
    expect(run.armed).toEqual([1_000])
    run.actor.stop()
    await turns()
    expect(run.armed).toEqual([])
  })

  test('ignores what a timed out attempt still returns or throws, also while the next one is under way', async () => {
    const late = [() => StopEvent({ result: 'late' }), () => Promise.reject(new Error('late'))]
    const run = runOnVirtualTime(
      workflow('late attempts').step(
        'begin',
        { accepts: StartEvent, timeout: 10, retry: { attempts: 3 } },
        async (_event, ctx) => {
          if (ctx.attempt === 3) return turns().then(() => StopEvent({ result: 'third' }))
          await new Promise((resolve) => ctx.signal.addEventListener('abort', resolve))
          await turns(2)
          return late[ctx.attempt - 1]?.()
        },
      ),
    )
    await run.pass(10)
    await run.pass(10)
    expect(await run.result).toBe('third')
  })

  test('ignores what the function still does', async () => {
    const run = runOnVirtualTime(
      workflow('late')
        .step('begin', { accepts: StartEvent, timeout: 10 }, (_event, ctx) => {
          return new Promise<StopEvent<string>>((resolve) => {
            ctx.signal.addEventListener('abort', () => resolve(StopEvent({ result: 'late' })))
          })
        })
        .step('job', { accepts: Job }, () => null),
    )
    await run.pass(10)
    expect(await rejection(run.result)).toBeInstanceOf(StepTimeoutError)
  })
})

describe("a run's timeout", () => {
  test('fails the run and aborts its steps', async () => {
    let signal: AbortSignal | undefined
    const run = runOnVirtualTime(
      workflow('long', { timeout: '1m' }).step('begin', { accepts: StartEvent }, (_event, ctx) => {
        signal = ctx.signal
        return never()
      }),
    )
    await run.pass(59_999)
    expect(run.actor.getSnapshot().status).toBe('active')
    await run.pass(1)
    const error = await rejection(run.result)
    expect(error).toBeInstanceOf(RunTimeoutError)
    expect(error).toMatchObject({ code: 'run_timeout', timeoutMs: 60_000 })
    expect(run.actor.getSnapshot().value).toBe('failed')
    expect(signal?.aborted).toBe(true)
    expect(run.armed).toEqual([])
  })

  test('leaves no timer when the run ends before', async () => {
    const ends: Record<string, () => StepReturn> = {
      completes: () => StopEvent(),
      fails: () => {
        throw new Error('fails')
      },
      'completes among others': () => [Job({ n: 1 }), StopEvent()],
      stalls: () => null,
    }
    for (const [name, end] of Object.entries(ends)) {
      const run = runOnVirtualTime(
        workflow(name, { timeout: '1h' })
          .step('begin', { accepts: StartEvent, timeout: '1h' }, end)
          .step('job', { accepts: Job, timeout: '1h' }, never),
      )
      await run.result.catch(() => {})
      expect(run.armed, name).toEqual([])
    }
  })

  test('stands still while the run waits for a person', async () => {
    const run = runOnVirtualTime(
      workflow('asks', { timeout: 1_000 })
        .step('begin', { accepts: StartEvent }, async () => {
          await turns(1)
          return InputRequestEvent({ requestId: 'r', prompt: '?' })
        })
        .step('answered', { accepts: InputResponseEvent }, never),
    )
    await run.pass(400)
    expect(run.actor.getSnapshot().value).toBe('waiting')
    expect(run.armed).toEqual([])
    await run.pass(100_000)
    expect(run.actor.getSnapshot().value).toBe('waiting')
    run.actor.send({
      type: 'blazen.answered',
      requestId: 'r',
      response: InputResponseEvent({ requestId: 'r', response: 1 }),
    })
    await run.pass(599)
    expect(run.actor.getSnapshot().status).toBe('active')
    await run.pass(401)
    expect(await rejection(run.result)).toMatchObject({ code: 'run_timeout', timeoutMs: 1_000 })
  })

  test('keeps what was used before the wait', async () => {
    const run = runOnVirtualTime(
      workflow('asks late', { timeout: 1_000, idle: 'wait', external: Job })
        .step('begin', { accepts: StartEvent, timeout: 700, retry: { attempts: 1 } }, async (_event, ctx) => {
          await new Promise((resolve) => {
            release = resolve
          })
          return ctx.attempt === 1 ? null : StopEvent()
        })
        .step('job', { accepts: Job }, never),
    )
    await run.pass(600)
    release()
    await run.pass(5_000)
    expect(run.actor.getSnapshot().value).toBe('waiting')
    run.actor.send(Job({ n: 1 }))
    await run.pass(399)
    expect(run.actor.getSnapshot().status).toBe('active')
    await run.pass(1)
    expect(await rejection(run.result)).toBeInstanceOf(RunTimeoutError)
  })
  let release: (value?: unknown) => void = () => {}

  test('counts on while a function in this process answers', async () => {
    const run = runOnVirtualTime(
      workflow('inline', { timeout: 1_000, onInput: never })
        .step('begin', { accepts: StartEvent }, () => InputRequestEvent({ prompt: '?' }))
        .step('answered', { accepts: InputResponseEvent }, () => StopEvent()),
    )
    await run.pass(999)
    expect(run.actor.getSnapshot().value).toBe('running')
    await run.pass(1)
    expect(await rejection(run.result)).toBeInstanceOf(RunTimeoutError)
  })

  test("of run() goes before the workflow's", async () => {
    const flow = workflow('both', { timeout: '1h' }).step('begin', { accepts: StartEvent }, never)
    const error = await rejection(flow.run(undefined, { timeout: 20 }).result())
    expect(error).toMatchObject({ code: 'run_timeout', timeoutMs: 20 })
  })

  test('of zero ends a run that does not complete by itself', async () => {
    const flow = workflow('zero').step('begin', { accepts: StartEvent }, never)
    expect(await rejection(flow.run(undefined, { timeout: 0 }).result())).toBeInstanceOf(RunTimeoutError)
  })
})

describe('a duration', () => {
  const bad = [-1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31, '5', '5 s', '-5s', '1e3s', 'soon', '', null, {}, 5n]
  test.each(bad.map((duration) => [duration as Duration]))('%s is refused, wherever it stands', (timeout) => {
    const refusal = (where: string) => expect.objectContaining({ message: expect.stringContaining(where) })
    expect(() => workflow('bad').step('begin', { accepts: StartEvent, timeout }, () => StopEvent()).machine).toThrow(
      refusal('Step "begin": timeout'),
    )
    expect(
      () => workflow('bad', { timeout }).step('begin', { accepts: StartEvent }, () => StopEvent()).machine,
    ).toThrow(refusal('timeout is no duration'))
    const fine = workflow('fine').step('begin', { accepts: StartEvent }, () => StopEvent())
    expect(() => fine.run(undefined, { timeout })).toThrow(
      expect.objectContaining({ code: 'invalid_option', message: expect.stringContaining('run: timeout') }),
    )
  })

  test.each([
    ['1.5s', 1_500],
    ['250ms', 250],
    ['5m', 300_000],
    ['1h', 3_600_000],
    ['2d', 172_800_000],
  ])('%s is %i ms', async (timeout, ms) => {
    const run = runOnVirtualTime(
      workflow('units', { timeout: timeout as Duration }).step('begin', { accepts: StartEvent }, never),
    )
    expect(run.armed).toEqual([ms])
    run.actor.stop()
  })
})

describe('a process', () => {
  const ends: Record<string, [string, string]> = {
    completed: [
      `.step('begin', { accepts: StartEvent, timeout: '1h' }, () => [Job(), Job(), StopEvent({ result: 'ok' })])`,
      'ok',
    ],
    failed: [`.step('begin', { accepts: StartEvent, timeout: '1h' }, () => { throw new Error('no') })`, 'step_failed'],
    stalled: [`.step('begin', { accepts: StartEvent, timeout: '1h' }, () => null)`, 'stalled'],
    'ended by its timeout': [`.step('begin', { accepts: StartEvent, timeout: 20 }, never)`, 'step_timeout'],
    'ended in a retry delay': [
      `.step('begin', { accepts: StartEvent }, () => [Job(), Job()]).step('again', { accepts: Job, retry: { attempts: 2, delay: '1h' } }, () => { throw new Error('no') }).step('end', { accepts: Job }, async () => StopEvent({ result: 'ok' }))`,
      'ok',
    ],
  }
  test.each(Object.entries(ends))('is free to exit after a run that has %s', async (_name, [steps, expected]) => {
    const begin = performance.now()
    const written = await runInProcess(`
      const flow = workflow('ends', { timeout: '1h' })${steps}${steps.includes('accepts: Job') ? '' : ".step('job', { accepts: Job, timeout: '1h', retry: { attempts: 9, delay: '1h' } }, never)"}
      flow.run().result().then((result) => console.log(result), (error) => console.log(error.code))
    `)
    expect(written).toBe(expected)
    expect(performance.now() - begin).toBeLessThan(10_000)
  })

  test('is free to exit after an abort, and while a run waits for a person', async () => {
    const written = await runInProcess(`
      const flow = workflow('asks', { timeout: '1h' })
        .step('begin', { accepts: StartEvent }, () => InputRequestEvent({ prompt: '?' }))
        .step('answered', { accepts: InputResponseEvent, timeout: '1h' }, never)
      const waiting = flow.run()
      const aborted = workflow('aborted', { timeout: '1h' }).step('begin', { accepts: StartEvent, timeout: '1h' }, never).run()
      aborted.abort()
      setImmediate(() => console.log(waiting.status, aborted.status))
    `)
    expect(written).toBe('waiting aborted')
  })

  test('hears of no failed run that nobody awaits', async () => {
    const written = await runInProcess(`
      process.on('unhandledRejection', () => console.log('unhandled rejection'))
      process.on('uncaughtException', () => console.log('uncaught exception'))
      const fails = workflow('fails').step('begin', { accepts: StartEvent }, async () => { throw new Error('no') })
      fails.run()
      fails.run().result()
      fails.run().stream()
      workflow('both')
        .step('begin', { accepts: StartEvent }, () => [Job(), Job()])
        .step('a', { accepts: Job }, async () => { throw new Error('a') })
        .step('b', { accepts: Job }, () => Promise.reject(undefined))
        .run().result()
      setTimeout(() => console.log('end'), 50)
    `)
    expect(written).toBe('end')
  })
})
