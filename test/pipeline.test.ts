import {
  type AnyWorkflow,
  BranchesFailedError,
  defineEvent,
  EventValidationError,
  FatalError,
  type Pipeline,
  pipeline,
  RunTimeoutError,
  StageError,
  StartEvent,
  StepFailedError,
  StopEvent,
  subWorkflow,
  typeOnly,
  workflow,
} from 'blazen-xstate'
import { virtualTime } from 'blazen-xstate/testing'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { createGate, rejection, turns } from './waiting.ts'

/** A workflow of one step, from a function of its whole input. */
function job<Input, Result>(name: string, run: (input: Input, signal: AbortSignal) => Result | Promise<Result>) {
  return workflow(name, { input: typeOnly<{ value: Input }>() }).step(
    'work',
    { accepts: StartEvent, emits: StopEvent },
    async ({ value }, ctx) => StopEvent({ result: { value: await run(value as Input, ctx.signal) } }),
  )
}

const add = (n: number) => job(`add ${n}`, (value: number) => value + n)
const double = job('double', (value: number) => value * 2)
const fails = (message = 'no luck') =>
  job('fails', (value: number) => {
    if (message !== '') throw new RangeError(message)
    return value
  })
const numbers = { input: typeOnly<{ value: number }>() }

/** A pipeline of which the compiler knows nothing. */
type Loose = Record<'stage' | 'parallel' | 'loop', (...stage: unknown[]) => Loose> & { readonly machine: unknown }

/** Never ends; says with what its signal was aborted. */
function endless(aborted: unknown[]) {
  return job('endless', (_value: number, signal) => {
    signal.addEventListener('abort', () => void aborted.push(signal.reason))
    return new Promise<number>(() => {})
  })
}

