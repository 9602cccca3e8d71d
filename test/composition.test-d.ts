import {
  defineEvent,
  type Pipeline,
  pipeline,
  StartEvent,
  StopEvent,
  subWorkflow,
  typeOnly,
  type Workflow,
  workflow,
} from 'blazen-xstate'
import { describe, expectTypeOf, test } from 'vitest'
import { z } from 'zod'

type ResultOf<W> =
  W extends Workflow<infer _Input, infer _Start, infer Result, infer _State, infer _Wires> ? Result : never

const Doc = defineEvent('Doc', typeOnly<{ text: string }>())
const Counted = defineEvent('Counted', typeOnly<{ words: number }>())

const counter = workflow('counter', { input: typeOnly<{ text: string }>() }).step(
  'count',
  { accepts: StartEvent, emits: StopEvent },
  ({ text }) => StopEvent({ result: { words: text.length } }),
)
const titler = workflow('titler', { input: typeOnly<{ words: number }>() }).step(
  'title',
  { accepts: StartEvent, emits: StopEvent },
  ({ words }) => StopEvent({ result: `${words} words` }),
)
const refiner = workflow('refiner', { input: typeOnly<{ score: number }>() }).step(
  'refine',
  { accepts: StartEvent, emits: StopEvent },
  ({ score }) => StopEvent({ result: { score: score + 1 } }),
)

const base = pipeline('flow', { input: z.object({ text: z.string(), lang: z.string().default('en') }) })

describe('a pipeline', () => {
  test('takes the input of its schema, and gives the result of its last stage', () => {
    const flow = base.stage('count', counter).stage('title', titler)
    expectTypeOf<ResultOf<typeof flow>>().toEqualTypeOf<string>()
    expectTypeOf(flow.run).toBeCallableWith({ text: 'a' })
    // @ts-expect-error the input has no `text`
    flow.run({ lang: 'en' })
    expectTypeOf(flow.run({ text: '' }).result()).resolves.toEqualTypeOf<string>()
  })

  test('refuses a stage that takes another input than what comes before it, unless it is mapped', () => {
    // @ts-expect-error a titler takes words, and a refiner gives a score
    base.stage('refine', refiner, { input: () => ({ score: 1 }) }).stage('title', titler)
    // @ts-expect-error a mapper has to give what the workflow takes
    base.stage('refine', refiner, { input: () => ({ score: 'high' }) })
    base
      .stage('refine', refiner, { input: ({ input }) => ({ score: input.text.length }) })
      .stage('title', titler, { input: ({ last }) => ({ words: last.score }) })
  })

  test('gives mappers and conditions the input, the results by name and the last one', () => {
    base
      .stage('count', counter)
      .stage('title', titler, {
        when: ({ input, last, results }) => {
          expectTypeOf(input).toEqualTypeOf<{ text: string; lang: string }>()
          expectTypeOf(last).toEqualTypeOf<{ words: number }>()
          expectTypeOf(results.count).toEqualTypeOf<{ words: number }>()
          // @ts-expect-error no stage before has this name
          void results.title
          return last.words > 3
        },
      })
      .stage('refine', refiner, {
        input: ({ last, results }) => {
          expectTypeOf(last).toEqualTypeOf<{ words: number } | string>()
          expectTypeOf(results.title).toEqualTypeOf<string | undefined>()
          return { score: results.count.words }
        },
      })
  })

  test('gives the results of branches by name; those with a condition may be absent', () => {
    const flow = base.parallel('fan', {
      words: counter,
      maybe: { run: counter, when: ({ input }) => input.lang === 'en' },
      score: { run: refiner, input: ({ input }) => ({ score: input.text.length }) },
    })
    type Result = ResultOf<typeof flow>
    expectTypeOf<Result['words']>().toEqualTypeOf<{ words: number }>()
    expectTypeOf<Result['maybe']>().toEqualTypeOf<{ words: number } | undefined>()
    expectTypeOf<Result['score']>().toEqualTypeOf<{ score: number }>()
  })

  test("gives the first success with its branch, by join: 'first'", () => {
    const flow = base.parallel(
      'race',
      { words: counter, score: { run: refiner, input: () => ({ score: 1 }) } },
      { join: 'first' },
    )
    expectTypeOf<ResultOf<typeof flow>>().toEqualTypeOf<
      { branch: 'words'; result: { words: number } } | { branch: 'score'; result: { score: number } }
    >()
    flow.stage('after', titler, {
      input: ({ last }) => ({ words: last.branch === 'words' ? last.result.words : last.result.score }),
    })
    // @ts-expect-error there is no such join
    base.parallel('race', { words: counter }, { join: 'any' })
  })

  test('types the rounds of a loop, and asks for `max`', () => {
    const flow = base.stage('refine', refiner, { input: () => ({ score: 0 }) }).loop('more', refiner, {
      until: (result, round, view) => {
        expectTypeOf(result).toEqualTypeOf<{ score: number }>()
        expectTypeOf(round).toEqualTypeOf<number>()
        expectTypeOf(view.results.refine).toEqualTypeOf<{ score: number }>()
        return result.score > 3
      },
      max: 5,
    })
    expectTypeOf<ResultOf<typeof flow>>().toEqualTypeOf<{ score: number }>()
    // @ts-expect-error a loop has to have an end
    base.loop('more', refiner, { input: () => ({ score: 0 }), until: () => true })
  })

  test('types the state that its stages share', () => {
    const shared = z.object({ log: z.array(z.string()).default([]) })
    pipeline('flow', { input: typeOnly<{ text: string }>(), shared }).stage('count', counter, {
      input: ({ shared, input }) => {
        expectTypeOf(shared.get('log')).toExtend<readonly string[] | undefined>()
        // @ts-expect-error the log is no number
        shared.set('log', 5)
        return input
      },
    })
  })

  test('is a workflow: a stage, a branch, a step', () => {
    const inner = pipeline('inner', { input: typeOnly<{ text: string }>() }).stage('count', counter)
    const outer = base.stage('inner', inner).stage('title', titler)
    expectTypeOf<ResultOf<typeof outer>>().toEqualTypeOf<string>()
    const flow = workflow('flow', { input: typeOnly<{ text: string }>() })
      .step('count', subWorkflow(inner, { accepts: StartEvent, emits: Counted }))
      .step('end', { accepts: Counted, emits: StopEvent }, ({ words }) => StopEvent({ result: words }))
    expectTypeOf(flow.run({ text: '' }).result()).resolves.toEqualTypeOf<number>()
    expectTypeOf(inner).toExtend<Pipeline<{ text: string }, { words: number }, object, Record<string, unknown>>>()
  })
})

