import {
  createHost,
  DefinitionError,
  defineEvent,
  memoryStore,
  StartEvent,
  StepFailedError,
  StopEvent,
  typeOnly,
  workflow,
} from 'blazen-xstate'
import { failSteps, mockSteps, virtualTime } from 'blazen-xstate/testing'
import { describe, expect, test, vi } from 'vitest'
import { rejection } from './waiting.ts'

const Charge = defineEvent('Charge', typeOnly<{ amount: number }>())
const Charged = defineEvent('Charged', typeOnly<{ id: string }>())

/** Counts what really happens outside. */
const createOrder = (effects: string[] = []) =>
  workflow('order')
    .step('begin', { accepts: StartEvent, emits: Charge }, () => Charge({ amount: 5 }))
    .step('charge', { accepts: Charge, emits: Charged, retry: { attempts: 3, delay: '1h' } }, ({ amount }, ctx) => {
      effects.push(`charge ${amount} in ${ctx.step}`)
      return Charged({ id: 'real' })
    })
    .step('end', { accepts: Charged, emits: StopEvent }, ({ id }) => StopEvent({ result: id }))

describe('a workflow with mocks', () => {
  test('calls them in the place of the functions, and leaves the workflow it came from alone', async () => {
    const effects: string[] = []
    const order = createOrder(effects)
    const mocked = mockSteps(order, { charge: ({ amount }, ctx) => Charged({ id: `${ctx.step} ${amount}` }) })
    expect(await mocked.run().result()).toBe('charge 5')
    expect(effects).toEqual([])
    expect(await order.run().result()).toBe('real')
    expect(effects).toEqual(['charge 5 in charge'])
  })

  test('tells how its steps were called, mocked or not: each attempt, of each run', async () => {
    const time = virtualTime()
    const mocked = mockSteps(createOrder(), {
      charge: (_event, ctx) => {
        if (ctx.attempt === 1) throw new Error('busy')
        return Charged({ id: 'second' })
      },
    })
    const handler = mocked.run(undefined, { clock: time.clock, runId: 'r' })
    expect(await time.runUntil(handler.result())).toBe('second')
    expect(mocked.calls('charge')).toEqual([
      { event: { type: 'Charge', amount: 5 }, runId: 'r', executionId: 'r/2', attempt: 1 },
      { event: { type: 'Charge', amount: 5 }, runId: 'r', executionId: 'r/2', attempt: 2 },
    ])
    expect(mocked.calls('end').map(({ event }) => event.id)).toEqual(['second'])
  })

  test('keeps the retry, the timeout and the schemas of its steps', async () => {
    const charge = vi.fn<() => never>(() => {
      throw new Error('down')
    })
    const time = virtualTime({ start: 0 })
    const handler = mockSteps(createOrder(), { charge }).run(undefined, { clock: time.clock })
    expect(await rejection(time.runUntil(handler.result()))).toBeInstanceOf(StepFailedError)
    expect(charge).toHaveBeenCalledTimes(3)
    expect(time.now()).toBe(3 * 3_600_000)
  })

  test('runs on a host, and may be mocked again', async () => {
    const mocked = mockSteps(createOrder(), { charge: () => Charged({ id: 'one' }) })
    const twice = mockSteps(mocked, { end: ({ id }) => StopEvent({ result: `${id} and two` }) })
    await using host = createHost({ store: memoryStore(), workflows: [twice] })
    expect(await (await host.run(twice)).result()).toBe('one and two')
    expect([mocked.calls('charge').length, twice.calls('charge').length]).toEqual([1, 1])
  })

  test('refuses names that are no steps, and mocks that are no functions, all at once', () => {
    const mocks = { chrage: () => null, begin: 5 } as never
    expect(() => mockSteps(createOrder(), mocks)).toThrow(DefinitionError)
    expect(() => mockSteps(createOrder(), mocks)).toThrow(
      /"order" has no step "chrage"\. Its steps are: "begin", "charge", "end"\.\n.*The mock of step "begin" is a number/,
    )
    expect(() => mockSteps(createOrder(), {}).calls('chrage' as never)).toThrow('has no step "chrage"')
  })
})

describe('a step that is made to fail', () => {
  test('fails on those attempts, before its function, and is retried as ever', async () => {
    const effects: string[] = []
    const time = virtualTime({ start: 0 })
    const shaky = failSteps(createOrder(effects), { charge: { attempts: [1, 2] } })
    const handler = shaky.run(undefined, { clock: time.clock, history: true })
    expect(await time.runUntil(handler.result())).toBe('real')
    expect(time.now()).toBe(3 * 3_600_000)
    expect(effects).toHaveLength(1)
    const errors = (await handler.history()).filter(({ kind }) => kind === 'retried').map(({ error }) => String(error))
    expect(errors[1]).toContain('Step "charge" was made to fail before its function, on attempt 2.')
  })

  test('fails after its function: the effect has happened, and happens again', async () => {
    const effects: string[] = []
    const time = virtualTime()
    const shaky = failSteps(createOrder(effects), { charge: { when: 'after' } })
    expect(await time.runUntil(shaky.run(undefined, { clock: time.clock }).result())).toBe('real')
    expect(effects).toHaveLength(2)
  })

  test('fails with the error that is given, or made for the event', async () => {
    const busy = new Error('busy')
    const time = virtualTime()
    const results = [{ error: busy }, { error: ({ amount }: { amount: number }) => new RangeError(`${amount}`) }].map(
      (failure) =>
        failSteps(createOrder(), { charge: { attempts: 'all', ...failure } })
          .run(undefined, { clock: time.clock })
          .result(),
    )
    const [first, second] = await Promise.all(results.map((result) => rejection(time.runUntil(result))))
    expect((first as Error).cause).toBe(busy)
    expect((second as Error).cause).toEqual(new RangeError('5'))
  })

  test('may have a mock for its function', async () => {
    const time = virtualTime()
    const mocked = mockSteps(createOrder(), { charge: () => Charged({ id: 'mock' }) })
    const shaky = failSteps(mocked, { charge: { attempts: 2, when: 'after' }, end: { attempts: 9 } })
    expect(await time.runUntil(shaky.run(undefined, { clock: time.clock }).result())).toBe('mock')
    expect(mocked.calls('charge')).toHaveLength(1)
  })

  test('is refused where it is no step, or its attempts are none', () => {
    const failures = { nope: {}, charge: { attempts: [0] }, end: { when: 'later' } } as never
    expect(() => failSteps(createOrder(), failures)).toThrow(
      /no step "nope".*\n.*"charge" has the `attempts` \[0\].*\n.*"end" has the `when` "later"/,
    )
  })
})