describe('stages', () => {
  test('follow each other, and the last result is the result', async () => {
    const sum = pipeline('sum', numbers).stage('one', add(1)).stage('two', add(2)).stage('twice', double)
    expect(await sum.run({ value: 1 }).result()).toEqual({ value: 8 })
  })

  test('see the input, the results before them by name, and the last one', async () => {
    const seen: unknown[] = []
    const flow = pipeline('flow', numbers)
      .stage('one', add(1))
      .stage('two', add(10))
      .stage('three', double, {
        input: ({ input, results, last, runId }) => {
          seen.push(input, { ...results }, last, runId)
          return { value: input.value + results.one.value + results.two.value }
        },
      })
    expect(await flow.run({ value: 1 }, { runId: 'top' }).result()).toEqual({ value: 30 })
    expect(seen).toEqual([{ value: 1 }, { one: { value: 2 }, two: { value: 12 } }, { value: 12 }, 'top'])
  })

  test('see the input as its schema gives it, with its defaults', async () => {
    const seen: unknown[] = []
    const flow = pipeline('flow', { input: z.object({ value: z.number(), lang: z.string().default('en') }) }).stage(
      'one',
      add(1),
      {
        input: ({ input, last }) => {
          seen.push(input, last)
          return input
        },
      },
    )
    await flow.run({ value: 1 }).result()
    expect(seen).toEqual([
      { value: 1, lang: 'en' },
      { value: 1, lang: 'en' },
    ])
  })

  test('that are skipped change nothing of what the next one gets', async () => {
    const seen: unknown[] = []
    const flow = pipeline('flow', numbers)
      .stage('one', add(1), { when: ({ input }) => input.value > 100 })
      .stage('two', add(2))
      .stage('three', add(3), { when: async () => false })
      .stage('four', double, {
        input: ({ last, results }) => {
          seen.push({ ...results })
          return last
        },
      })
    const handler = flow.run({ value: 1 })
    expect(await handler.result()).toEqual({ value: 6 })
    expect(seen).toEqual([{ two: { value: 3 } }])
    expect(handler.stages.map(({ name, status, skipped }) => [name, status, skipped])).toEqual([
      ['one', 'skipped', true],
      ['two', 'completed', false],
      ['three', 'skipped', true],
      ['four', 'completed', false],
    ])
  })

  test('all skipped give the input', async () => {
    const flow = pipeline('flow', numbers).stage('one', add(1), { when: () => false })
    expect(await flow.run({ value: 5 }).result()).toEqual({ value: 5 })
  })

  test('share state, which belongs to the nearest pipeline', async () => {
    const noting = workflow('noting').step('note', { accepts: StartEvent, emits: StopEvent }, (_event, ctx) => {
      ctx.shared.update<string[]>('log', (log = []) => [...log, ctx.runId])
      return StopEvent({ result: ctx.shared.get('log') })
    })
    const inner = pipeline('inner').stage('note', noting).stage('again', noting)
    const outer = pipeline('outer')
      .stage('note', noting, { input: () => undefined })
      .stage('inner', inner, { input: () => undefined })
      .stage('last', noting, {
        input: ({ shared }) => void shared.update('log', (log) => [...(log as string[]), 'mapped']),
      })
    expect(await outer.run(undefined, { runId: 'top' }).result()).toEqual(['top/note#1', 'mapped', 'top/last#3'])
  })

  test('commit what they share with the step that wrote it: not where it failed', async () => {
    let calls = 0
    const flaky = workflow('flaky', { retry: { attempts: 2 } }).step(
      'note',
      { accepts: StartEvent, emits: StopEvent },
      (_event, ctx) => {
        ctx.shared.update<number>('count', (n = 0) => n + 1)
        if (++calls === 1) throw new Error('not yet')
        return StopEvent({ result: ctx.shared.get('count') })
      },
    )
    expect(await pipeline('flow').stage('flaky', flaky).run().result()).toBe(1)
  })

  test("take over the pipeline's retry for steps that have none, but not for themselves", async () => {
    let calls = 0
    const flaky = job('flaky', (value: number) => {
      if (++calls < 3) throw new Error('not yet')
      return value
    })
    const flow = pipeline('flow', { ...numbers, retry: { attempts: 3 } }).stage('flaky', flaky)
    expect(await flow.run({ value: 1 }).result()).toEqual({ value: 1 })
    expect(calls).toBe(3)
  })

  test('are begun anew by their own retry, with what they began with', async () => {
    const ids: string[] = []
    const flaky = workflow('flaky', numbers).step('work', { accepts: StartEvent, emits: StopEvent }, (event, ctx) => {
      ids.push(ctx.runId)
      if (ids.length < 3) throw new Error('not yet')
      return StopEvent({ result: event.value })
    })
    const flow = pipeline('flow', numbers)
      .stage('one', add(1))
      .stage('flaky', flaky, { retry: { attempts: 3 } })
    expect(await flow.run({ value: 1 }, { runId: 'top' }).result()).toBe(2)
    expect(ids).toEqual(['top/flaky#2', 'top/flaky#2.2', 'top/flaky#2.3'])
  })

  test('that time out name themselves', async () => {
    const time = virtualTime()
    const flow = pipeline('flow', numbers).stage('slow', endless([]), { timeout: '5s' })
    const handler = flow.run({ value: 1 }, { clock: time.clock })
    await time.advance('6s')
    expect(await rejection(handler.result())).toMatchObject({ name: 'RunTimeoutError', runPath: ['slow'] })
  })
})

