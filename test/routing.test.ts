import {
  type AnyEvent,
  defineEvent,
  StalledError,
  StartEvent,
  type StepReturn,
  StepReturnError,
  StopEvent,
  UnhandledEventError,
  workflow,
} from 'blazen-xstate'
import { describe, expect, test } from 'vitest'
import { createGate, rejection, turns } from './waiting.ts'

const Job = defineEvent<{ n: number }>('Job')
const Other = defineEvent<{ n: number }>('Other')
const Done = defineEvent<{ n: number }>('Done')
const withHole = Object.assign([Job({ n: 1 })], { 2: Job({ n: 3 }) })
const nobodys = { type: 'Nobody' } as AnyEvent

const jobs = (count: number) => Array.from({ length: count }, (_, n) => Job({ n }))

describe('an event', () => {
  test('goes to the step that accepts exactly its type', async () => {
    const Jobs = defineEvent<{ n: number }>('Jobs')
    const JobLower = defineEvent<{ n: number }>('job')
    const JobDot = defineEvent<{ n: number }>('Job.done')
    const log: string[] = []
    await workflow('exact')
      .step('begin', { accepts: StartEvent }, () => [Job({ n: 1 }), JobDot({ n: 2 })])
      .step('job', { accepts: Job }, () => void log.push('Job'))
      .step('jobs', { accepts: Jobs }, () => void log.push('Jobs'))
      .step('lower', { accepts: JobLower }, () => void log.push('job'))
      .step('dot', { accepts: JobDot }, () => {
        log.push('Job.done')
        return StopEvent()
      })
      .run()
      .result()
    expect(log).toEqual(['Job', 'Job.done'])
  })

  test('reaches a step whatever name or type a plain object would stumble over', async () => {
    const names = [
      'constructor',
      'toString',
      'hasOwnProperty',
      'a.b',
      '#_parent',
      '#_internal',
      'odd names',
      'ü',
      'then',
    ]
    for (const name of names) {
      const Odd = defineEvent<{ n: number }>(name)
      const result = workflow(name)
        .step('begin', { accepts: StartEvent }, () => Odd({ n: 7 }))
        .step(name, { accepts: Odd }, (event) => StopEvent({ result: event.n }))
        .run()
        .result()
      expect(await result, name).toBe(7)
    }
  })

  test('of the type __proto__ is routed as any other', async () => {
    const Odd = defineEvent<{ n: number }>('__proto__')
    const result = workflow('proto')
      .step('begin', { accepts: StartEvent }, () => Odd({ n: 7 }))
      .step('odd', { accepts: Odd }, (event) => StopEvent({ result: event.n }))
      .run()
      .result()
    expect(await result).toBe(7)
  })

  test('goes to every step that accepts it, in the order of their definition', async () => {
    const log: string[] = []
    const three = workflow('three')
      .step('begin', { accepts: StartEvent }, () => [Job({ n: 1 }), Job({ n: 2 })])
      .step('c', { accepts: Job }, ({ n }) => void log.push(`c${n}`))
      .step('a', { accepts: [Job, Other] }, ({ n }) => void log.push(`a${n}`))
      .step('b', { accepts: Job }, ({ n }) => {
        log.push(`b${n}`)
        return n === 2 ? StopEvent() : null
      })
    await three.run().result()
    expect(log).toEqual(['c1', 'a1', 'b1', 'c2', 'a2', 'b2'])
  })

  test('is handled before what it leads to: first in, first out', async () => {
    const log: string[] = []
    await workflow('breadth first')
      .step('begin', { accepts: StartEvent }, () => [Job({ n: 1 }), Job({ n: 2 }), Job({ n: 3 })])
      .step('job', { accepts: Job }, ({ n }) => {
        log.push(`job${n}`)
        return Other({ n })
      })
      .step('other', { accepts: Other }, ({ n }) => {
        log.push(`other${n}`)
        return n === 3 ? StopEvent() : null
      })
      .run()
      .result()
    expect(log).toEqual(['job1', 'job2', 'job3', 'other1', 'other2', 'other3'])
  })

  test('fanned out keeps the order of its array', async () => {
    const seen: number[] = []
    await workflow('fan-out')
      .step('begin', { accepts: StartEvent }, () => jobs(1_000))
      .step('job', { accepts: Job }, ({ n }) => {
        seen.push(n)
        return n === 999 ? StopEvent() : null
      })
      .run()
      .result()
    expect(seen).toEqual(jobs(1_000).map(({ n }) => n))
  })
})

