import {
  type AnyEvent,
  type AnyWorkflow,
  defineEvent,
  StartEvent,
  StopEvent,
  step,
  typeOnly,
  type WorkflowEvent,
  workflow,
} from 'blazen-xstate'
import { failSteps, mockSteps, type StepCall, virtualTime } from 'blazen-xstate/testing'
import { describe, expectTypeOf, test, vi } from 'vitest'
import { createActor } from 'xstate'
import { z } from 'zod'

const Charge = defineEvent('Charge', z.object({ amount: z.number() }))
const Charged = defineEvent('Charged', typeOnly<{ id: string }>())
const Refused = defineEvent('Refused', typeOnly<{ why: string }>())

const order = workflow('order', {
  input: z.object({ amount: z.number() }),
  state: z.object({ tries: z.number().default(0) }),
})
  .step('begin', { accepts: StartEvent, emits: Charge }, ({ amount }) => Charge({ amount }))
  .step('charge', { accepts: Charge, emits: [Charged, Refused] }, ({ amount }) =>
    amount > 9 ? Refused({ why: 'too much' }) : Charged({ id: 'c' }),
  )
  .step('end', { accepts: [Charged, Refused], emits: StopEvent }, (event) =>
    StopEvent({ result: Charged.is(event) ? event.id : null }),
  )

const loose = workflow('loose')
  .step('begin', { accepts: StartEvent }, () => Charge({ amount: 1 }))
  .step('end', { accepts: Charge }, ({ amount }) => StopEvent({ result: amount }))

describe('mocks', () => {
  test('take the event, the context and what the step may return; the workflow stays what it is', () => {
    const mocked = mockSteps(order, {
      begin: (event) => {
        expectTypeOf(event.amount).toEqualTypeOf<number>()
        return Charge({ amount: event.amount })
      },
      charge: async (event, ctx) => {
        expectTypeOf(event).toEqualTypeOf<WorkflowEvent<'Charge', { amount: number }>>()
        expectTypeOf(ctx.state.tries).toEqualTypeOf<number>()
        return event.amount > 5 ? [Refused({ why: 'mock' })] : null
      },
      end: (event) => {
        expectTypeOf(event.type).toEqualTypeOf<'Charged' | 'Refused'>()
        return StopEvent({ result: 'mock' })
      },
    })
    expectTypeOf(mocked.run({ amount: 1 }).result()).resolves.toEqualTypeOf<string | null>()
    expectTypeOf(mocked.calls('charge')).toEqualTypeOf<
      readonly StepCall<WorkflowEvent<'Charge', { amount: number }>>[]
    >()
  })

  test('are refused for steps that are not there, other events, other results', () => {
    // @ts-expect-error no such step
    mockSteps(order, { chrage: () => null })
    // @ts-expect-error it takes a Charge
    mockSteps(order, { charge: (event: { type: 'Charged'; id: string }) => Charged({ id: event.id }) })
    // @ts-expect-error it does not emit Charge
    mockSteps(order, { charge: () => Charge({ amount: 1 }) })
    // @ts-expect-error the result is a text or null
    mockSteps(order, { end: () => StopEvent({ result: 5 }) })
    // @ts-expect-error no such step
    mockSteps(order, {}).calls('chrage')
  })

  test('of a step that declares nothing return what its function does', () => {
    mockSteps(loose, { begin: () => Charge({ amount: 2 }), end: ({ amount }) => StopEvent({ result: amount }) })
    // @ts-expect-error its function returns a Charge
    mockSteps(loose, { begin: () => Charged({ id: '' }) })
  })

  test('may be those of the test runner', () => {
    mockSteps(order, { charge: vi.fn(() => Charged({ id: 'v' })), end: vi.fn() })
  })

  test('go into workflows that were built from steps, and into any', () => {
    const built = workflow('built').steps([
      ['begin', step({ accepts: StartEvent, emits: Charge }, () => Charge({ amount: 1 }))],
      ['end', step({ accepts: Charge, emits: StopEvent }, () => StopEvent({ result: 1 }))],
    ] as const)
    mockSteps(built, { end: ({ amount }) => StopEvent({ result: amount }) })
    // @ts-expect-error no such step
    mockSteps(built, { middle: () => null })
    const any: AnyWorkflow = order
    mockSteps(any, { whatever: (event) => Charged({ id: String(event.amount) }) })
    expectTypeOf(mockSteps(any, {}).calls('x')).toExtend<readonly StepCall<AnyEvent>[]>()
  })
})

test('failures are named by step, and see its event', () => {
  const failing = failSteps(order, {
    begin: {},
    charge: { attempts: [1, 2], when: 'after', error: ({ amount }) => new Error(String(amount)) },
  })
  expectTypeOf(failing).toEqualTypeOf(order)
  // @ts-expect-error no such step
  failSteps(order, { chrage: {} })
  // @ts-expect-error no such time
  failSteps(order, { charge: { when: 'later' } })
})

test('virtual time goes where clocks go, and gives what it waits for', () => {
  const time = virtualTime({ start: new Date() })
  const handler = order.run({ amount: 1 }, { clock: time.clock })
  createActor(order.machine, { input: { amount: 1 }, clock: time.clock })
  expectTypeOf(time.runUntil(handler.result())).resolves.toEqualTypeOf<string | null>()
  expectTypeOf(time.runUntil(handler)).resolves.toEqualTypeOf<typeof handler.status>()
  expectTypeOf(time.runUntil(() => true)).resolves.toEqualTypeOf<void>()
  // @ts-expect-error no duration
  time.advance('a while')
})