describe('parallel stages', () => {
  test('give an object by branch, in the order of the branches', async () => {
    const gate = createGate()
    const slow = job('slow', async (value: number) => {
      await gate.opened
      return value
    })
    const handler = pipeline('flow', numbers)
      .parallel('fan', { slow, quick: add(1) })
      .run({ value: 1 })
    await turns()
    gate.open()
    expect(JSON.stringify(await handler.result())).toBe('{"slow":{"value":1},"quick":{"value":2}}')
  })

  test('map the input of a branch, and skip branches whose condition does not hold', async () => {
    const flow = pipeline('flow', numbers)
      .stage('one', add(1))
      .parallel('fan', {
        plain: double,
        mapped: { run: double, input: ({ input }) => ({ value: input.value * 100 }) },
        no: { run: double, when: () => false },
        yes: { run: double, when: async ({ last }) => last.value === 2 },
      })
    expect(await flow.run({ value: 1 }).result()).toEqual({
      plain: { value: 4 },
      mapped: { value: 200 },
      yes: { value: 4 },
    })
  })

  test('without a branch whose condition holds are skipped', async () => {
    const flow = pipeline('flow', numbers).parallel('fan', {
      a: { run: double, when: () => false },
      b: { run: double, when: () => false },
    })
    const handler = flow.run({ value: 1 })
    expect(await handler.result()).toEqual({ value: 1 })
    expect(handler.stages).toMatchObject([{ status: 'skipped' }])
  })

  test('fail with the first branch that fails, and abort the others', async () => {
    const aborted: unknown[] = []
    const flow = pipeline('flow', numbers).parallel('fan', { slow: endless(aborted), bad: fails() })
    const error = await rejection(flow.run({ value: 1 }).result())
    expect(error).toBeInstanceOf(StepFailedError)
    expect(error).toMatchObject({ runPath: ['fan::bad'], cause: expect.any(RangeError) })
    expect(aborted).toHaveLength(1)
  })

  test("join 'first' takes the first success, and aborts the others", async () => {
    const aborted: unknown[] = []
    const flow = pipeline('flow', numbers).parallel(
      'race',
      { bad: fails(), slow: endless(aborted), good: add(1) },
      { join: 'first' },
    )
    expect(await flow.run({ value: 1 }).result()).toEqual({ branch: 'good', result: { value: 2 } })
    expect(aborted).toHaveLength(1)
  })

  test("join 'first' fails with the errors of all branches", async () => {
    const flow = pipeline('flow', numbers).parallel('race', { a: fails('a'), b: fails('b') }, { join: 'first' })
    const error = await rejection(flow.run({ value: 1 }).result())
    expect(error).toBeInstanceOf(BranchesFailedError)
    expect(error).toMatchObject({ runPath: ['race'], errors: [{ runPath: ['race::a'] }, { runPath: ['race::b'] }] })
    const snapshotted = flow.run({ value: 1 })
    await rejection(snapshotted.result())
    const again = flow.resume(JSON.parse(JSON.stringify(snapshotted.snapshot())))
    expect(await rejection(again.result())).toMatchObject({
      name: 'BranchesFailedError',
      runPath: ['race'],
      errors: [{ name: 'StepFailedError', runPath: ['race::a'], cause: { message: 'a' } }, { runPath: ['race::b'] }],
    })
  })

  test("join 'first' with a single branch fails with its error", async () => {
    const flow = pipeline('flow', numbers).parallel('race', { a: fails('a') }, { join: 'first' })
    expect(await rejection(flow.run({ value: 1 }).result())).toMatchObject({
      name: 'BranchesFailedError',
      runPath: ['race'],
      errors: [{ runPath: ['race::a'] }],
    })
  })
})

describe('loops', () => {
  test('run each round on the result of the one before, until they are done', async () => {
    const rounds: unknown[] = []
    const flow = pipeline('flow', numbers).loop('grow', double, {
      until: (result, round, view) => {
        rounds.push([result.value, round, view.last, view.round])
        return result.value > 10
      },
      max: 10,
    })
    expect(await flow.run({ value: 1 }).result()).toEqual({ value: 16 })
    expect(rounds).toEqual([2, 4, 8, 16].map((value, at) => [value, at + 1, { value }, at + 1]))
  })

  test('end after `max` rounds', async () => {
    const flow = pipeline('flow', numbers).loop('grow', double, { max: 3 })
    expect(await flow.run({ value: 1 }).result()).toEqual({ value: 8 })
  })

  test('map the input of each round', async () => {
    const flow = pipeline('flow', numbers).loop('grow', double, {
      max: 3,
      input: ({ last, round }) => ({ value: last.value + (round ?? 0) }),
    })
    expect(await flow.run({ value: 0 }).result()).toEqual({ value: 22 })
  })

  test('name the round in the ids of its runs, and in errors', async () => {
    const ids: string[] = []
    const body = workflow('body', numbers).step('work', { accepts: StartEvent, emits: StopEvent }, ({ value }, ctx) => {
      ids.push(ctx.runId)
      if (value === 2) throw new Error('two')
      return StopEvent({ result: { value: value + 1 } })
    })
    const error = await rejection(
      pipeline('flow', numbers).loop('grow', body, { max: 9 }).run({ value: 0 }, { runId: 'top' }).result(),
    )
    expect(ids).toEqual(['top/grow#1/1', 'top/grow#1/2', 'top/grow#1/3'])
    expect(error).toMatchObject({ runPath: ['grow::3'] })
  })

  test('have one timeout for all rounds together', async () => {
    const time = virtualTime()
    const slow = job('slow', async (value: number, signal) => {
      await time.sleep('2s', { signal })
      return value + 1
    })
    const flow = pipeline('flow', numbers).loop('grow', slow, { max: 9, timeout: '5s' })
    const handler = flow.run({ value: 0 }, { clock: time.clock })
    const error = await time.runUntil(rejection(handler.result()))
    expect(error).toBeInstanceOf(RunTimeoutError)
    expect(error).toMatchObject({ runPath: ['grow::3'] })
  })

  test('of a thousand rounds keep one run', async () => {
    let most = 0
    const handler = pipeline('flow', numbers)
      .loop('grow', add(1), {
        max: 1000,
        until: () => {
          const { children } = (
            handler.snapshot() as unknown as { context: { executions: { children?: unknown[] }[] } }
          ).context.executions[0] ?? { children: [] }
          most = Math.max(most, children?.length ?? 0)
          return false
        },
      })
      .run({ value: 0 })
    expect(await handler.result()).toEqual({ value: 1000 })
    expect(most).toBe(1)
  }, 30_000)
})