describe('what a step returns', () => {
  test.each([
    ['null', null],
    ['undefined', undefined],
    ['an empty array', []],
  ])('may be %s: a side effect only', async (_name, nothing) => {
    const log: string[] = []
    const result = await workflow('side effect')
      .step('begin', { accepts: StartEvent }, () => Job({ n: 1 }))
      .step('effect', { accepts: Job }, () => {
        log.push('effect')
        return nothing
      })
      .step('end', { accepts: Job }, async () => {
        await turns()
        return StopEvent({ result: [...log] })
      })
      .run()
      .result()
    expect(result).toEqual(['effect'])
  })

  test.each([
    ['a number', 5, 'a number'],
    ['a text', 'Job', 'a string'],
    ['true', true, 'a boolean'],
    ['false', false, 'a boolean'],
    ['0', 0, 'a number'],
    ['an empty text', '', 'a string'],
    ['a function', () => {}, 'a function'],
    ['a creator that was not called', Job, 'the creator of "Job" (call it)'],
    [
      'an array of promises',
      [Promise.resolve(Job({ n: 1 }))],
      'an array with a promise (await it, or await Promise.all of several) at place 0',
    ],
    ['an object without type', { n: 1 }, 'an object without `type`'],
    ['a type that is no text', { type: 1 }, 'an object whose `type` is no text'],
    ['a Set of events', new Set([Job({ n: 1 })]), 'an object without `type`'],
    ['an array with a number', [Job({ n: 1 }), 2], 'an array with a number at place 1'],
    ['an array with null', [null], 'an array with null at place 0'],
    ['an array with a hole', withHole, 'an array with undefined at place 1'],
    ['an array in an array', [[Job({ n: 1 })]], 'an array with an object without `type` at place 0'],
  ])('is refused if it is %s', async (_name, returned, described) => {
    const handled: unknown[] = []
    for (const give of [() => returned, async () => returned]) {
      const error = await rejection(
        workflow('bad return')
          .step('begin', { accepts: StartEvent }, give as unknown as () => null)
          .step('job', { accepts: Job }, (event) => void handled.push(event))
          .run()
          .result(),
      )
      expect(error).toBeInstanceOf(StepReturnError)
      expect(error).toMatchObject({ code: 'step_return', step: 'begin', event: { type: StartEvent.type } })
      expect((error as Error).message).toContain(`Step "begin" returned ${described} for`)
    }
    expect(handled).toEqual([])
  })

  test('may be a promise from elsewhere, or any thenable', async () => {
    const thenable = {
      // biome-ignore lint/suspicious/noThenProperty: the test is about one
      then: (resolve: (event: AnyEvent) => void) => setImmediate(resolve, StopEvent({ result: 'then' })),
    }
    const result = workflow('thenable').step('begin', { accepts: StartEvent }, () => thenable as never)
    expect(await result.run().result()).toBe('then')
  })

  test('may be changed afterwards by the step that returned it without harm', async () => {
    const array = [Job({ n: 1 }), Job({ n: 2 })]
    const seen: number[] = []
    await workflow('kept array')
      .step('begin', { accepts: StartEvent }, () => {
        setImmediate(() => array.splice(0, 2, Job({ n: 99 }), Job({ n: 98 })))
        return array
      })
      .step('job', { accepts: Job, concurrency: 1 }, async ({ n }) => {
        await turns()
        seen.push(n)
        return n === 2 ? StopEvent() : null
      })
      .run()
      .result()
    expect(seen).toEqual([1, 2])
  })
})