describe('a sub-workflow', () => {
  test('types what is mapped', () => {
    subWorkflow(counter, {
      accepts: Doc,
      emits: Counted,
      input: (event) => {
        expectTypeOf(event.text).toEqualTypeOf<string>()
        return { text: event.text }
      },
      output: (result, event) => {
        expectTypeOf(result).toEqualTypeOf<{ words: number }>()
        expectTypeOf(event.text).toEqualTypeOf<string>()
        return Counted({ words: result.words })
      },
    })
    // @ts-expect-error the workflow takes a text
    subWorkflow(counter, { accepts: Doc, emits: Counted, input: () => ({ text: 5 }) })
    // @ts-expect-error the step emits nothing like this
    subWorkflow(counter, { accepts: Doc, emits: Counted, output: () => Doc({ text: '' }) })
  })

  test('takes an annotated event where it accepts the StartEvent, which the workflow around it checks', () => {
    const mapped = subWorkflow(counter, {
      accepts: StartEvent,
      emits: Counted,
      input: ({ name }: StartEvent<{ name: string }>) => ({ text: name }),
    })
    workflow('good', { input: typeOnly<{ name: string }>() }).step('count', mapped)
    // @ts-expect-error the input of this workflow has no name
    workflow('bad', { input: typeOnly<{ title: string }>() }).step('count', mapped)
  })

  test('types the results of several by name, and of the first', () => {
    subWorkflow(
      { counter, titler },
      {
        accepts: Doc,
        emits: StopEvent,
        input: ({ text }) => ({ counter: { text }, titler: { words: 1 } }),
        output: (result) => {
          expectTypeOf(result).toEqualTypeOf<{ counter: { words: number }; titler: string }>()
          return StopEvent({ result })
        },
      },
    )
    subWorkflow(
      { counter, titler },
      {
        accepts: Doc,
        emits: StopEvent,
        join: 'first',
        input: ({ text }) => ({ counter: { text }, titler: { words: 1 } }),
        output: (result) => {
          expectTypeOf(result).toEqualTypeOf<
            { branch: 'counter'; result: { words: number } } | { branch: 'titler'; result: string }
          >()
          return StopEvent({ result })
        },
      },
    )
  })
})
