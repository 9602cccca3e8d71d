import { defineEvent, FatalError, StartEvent, StepFailedError, StopEvent, workflow } from 'blazen-xstate'
import { computeDelay, type RetryPolicy } from 'blazen-xstate/machines'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { runOnVirtualTime } from './virtual-time.ts'
import { rejection, turns } from './waiting.ts'

const Job = defineEvent<{ n: number }>('Job')

const policy = (options: Partial<RetryPolicy>): RetryPolicy => ({
  attempts: 3,
  delayMs: 100,
  factor: 2,
  maxDelayMs: 2 ** 31 - 1,
  jitter: 0,
  when: () => true,
  ...options,
})

describe('computeDelay', () => {
  test('grows by the factor, up to the longest delay', () => {
    const delays = [1, 2, 3, 4, 5].map((attempt) =>
      computeDelay(policy({ factor: 3, maxDelayMs: 1_000 }), attempt, 0.5),
    )
    expect(delays).toEqual([100, 300, 900, 1_000, 1_000])
  })

  test('spreads by the jitter, to both sides', () => {
    const spread = [0, 0.5, 0.999999].map((random) => computeDelay(policy({ jitter: 0.5 }), 1, random))
    expect(spread).toEqual([50, 100, 150])
  })

  test('is a whole number of milliseconds that a timer can keep, and never above the longest delay', () => {
    const policies = fc.record({
      delayMs: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 2 ** 31 - 1, noNaN: true })),
      factor: fc.double({ min: 0.01, max: 100, noNaN: true }),
      maxDelayMs: fc.double({ min: 0, max: 2 ** 31 - 1, noNaN: true }),
      jitter: fc.double({ min: 0, max: 1, noNaN: true }),
    })
    const attempts = fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 1e9 }))
    const randoms = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
    fc.assert(
      fc.property(policies, attempts, randoms, (options, attempt, random) => {
        const delay = computeDelay(policy(options), attempt, random)
        expect(Number.isInteger(delay)).toBe(true)
        expect(delay).toBeGreaterThanOrEqual(0)
        expect(delay).toBeLessThanOrEqual(Math.ceil(options.maxDelayMs))
      }),
      { numRuns: 2_000 },
    )
  })

  test('keeps within the share of jitter around the exact delay', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 10_000 }),
        fc.integer({ min: 1, max: 5 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (delayMs, attempt, jitter, random) => {
          const exact = delayMs * 2 ** (attempt - 1)
          const delay = computeDelay(policy({ delayMs, jitter }), attempt, random)
          expect(delay).toBeGreaterThanOrEqual(Math.floor(exact * (1 - jitter)))
          expect(delay).toBeLessThanOrEqual(Math.ceil(exact * (1 + jitter)))
        },
      ),
    )
  })
})