describe('an event sent by a step', () => {
  test('is routed at once, while the step goes on', async () => {
    const log: string[] = []
    const gate = createGate()
    await workflow('send')
      .step('begin', { accepts: StartEvent }, async (_event, ctx) => {
        log.push('begins')
        ctx.sendEvent(Job({ n: 1 }))
        await gate.opened
        log.push('goes on')
        return StopEvent()
      })
      .step('job', { accepts: Job }, () => {
        log.push('job')
        gate.open()
      })
      .run()
      .result()
    expect(log).toEqual(['begins', 'job', 'goes on'])
  })

  test('comes before what the step returns, in the order of sending', async () => {
    const seen: number[] = []
    await workflow('send order')
      .step('begin', { accepts: StartEvent }, (_event, ctx) => {
        ctx.sendEvent(Job({ n: 1 }))
        ctx.sendEvent(Job({ n: 2 }))
        return [Job({ n: 3 }), Job({ n: 4 })]
      })
      .step('job', { accepts: Job, concurrency: 1 }, ({ n }) => {
        seen.push(n)
        return n === 4 ? StopEvent() : null
      })
      .run()
      .result()
    expect(seen).toEqual([1, 2, 3, 4])
  })

  test('may be a StopEvent: the run completes while the step goes on', async () => {
    let signal: AbortSignal | undefined
    const gate = createGate()
    const result = await workflow('send stop')
      .step('begin', { accepts: StartEvent }, async (_event, ctx) => {
        signal = ctx.signal
        ctx.sendEvent(StopEvent({ result: 'early' }))
        await gate.opened
        return StopEvent({ result: 'late' })
      })
      .run()
      .result()
    expect(result).toBe('early')
    expect(signal?.aborted).toBe(true)
    gate.open()
    await turns()
  })

  test('after its attempt is over throws in the step and changes nothing', async () => {
    const gate = createGate()
    const thrown = createGate<unknown>()
    const seen: number[] = []
    const handler = workflow('late send')
      .step('begin', { accepts: StartEvent }, (_event, ctx) => {
        void gate.opened.then(() => {
          try {
            ctx.sendEvent(Job({ n: 1 }))
            thrown.open('nothing')
          } catch (error) {
            thrown.open(error)
          }
        })
        return Other({ n: 1 })
      })
      .step('other', { accepts: Other }, async () => {
        gate.open()
        await thrown.opened
        await turns()
        return StopEvent()
      })
      .step('job', { accepts: Job }, ({ n }) => void seen.push(n))
      .run()
    await handler.result()
    expect(await thrown.opened).toMatchObject({ code: 'attempt_over' })
    expect(seen).toEqual([])
  })
})

describe('the first StopEvent', () => {
  test('wins: the signals of the others are aborted, and what they still emit is ignored', async () => {
    const gate = createGate()
    const signals: AbortSignal[] = []
    const late: string[] = []
    const handler = workflow('first wins')
      .step('begin', { accepts: StartEvent }, () => [...jobs(3), Other({ n: 0 })])
      .step('slow', { accepts: Job }, async ({ n }, ctx) => {
        signals.push(ctx.signal)
        await gate.opened
        if (n === 0) throw new Error('too late to matter')
        try {
          ctx.sendEvent(Done({ n }))
        } catch {
          late.push('send refused')
        }
        return n === 1 ? StopEvent({ result: 'slow' }) : Done({ n })
      })
      .step('done', { accepts: Done }, () => void late.push('done ran'))
      .step('fast', { accepts: Other }, async () => {
        await turns()
        return StopEvent({ result: 'fast' })
      })
      .run()
    expect(await handler.result()).toBe('fast')
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, true, true])
    gate.open()
    await turns()
    expect(late).toEqual(['send refused', 'send refused'])
    expect(await handler.result()).toBe('fast')
    expect(handler.status).toBe('completed')
  })

  test('of an array ends the run: what stands before it begins, what stands after does not', async () => {
    const seen: number[] = []
    const result = await workflow('stop among others')
      .step('begin', { accepts: StartEvent }, () => [
        Job({ n: 1 }),
        StopEvent({ result: 'first' }),
        Job({ n: 2 }),
        StopEvent({ result: 'second' }),
        nobodys,
      ])
      .step('job', { accepts: Job }, async ({ n }) => {
        seen.push(n)
        await turns()
        seen.push(-n)
      })
      .run()
      .result()
    await turns()
    expect(result).toBe('first')
    expect(seen).not.toContain(2)
  })

  test('starts nothing that was queued', async () => {
    const seen: number[] = []
    await workflow('queued')
      .step('begin', { accepts: StartEvent }, () => [...jobs(5), Other({ n: 0 })])
      .step('one by one', { accepts: Job, concurrency: 1 }, async ({ n }, { signal }) => {
        seen.push(n)
        await new Promise((resolve) => signal.addEventListener('abort', resolve))
      })
      .step('stop', { accepts: Other }, () => StopEvent())
      .run()
      .result()
    await turns()
    expect(seen).toEqual([0])
  })
})