describe('what is wrong', () => {
  const problemsOf = (flow: { machine: unknown }): string => {
    try {
      void flow.machine
      return ''
    } catch (error) {
      return (error as Error).message
    }
  }

  test('with a definition is all told at once, when it is built', () => {
    const flow = (pipeline('bad', numbers) as unknown as Loose)
      .stage('twice', double)
      .stage('twice', double)
      .stage('', double)
      .stage('none', undefined)
      .parallel('fan', {})
      .parallel('named', { '': double })
      .parallel('joined', { a: double }, { join: 'any' })
      .loop('endless', double, {})
      .loop('half', double, { max: 1.5 })
      .stage('late', double, { timeout: 'soon' })
    const problems = problemsOf(flow)
    expect(problems).toContain('Pipeline "bad" cannot be built')
    for (const part of [
      'Two stages are named "twice"',
      'A stage is named ""',
      'Stage "none" has no workflow to run',
      'Stage "fan" has no branch',
      'Stage "named" has a branch without a name',
      'Stage "joined": join has to be "all" or "first", got any',
      'Stage "endless" has to have `max`',
      'Stage "half" has to have `max`, the most rounds, a whole number of at least 1, got 1.5',
      'Stage "late": timeout',
    ])
      expect(problems).toContain(part)
    expect(problemsOf(pipeline('empty'))).toContain('It has no stage')
    expect(problemsOf(pipeline('').stage('a', double, { input: () => ({ value: 1 }) }))).toContain('It has no name')
  })

  test('with a workflow inside surfaces when the pipeline is built', () => {
    const broken = workflow('broken') as AnyWorkflow
    expect(problemsOf(pipeline('flow').stage('a', broken))).toContain('"broken"')
    expect(problemsOf(pipeline('flow').parallel('a', { b: broken }))).toContain('"broken"')
    expect(problemsOf(pipeline('flow').loop('a', broken, { max: 2 }))).toContain('"broken"')
  })

  test.each(['sync', 'async'])(
    'in a mapper, a condition or an until fails with the name of the stage: %s',
    async (how) => {
      const cause = new RangeError('bad luck')
      const bad = (): never => {
        if (how === 'sync') throw cause
        return Promise.reject(cause) as never
      }
      const base = pipeline('flow', numbers).stage('one', add(1))
      const flows: [AnyWorkflow, string, string][] = [
        [base.stage('two', double, { input: bad }) as AnyWorkflow, 'two', 'input mapper'],
        [base.stage('two', double, { when: bad }) as AnyWorkflow, 'two', 'condition'],
        [base.parallel('fan', { a: double }, { when: bad }) as AnyWorkflow, 'fan', 'condition'],
        [base.parallel('fan', { a: { run: double, input: bad }, b: double }) as AnyWorkflow, 'fan::a', 'input mapper'],
        [base.parallel('fan', { a: { run: double, when: bad }, b: double }) as AnyWorkflow, 'fan::a', 'condition'],
        [base.loop('loop', double, { max: 2, until: bad }) as AnyWorkflow, 'loop', 'until'],
        [base.loop('loop', double, { max: 2, input: bad }) as AnyWorkflow, 'loop', 'input mapper'],
      ]
      for (const [flow, stage, part] of flows) {
        const handler = flow.run({ value: 1 })
        const error = await rejection(handler.result())
        expect(error).toBeInstanceOf(StageError)
        expect(error).toMatchObject({ stage, part, cause })
        expect((error as Error).message).toBe(`The ${part} of stage "${stage}" failed: bad luck`)
        expect(handler.stages.at(-1)?.status, stage).not.toBe('skipped')
      }
    },
  )

  test('in a mapper further down names the way to it', async () => {
    const inner = pipeline('inner', numbers).stage('deep', double, {
      input: () => {
        throw new RangeError('bad luck')
      },
    })
    const outer = pipeline('outer', numbers).parallel('fan', { branch: inner })
    const error = await rejection(outer.run({ value: 1 }).result())
    expect(error).toBeInstanceOf(StageError)
    expect(error).toMatchObject({ runPath: ['fan::branch'], stage: 'deep' })
    expect((error as Error).message).toBe('fan::branch › The input mapper of stage "deep" failed: bad luck')
  })

  test('for good in a mapper is not retried', async () => {
    let calls = 0
    const flow = pipeline('flow', numbers).stage('one', double, {
      retry: { attempts: 3 },
      input: () => {
        calls++
        throw new FatalError('for good')
      },
    })
    expect(await rejection(flow.run({ value: 1 }).result())).toBeInstanceOf(StageError)
    expect(calls).toBe(1)
  })

  test('a stage that fails is told as failed, those behind it as pending', async () => {
    const flow = pipeline('flow', numbers).stage('one', add(1)).stage('bad', fails()).stage('never', double)
    const handler = flow.run({ value: 1 })
    expect(await rejection(handler.result())).toMatchObject({ runPath: ['bad'] })
    expect(handler.stages.map(({ status }) => status)).toEqual(['completed', 'failed', 'pending'])
    expect(handler.progress).toBeLessThan(100)
  })

  test('an input that does not fit a stage names the stage', async () => {
    const strict = workflow('strict', { input: z.object({ text: z.string() }) }).step(
      'work',
      { accepts: StartEvent, emits: StopEvent },
      ({ text }) => StopEvent({ result: text }),
    ) as AnyWorkflow
    const error = await rejection(pipeline('flow', numbers).stage('strict', strict).run({ value: 1 }).result())
    expect(error).toBeInstanceOf(EventValidationError)
    expect(error).toMatchObject({ runPath: ['strict'], issues: [{ path: 'text' }] })
    const fan = pipeline('flow', numbers).parallel('fan', { strict })
    expect(await rejection(fan.run({ value: 1 }).result())).toMatchObject({ runPath: ['fan::strict'] })
  })

  test('a snapshot of other stages is refused, naming both sides', async () => {
    const gate = createGate<number>()
    const slow = job('slow', () => gate.opened)
    const before = pipeline('flow', numbers).stage('one', add(1)).stage('old', slow)
    const handler = before.run({ value: 1 })
    await turns()
    const snapshot = JSON.parse(JSON.stringify(handler.snapshot()))
    handler.abort()
    const after = pipeline('flow', numbers).stage('one', add(1)).stage('new', slow)
    expect(() => after.resume(snapshot)).toThrow(/"old".*"flow".*"one", "new"/s)
    const other = pipeline('flow', numbers).stage('one', add(1)).stage('old', double)
    expect(() => other.resume(snapshot)).toThrow(/"slow".*"double"/s)
  })

  test('a pipeline takes no steps', () => {
    const flow = pipeline('flow') as unknown as { step(): void; steps(): void }
    expect(() => flow.step()).toThrow(/takes stages, not steps/)
    expect(() => flow.steps()).toThrow(/takes stages, not steps/)
  })
})

test('a pipeline can be a step, a stage and a branch', async () => {
  const Number_ = defineEvent('Number', typeOnly<{ value: number }>())
  const inner = pipeline('inner', numbers).stage('one', add(1)).loop('grow', double, { max: 2 })
  const asStep = workflow('flow', numbers)
    .step(
      'inner',
      subWorkflow(inner, {
        accepts: StartEvent,
        emits: Number_,
        input: ({ value }: StartEvent<{ value: number }>) => ({ value }),
      }),
    )
    .step('end', { accepts: Number_, emits: StopEvent }, ({ value }) => StopEvent({ result: value }))
  expect(await asStep.run({ value: 1 }).result()).toBe(8)
  const nested: Pipeline<{ value: number }, unknown, object, Record<string, unknown>> = pipeline('outer', numbers)
    .stage('inner', inner)
    .parallel('fan', { left: inner, right: inner })
  expect(await nested.run({ value: 1 }).result()).toEqual({ left: { value: 36 }, right: { value: 36 } })
})