describe('a step that fails', () => {
  test('runs once without a policy', async () => {
    let calls = 0
    const error = await rejection(
      workflow('once')
        .step('begin', { accepts: StartEvent }, () => {
          calls++
          throw new Error('no')
        })
        .run()
        .result(),
    )
    expect(calls).toBe(1)
    expect(error).toMatchObject({ code: 'step_failed', attempt: 1 })
  })

  test('is tried again as often as the policy says, and sees the number of its attempt', async () => {
    const attempts: number[] = []
    const ids = new Set<string>()
    const result = await workflow('thrice')
      .step('begin', { accepts: StartEvent, retry: { attempts: 3 } }, async (_event, ctx) => {
        attempts.push(ctx.attempt)
        ids.add(ctx.executionId)
        if (ctx.attempt < 3) throw new Error('again')
        return StopEvent({ result: 'third' })
      })
      .run()
      .result()
    expect(result).toBe('third')
    expect(attempts).toEqual([1, 2, 3])
    expect(ids.size).toBe(1)
  })

  test('fails the run with the last error when all attempts failed', async () => {
    const thrown: Error[] = []
    const start = { input: 5 }
    const error = (await rejection(
      workflow('all failed')
        .step('begin', { accepts: StartEvent, retry: { attempts: 3 } }, () => {
          const error = new Error(`number ${thrown.length + 1}`)
          thrown.push(error)
          throw error
        })
        .run(start.input)
        .result(),
    )) as StepFailedError
    expect(error).toBeInstanceOf(StepFailedError)
    expect(thrown).toHaveLength(3)
    expect(error.cause).toBe(thrown[2])
    expect(error).toMatchObject({ step: 'begin', attempt: 3, event: { type: StartEvent.type, input: 5 } })
    expect(error.message).toContain('number 3')
  })

  test('gives each execution an id of its own', async () => {
    const ids: string[] = []
    const handler = workflow('ids')
      .step('begin', { accepts: StartEvent }, () => [Job({ n: 1 }), Job({ n: 2 })])
      .step('job', { accepts: Job }, (event, ctx) => {
        ids.push(ctx.executionId)
        return event.n === 2 ? StopEvent() : null
      })
      .run(undefined, { runId: 'run-1' })
    await handler.result()
    expect(new Set(ids).size).toBe(2)
    expect(ids.every((id) => id.startsWith('run-1'))).toBe(true)
  })

  test('gets the very same event at every attempt', async () => {
    const job = Job({ n: 1 })
    const seen: unknown[] = []
    await workflow('same event')
      .step('begin', { accepts: StartEvent }, () => job)
      .step('job', { accepts: Job, retry: { attempts: 2 } }, (event, ctx) => {
        seen.push(event)
        if (ctx.attempt === 1) throw new Error('again')
        return StopEvent()
      })
      .run()
      .result()
    expect(seen).toHaveLength(2)
    expect(seen.every((event) => event === job)).toBe(true)
  })

  test("keeps to the workflow's policy, unless it has its own", async () => {
    const calls = { own: 0, common: 0 }
    const flow = workflow('policies', { retry: { attempts: 2 } })
      .step('common', { accepts: StartEvent }, () => {
        if (++calls.common === 1) throw new Error('again')
        return Job({ n: 1 })
      })
      .step('own', { accepts: Job, retry: { attempts: 4 } }, () => {
        calls.own++
        throw new Error('always')
      })
    await rejection(flow.run().result())
    expect(calls).toEqual({ own: 4, common: 2 })
  })

  test('is not tried again for a FatalError, nor for an error that `when` does not want', async () => {
    const asked: unknown[] = []
    for (const thrown of [new FatalError('fatal'), new TypeError('unwanted')]) {
      let calls = 0
      const error = await rejection(
        workflow('not again')
          .step(
            'begin',
            {
              accepts: StartEvent,
              retry: {
                attempts: 5,
                when: (error, attempt) => {
                  asked.push([error, attempt])
                  return !(error instanceof TypeError)
                },
              },
            },
            () => {
              calls++
              throw thrown
            },
          )
          .run()
          .result(),
      )
      expect(calls).toBe(1)
      expect(error).toMatchObject({ code: 'step_failed', attempt: 1, cause: thrown })
    }
    expect(asked).toEqual([[expect.any(TypeError), 1]])
  })

  test('asks `when` after each attempt but the last', async () => {
    const asked: number[] = []
    const when = (_error: unknown, attempt: number) => asked.push(attempt) > 0
    await rejection(
      workflow('asks')
        .step('begin', { accepts: StartEvent, retry: { attempts: 3, when } }, () => {
          throw new Error('no')
        })
        .run()
        .result(),
    )
    expect(asked).toEqual([1, 2])
  })

  test('fails the run if `when` throws', async () => {
    const broken = new Error('when is broken')
    const error = await rejection(
      workflow('broken when')
        .step(
          'begin',
          {
            accepts: StartEvent,
            retry: {
              attempts: 3,
              when: () => {
                throw broken
              },
            },
          },
          () => {
            throw new Error('first')
          },
        )
        .run()
        .result(),
    )
    expect(error).toMatchObject({ code: 'step_failed', cause: broken })
  })

  test('is not tried again for what it returned: that would be wrong again', async () => {
    let calls = 0
    const error = await rejection(
      workflow('bad return')
        .step('begin', { accepts: StartEvent, retry: { attempts: 3 } }, () => {
          calls++
          return 5 as never
        })
        .run()
        .result(),
    )
    expect(error).toMatchObject({ code: 'step_return' })
    expect(calls).toBe(1)
  })
})