describe('an event that no step accepts', () => {
  test.each<[string, () => StepReturn]>([
    ['returned', () => nobodys],
    ['returned in an array', () => [Job({ n: 1 }), nobodys]],
  ])('fails the run, naming the event and the step, when it is %s', async (_name, give) => {
    const handler = workflow('unhandled')
      .step('begin', { accepts: StartEvent }, give)
      .step('job', { accepts: Job }, () => null)
      .run()
    const error = await rejection(handler.result())
    expect(error).toBeInstanceOf(UnhandledEventError)
    expect(error).toMatchObject({ code: 'unhandled_event', step: 'begin' })
    expect((error as UnhandledEventError).event).toBe(nobodys)
    expect((error as Error).message).toContain('"Nobody"')
    expect((error as Error).message).toContain('"begin"')
    expect((error as Error).message).toContain('"Job"')
    expect(handler.status).toBe('failed')
  })

  test('fails the run, naming the event and the step, when it is sent', async () => {
    const error = await rejection(
      workflow('unhandled')
        .step('begin', { accepts: StartEvent }, async (_event, ctx) => {
          ctx.sendEvent(nobodys)
          await turns()
          return StopEvent()
        })
        .run()
        .result(),
    )
    expect(error).toBeInstanceOf(UnhandledEventError)
    expect(error).toMatchObject({ step: 'begin', event: nobodys })
  })

  test('is refused when it comes from outside, and the run is not disturbed', async () => {
    const gate = createGate()
    const handler = workflow('outside')
      .step('begin', { accepts: StartEvent }, async () => {
        await gate.opened
        return StopEvent({ result: 'well' })
      })
      .run()
    expect(await rejection(handler.sendEvent(nobodys))).toMatchObject({ code: 'unhandled_event', step: undefined })
    expect(await rejection(handler.sendEvent(StopEvent()))).toBeInstanceOf(UnhandledEventError)
    expect(await rejection(handler.sendEvent({ type: 'blazen.failed' }))).toBeInstanceOf(UnhandledEventError)
    handler.actor.send(nobodys)
    gate.open()
    expect(await handler.result()).toBe('well')
  })

  test.each(['blazen.failed', 'blazen.settled', 'blazen.check', 'xstate.stop', 'xstate.error.actor.0.begin', '*'])(
    'has no special effect when its type is %s, which belongs to the machinery',
    async (type) => {
      const error = await rejection(
        workflow('forged')
          .step('begin', { accepts: StartEvent }, () => ({ type, failure: { kind: 'aborted' } }) as AnyEvent)
          .run()
          .result(),
      )
      expect(error).toBeInstanceOf(UnhandledEventError)
      expect(error).toMatchObject({ step: 'begin' })
    },
  )
})

