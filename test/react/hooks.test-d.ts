import {
  defineEvent,
  type InputRequestEvent,
  StartEvent,
  StopEvent,
  type WorkflowHandler,
  workflow,
} from 'blazen-xstate'
import { type RunView, usePendingInputs, useRun, useRunState, useRunStream, useWorkflow } from 'blazen-xstate/react'
import { describe, expectTypeOf, test } from 'vitest'
import { z } from 'zod'

const Line = defineEvent('Line', z.object({ text: z.string() }))
const Page = defineEvent('Page', z.object({ number: z.number() }))

const reader = workflow('reader', {
  input: z.object({ path: z.string(), pages: z.number().default(1) }),
  state: z.object({ done: z.number().default(0), tags: z.set(z.string()).default(new Set()) }),
}).step('read', { accepts: StartEvent, emits: StopEvent }, () => StopEvent({ result: { words: 3 } }))

const easy = workflow('easy').step('begin', { accepts: StartEvent, emits: StopEvent }, () => StopEvent({ result: 1 }))
const broken = workflow('broken').step('begin', { accepts: StartEvent }, () => Line({ text: 'nobody accepts it' }))

declare const handler: ReturnType<typeof reader.run>

describe('a handler', () => {
  test('shows the state that its workflow declares, to be read', () => {
    expectTypeOf(handler.state.done).toEqualTypeOf<number>()
    expectTypeOf(handler.state.get('tags')).toEqualTypeOf<Set<string> | undefined>()
    expectTypeOf(handler.outcome).toEqualTypeOf<PromiseSettledResult<{ words: number }> | undefined>()
    // @ts-expect-error it has no such key
    handler.state.get('missing')
    // @ts-expect-error it can only be read
    handler.state.done = 1
    // @ts-expect-error it can only be read
    handler.state.set('done', 1)
  })

  test('of undeclared state has unknown values', () => {
    expectTypeOf(easy.run().state.count).toEqualTypeOf<unknown>()
    expectTypeOf(easy.run().state.get<number>('count')).toEqualTypeOf<number | undefined>()
  })

  test('is one for a function that takes handlers of any workflow', () => {
    expectTypeOf(handler).toExtend<WorkflowHandler>()
    expectTypeOf(handler).toExtend<WorkflowHandler<{ words: number }>>()
    expectTypeOf(handler).not.toExtend<WorkflowHandler<string>>()
  })
})

describe('useRun', () => {
  test('has a result exactly where the status says so', () => {
    const run = useRun(handler)
    expectTypeOf(run).toEqualTypeOf<RunView<{ words: number }>>()
    expectTypeOf(run.result).toEqualTypeOf<{ words: number } | undefined>()
    if (run.status === 'completed') expectTypeOf(run.result).toEqualTypeOf<{ words: number }>()
    if (run.status === 'failed') expectTypeOf(run.error).toEqualTypeOf<unknown>()
    if (run.status === 'waiting') expectTypeOf(run.result).toEqualTypeOf<undefined>()
  })
})

describe('useRunState', () => {
  test('has the type of the selection; also undefined where there may be no handler', () => {
    expectTypeOf(useRunState(handler, (state) => state.done)).toEqualTypeOf<number>()
    const { handler: perhaps } = useWorkflow(reader)
    expectTypeOf(useRunState(perhaps, (state) => state.tags.size)).toEqualTypeOf<number | undefined>()
    // @ts-expect-error there is no such key
    useRunState(handler, (state) => state.missing)
  })
})

describe('useRunStream', () => {
  test('has the events that are asked for', () => {
    expectTypeOf(useRunStream(handler, { only: Line })[0]?.text).toEqualTypeOf<string | undefined>()
    const [event] = useRunStream(handler, { only: [Line, Page] })
    if (Page.is(event)) expectTypeOf(event.number).toEqualTypeOf<number>()
    expectTypeOf(useRunStream(handler)[0]?.type).toEqualTypeOf<string | undefined>()
  })
})

test('usePendingInputs has the requests', () => {
  expectTypeOf(usePendingInputs(handler)).toEqualTypeOf<readonly InputRequestEvent[]>()
})

describe('useWorkflow', () => {
  test('takes what run takes', () => {
    const { start, handler } = useWorkflow(reader)
    expectTypeOf(handler).toEqualTypeOf<
      WorkflowHandler<{ words: number }, { done: number; tags: Set<string> }> | undefined
    >()
    start({ path: 'a.md' }, { timeout: '10s' })
    // @ts-expect-error a path is missing
    start()
    // @ts-expect-error a number is no path
    start({ path: 1 })
    useWorkflow(easy).start()
  })

  test('has an input where it starts by itself', () => {
    useWorkflow(reader, { autoStart: true, input: { path: 'a.md' } })
    useWorkflow(reader, { autoStart: Math.random() > 0.5, input: { path: 'a.md' } })
    useWorkflow(easy, { autoStart: true })
    // @ts-expect-error the input is missing
    useWorkflow(reader, { autoStart: true })
    // @ts-expect-error a number is no path
    useWorkflow(reader, { autoStart: true, input: { path: 1 } })
  })

  test('knows the wiring', () => {
    // @ts-expect-error nobody accepts a Line
    useWorkflow(broken)
  })
})