describe('the delay between two attempts', () => {
  test('passes on the clock of the actor system, growing by the factor up to the longest delay', async () => {
    const times: number[] = []
    let now = 0
    const run = runOnVirtualTime(
      workflow('backoff').step(
        'begin',
        { accepts: StartEvent, retry: { attempts: 5, delay: '1s', factor: 3, maxDelay: '5s' } },
        () => {
          times.push(now)
          throw new Error('again')
        },
      ),
    )
    for (let step = 0; step < 40; step++) {
      now += 500
      await run.pass(500)
    }
    expect(times).toEqual([0, 1_000, 4_000, 9_000, 14_000])
    expect(await rejection(run.result)).toMatchObject({ attempt: 5 })
    expect(run.armed).toEqual([])
  })

  test('is as long as it says, not a moment less', async () => {
    let calls = 0
    const run = runOnVirtualTime(
      workflow('exact').step('begin', { accepts: StartEvent, retry: { attempts: 2, delay: 100 } }, () => {
        if (++calls === 1) throw new Error('again')
        return StopEvent()
      }),
    )
    await run.pass(99)
    expect(calls).toBe(1)
    await run.pass(1)
    expect(calls).toBe(2)
    await run.result
  })

  test('leaves no timer when the run ends in it', async () => {
    const run = runOnVirtualTime(
      workflow('ends')
        .step('begin', { accepts: StartEvent }, () => [Job({ n: 1 }), Job({ n: 2 })])
        .step('job', { accepts: Job, retry: { attempts: 2, delay: '1h' } }, async ({ n }) => {
          if (n === 1) throw new Error('again')
          await turns()
          return StopEvent()
        }),
    )
    await turns(1)
    expect(run.armed).toEqual([3_600_000])
    await run.result
    expect(run.armed).toEqual([])
  })

  test('does not let the run stall', async () => {
    const run = runOnVirtualTime(
      workflow('waits').step('begin', { accepts: StartEvent, retry: { attempts: 2, delay: '1m' } }, (_event, ctx) => {
        if (ctx.attempt === 1) throw new Error('again')
        return StopEvent({ result: 'second' })
      }),
    )
    await run.pass(30_000)
    expect(run.actor.getSnapshot().value).toBe('running')
    await run.pass(30_000)
    expect(await run.result).toBe('second')
  })

  test('keeps the place of its execution: concurrency 1 stays one after the other, in order', async () => {
    const log: string[] = []
    const run = runOnVirtualTime(
      workflow('in order')
        .step('begin', { accepts: StartEvent }, () => [1, 2, 3].map((n) => Job({ n })))
        .step('job', { accepts: Job, concurrency: 1, retry: { attempts: 3, delay: 10 } }, async ({ n }, ctx) => {
          log.push(`${n}.${ctx.attempt}`)
          await turns(1)
          if (n < 3 && ctx.attempt < n + 1) throw new Error('again')
          return n === 3 ? StopEvent() : null
        }),
    )
    for (let n = 0; n < 6; n++) await run.pass(10)
    await run.result
    expect(log).toEqual(['1.1', '1.2', '2.1', '2.2', '2.3', '3.1'])
  })

  test('counts for the concurrency of its step', async () => {
    let running = 0
    let most = 0
    const run = runOnVirtualTime(
      workflow('limited', { idle: 'wait' })
        .step('begin', { accepts: StartEvent }, () => [1, 2, 3, 4, 5].map((n) => Job({ n })))
        .step('job', { accepts: Job, concurrency: 2, retry: { attempts: 3, delay: 10 } }, async (_event, ctx) => {
          most = Math.max(most, ++running)
          await turns(1)
          running--
          if (ctx.attempt < 3) throw new Error('again')
        }),
    )
    for (let n = 0; n < 12; n++) await run.pass(10)
    expect(run.actor.getSnapshot().value).toBe('waiting')
    expect(most).toBe(2)
    run.actor.stop()
  })
})