describe('a run in which nothing is left to do', () => {
  test('fails at once with a StalledError', async () => {
    const handler = workflow('stalls')
      .step('begin', { accepts: StartEvent }, () => Job({ n: 1 }))
      .step('job', { accepts: Job }, () => null)
      .run()
    const error = await rejection(handler.result())
    expect(error).toBeInstanceOf(StalledError)
    expect(error).toMatchObject({ code: 'stalled', runId: handler.runId })
    expect(handler.status).toBe('failed')
  })

  test('says what was collected so far', async () => {
    const error = await rejection(
      workflow('collects too many')
        .step('begin', { accepts: StartEvent }, () => [...jobs(3), Other({ n: 1 })])
        .step('join', { accepts: Job }, (_event, ctx) => (ctx.collect(Job, 4) === undefined ? null : StopEvent()))
        .step('join others', { accepts: Other }, (_event, ctx) => (ctx.collect(Other, 2) ? StopEvent() : null))
        .run()
        .result(),
    )
    expect((error as Error).message).toContain('3 of "Job"')
    expect((error as Error).message).toContain('1 of "Other"')
  })

  test("waits for events from outside with idle: 'wait'", async () => {
    const handler = workflow('fed', { idle: 'wait', external: Job })
      .step('begin', { accepts: StartEvent }, () => null)
      .step('job', { accepts: Job }, ({ n }) => (n === 2 ? StopEvent({ result: n }) : null))
      .run()
    await turns()
    expect(handler.status).toBe('waiting')
    await handler.sendEvent(Job({ n: 1 }))
    await turns()
    expect(handler.status).toBe('waiting')
    await handler.sendEvent(Job({ n: 2 }))
    expect(await handler.result()).toBe(2)
  })

  test('has not stalled while one step is still at work', async () => {
    const gate = createGate()
    const handler = workflow('at work')
      .step('begin', { accepts: StartEvent }, () => [Job({ n: 1 }), Other({ n: 1 })])
      .step('job', { accepts: Job }, () => null)
      .step('other', { accepts: Other }, async () => {
        await gate.opened
        return StopEvent({ result: 'well' })
      })
      .run()
    await turns()
    expect(handler.status).toBe('running')
    gate.open()
    expect(await handler.result()).toBe('well')
  })
})

describe('concurrency', () => {
  test.each([1, 2, 7])('of %i is never exceeded, and is used', async (concurrency) => {
    let running = 0
    let most = 0
    let finished = 0
    await workflow('limited')
      .step('begin', { accepts: StartEvent }, () => jobs(50))
      .step('job', { accepts: Job, concurrency }, async ({ n }) => {
        most = Math.max(most, ++running)
        await turns(n % 3)
        running--
        return ++finished === 50 ? StopEvent() : null
      })
      .run()
      .result()
    expect(most).toBe(concurrency)
  })

  test('of 1 keeps the order in which events came, whatever each takes', async () => {
    const log: string[] = []
    await workflow('in order')
      .step('begin', { accepts: StartEvent }, (_event, ctx) => {
        ctx.sendEvent(Job({ n: -1 }))
        return jobs(20)
      })
      .step('job', { accepts: Job, concurrency: 1 }, async ({ n }) => {
        log.push(`+${n}`)
        await turns((n + 7) % 3)
        log.push(`-${n}`)
        return n === 19 ? StopEvent() : null
      })
      .run()
      .result()
    expect(log).toEqual([-1, ...jobs(20).map(({ n }) => n)].flatMap((n) => [`+${n}`, `-${n}`]))
  })

  test('lets an event that a step sends to itself wait behind those that came before', async () => {
    const log: number[] = []
    await workflow('to itself')
      .step('begin', { accepts: StartEvent }, () => [Job({ n: 1 }), Job({ n: 2 }), Job({ n: 3 })])
      .step('job', { accepts: Job, concurrency: 1 }, async ({ n }, ctx) => {
        log.push(n)
        if (n === 2) ctx.sendEvent(Job({ n: 20 }))
        if (n === 30) return StopEvent()
        return n < 4 ? Job({ n: n * 10 }) : null
      })
      .run()
      .result()
    expect(log).toEqual([1, 2, 3, 10, 20, 20, 30])
  })

  test('counts each step and each run for itself', async () => {
    let running = 0
    let most = 0
    const both = workflow('both')
      .step('begin', { accepts: StartEvent }, () => Job({ n: 1 }))
      .step('a', { accepts: Job, concurrency: 1 }, async () => {
        most = Math.max(most, ++running)
        await turns()
      })
      .step('b', { accepts: Job, concurrency: 1 }, async () => {
        most = Math.max(most, ++running)
        await turns()
        return StopEvent()
      })
    await Promise.all([both.run().result(), both.run().result()])
    expect(most).toBe(4)
  })
})

describe('a fan-out of 100,000', () => {
  test.each([
    ['sync steps', undefined, false],
    ['async steps', undefined, true],
    ['concurrency 8', 8, true],
  ])('joins again, with %s', async (_name, concurrency, isAsync) => {
    const count = 100_000
    const double = ({ n }: { n: number }) => Done({ n: n * 2 })
    const result = await workflow('wide')
      .step('begin', { accepts: StartEvent }, () => jobs(count))
      .step(
        'double',
        { accepts: Job, ...(concurrency === undefined ? {} : { concurrency }) },
        isAsync ? async (event) => double(event) : double,
      )
      .step('join', { accepts: Done }, (_event, ctx) => {
        const all = ctx.collect(Done, count)
        return all && StopEvent({ result: all.map(({ n }) => n) })
      })
      .run()
      .result()
    expect(result).toHaveLength(count)
    expect(result[0]).toBe(0)
    expect(result[count - 1]).toBe((count - 1) * 2)
  })
})

describe('a loop that never yields', () => {
  const loops: Record<string, () => StepReturn | Promise<StepReturn>> = {
    'of sync steps': () => Job({ n: 0 }),
    'of async steps': async () => Job({ n: 0 }),
    'that fans out': () => [Job({ n: 0 }), Job({ n: 1 })],
    'that fans out asynchronously': async () => [Job({ n: 0 }), Job({ n: 1 })],
  }
  test.each(Object.entries(loops))('%s is aborted within a second', async (_name, loop) => {
    const handler = workflow('spins')
      .step('spin', { accepts: [StartEvent, Job] }, loop)
      .run()
    await expectAbortInTime(handler)
  })

  test('under concurrency 1 is aborted within a second', async () => {
    const handler = workflow('spins')
      .step('spin', { accepts: [StartEvent, Job], concurrency: 1 }, () => Job({ n: 0 }))
      .run()
    await expectAbortInTime(handler)
  })

  test('of events that are sent is aborted within a second', async () => {
    const handler = workflow('spins')
      .step('spin', { accepts: [StartEvent, Job] }, (_event, ctx) => ctx.sendEvent(Job({ n: 0 })))
      .run()
    await expectAbortInTime(handler)
  })

  test('of retries is aborted within a second', async () => {
    const handler = workflow('spins')
      .step('spin', { accepts: StartEvent, retry: { attempts: 1e9 } }, () => {
        throw new Error('again')
      })
      .run()
    await expectAbortInTime(handler)
  })

  test('leaves other runs their turns', async () => {
    const spinning = workflow('spins')
      .step('spin', { accepts: [StartEvent, Job] }, () => Job({ n: 0 }))
      .run()
    const other = workflow('other')
      .step('begin', { accepts: StartEvent }, () => Job({ n: 0 }))
      .step('count', { accepts: Job }, ({ n }) => (n === 2_000 ? StopEvent({ result: n }) : Job({ n: n + 1 })))
    expect(await other.run().result()).toBe(2_000)
    spinning.abort()
    await rejection(spinning.result())
  })
})

async function expectAbortInTime(handler: {
  abort(reason: unknown): void
  result(): Promise<unknown>
  readonly status: string
}): Promise<void> {
  const started = performance.now()
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect(handler.status).toBe('running')
  handler.abort('enough')
  expect(handler.status).toBe('aborted')
  expect(await rejection(handler.result())).toMatchObject({ code: 'run_aborted', cause: 'enough' })
  expect(performance.now() - started).toBeLessThan(1_000)
}