describe('a failed attempt', () => {
  test('leaves no trace in state', async () => {
    const seen: unknown[] = []
    await workflow('clean', {})
      .step('begin', { accepts: StartEvent }, (_event, ctx) => {
        ctx.set('kept', 'before')
        ctx.set('gone', 'before')
        return Job({ n: 1 })
      })
      .step('job', { accepts: Job, retry: { attempts: 3 } }, async (_event, ctx) => {
        seen.push([ctx.get('kept'), ctx.get('gone'), ctx.get('new'), [...ctx.state.keys()]])
        ctx.set('kept', `attempt ${ctx.attempt}`)
        ctx.state.delete('gone')
        ctx.set('new', ctx.attempt)
        ctx.setBytes('bytes', new Uint8Array([ctx.attempt]))
        await turns(1)
        if (ctx.attempt < 3) throw new Error('again')
        return StopEvent()
      })
      .run()
      .result()
    const clean = ['before', 'before', undefined, ['kept', 'gone']]
    expect(seen).toEqual([clean, clean, clean])
  })

  test('cannot write any more once it has timed out', async () => {
    const thrown: unknown[] = []
    let seen: unknown
    const run = runOnVirtualTime(
      workflow('late write').step(
        'begin',
        { accepts: StartEvent, timeout: 10, retry: { attempts: 2 } },
        async (_event, ctx) => {
          if (ctx.attempt === 2) {
            await turns(6)
            seen = ctx.get('late')
            return StopEvent()
          }
          await new Promise((resolve) => ctx.signal.addEventListener('abort', resolve))
          try {
            ctx.set('late', true)
          } catch (error) {
            thrown.push(error)
          }
          return null
        },
      ),
    )
    await run.pass(10)
    await turns(8)
    await run.result
    expect(thrown).toMatchObject([{ code: 'attempt_over' }])
    expect(seen).toBeUndefined()
  })

  test('has sent its events: the next attempt does not send them again', async () => {
    const seen: number[] = []
    await workflow('sent once')
      .step('begin', { accepts: StartEvent, retry: { attempts: 3 } }, async (_event, ctx) => {
        ctx.sendEvent(Job({ n: 1 }))
        if (ctx.attempt === 1) throw new Error('after one')
        ctx.sendEvent(Job({ n: 2 }))
        await turns(1)
        ctx.sendEvent(Job({ n: 3 }))
        if (ctx.attempt === 2) throw new Error('after three')
        ctx.sendEvent(Job({ n: 4 }))
        await turns(1)
        return StopEvent()
      })
      .step('job', { accepts: Job }, ({ n }) => void seen.push(n))
      .run()
      .result()
    expect(seen).toEqual([1, 2, 3, 4])
  })

  test('by timeout counts as one', async () => {
    const attempts: number[] = []
    const run = runOnVirtualTime(
      workflow('timeouts').step(
        'begin',
        { accepts: StartEvent, timeout: 100, retry: { attempts: 3, delay: 50, factor: 1 } },
        async (_event, ctx) => {
          attempts.push(ctx.attempt)
          if (ctx.attempt < 3) await new Promise(() => {})
          return StopEvent({ result: 'third' })
        },
      ),
    )
    await run.pass(100)
    await run.pass(50)
    await run.pass(100)
    expect(attempts).toEqual([1, 2])
    await run.pass(50)
    expect(await run.result).toBe('third')
    expect(attempts).toEqual([1, 2, 3])
  })

  test('does not disturb other executions of its step', async () => {
    const log: string[] = []
    await workflow('undisturbed')
      .step('begin', { accepts: StartEvent }, () => [Job({ n: 1 }), Job({ n: 2 })])
      .step('job', { accepts: Job, retry: { attempts: 2 } }, async ({ n }, ctx) => {
        log.push(`${n}.${ctx.attempt}`)
        if (n === 1 && ctx.attempt === 1) throw new Error('again')
        await turns(4)
        expect(ctx.signal.aborted).toBe(false)
        return n === 1 ? StopEvent() : null
      })
      .run()
      .result()
    expect(log).toEqual(['1.1', '2.1', '1.2'])
  })
})

describe('a policy', () => {
  test.each([
    [{ attempts: 0 }, 'attempts'],
    [{ attempts: 1.5 }, 'attempts'],
    [{ attempts: Number.NaN }, 'attempts'],
    [{ attempts: 2, delay: -1 }, 'delay'],
    [{ attempts: 2, delay: Number.NaN }, 'delay'],
    [{ attempts: 2, delay: 'soon' as never }, 'delay'],
    [{ attempts: 2, factor: 0 }, 'factor'],
    [{ attempts: 2, factor: Number.NaN }, 'factor'],
    [{ attempts: 2, maxDelay: -5 }, 'maxDelay'],
    [{ attempts: 2, jitter: 1.1 }, 'jitter'],
    [{ attempts: 2, jitter: -0.1 }, 'jitter'],
  ])('of %o is refused, naming the step and the option', (retry, option) => {
    const build = () => workflow('bad').step('begin', { accepts: StartEvent, retry }, () => StopEvent()).machine
    expect(build).toThrow(expect.objectContaining({ code: 'definition', message: expect.stringContaining('"begin"') }))
    expect(build).toThrow(option)
  })
})
