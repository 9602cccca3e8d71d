import {
  type AnyWorkflow,
  DefinitionError,
  defineEvent,
  InputRequestEvent,
  InputResponseEvent,
  StartEvent,
  type StepOptions,
  StopEvent,
  step,
  typeOnly,
  type WorkflowOptions,
  workflow,
} from 'blazen-xstate'
import { describe, expect, test, vi } from 'vitest'

const Draft = defineEvent('Draft', typeOnly<{ text: string }>())
const Review = defineEvent('Review', typeOnly<{ text: string }>())
const Publish = defineEvent('Publish', typeOnly<{ text: string }>())

/** A workflow of steps that do nothing: a problem has to be found before any of them runs. */
function build(steps: readonly (readonly [name: string, options: unknown])[], options: WorkflowOptions = {}) {
  let flow: AnyWorkflow = workflow('under test', options)
  for (const [name, stepOptions] of steps) flow = flow.step(name, stepOptions as StepOptions, () => null)
  return flow
}

/** What is wrong with the workflow; nothing if it can be built. */
function problemsOf(flow: AnyWorkflow): readonly string[] {
  try {
    flow.machine
    return []
  } catch (error) {
    expect(error).toBeInstanceOf(DefinitionError)
    return (error as DefinitionError).problems
  }
}

const only = (options: object) => build([['only', { accepts: StartEvent, emits: StopEvent, ...options }]])

describe('a workflow can be built', () => {
  test('if its events lead from StartEvent to StopEvent', () => {
    const flow = build([
      ['write', { accepts: [StartEvent, Review], emits: Draft }],
      ['review', { accepts: Draft, emits: [Review, Publish] }],
      ['publish', { accepts: Publish, emits: StopEvent }],
    ])
    expect(problemsOf(flow)).toEqual([])
  })

  test('if events come from outside, or from a person', () => {
    const flow = build(
      [
        ['ask', { accepts: StartEvent, emits: InputRequestEvent }],
        ['go on', { accepts: InputResponseEvent, emits: StopEvent }],
        ['listen', { accepts: Draft, emits: StopEvent }],
      ],
      { external: [Draft] },
    )
    expect(problemsOf(flow)).toEqual([])
  })

  test('if some step does not say what it emits, so that nobody can know', () => {
    const flow = build([
      ['write', { accepts: StartEvent }],
      ['publish', { accepts: [Publish, Review], emits: [] }],
    ])
    expect(problemsOf(flow)).toEqual([])
  })

  test('in any order of its steps', () => {
    const flow = build([
      ['publish', { accepts: Publish, emits: StopEvent }],
      ['review', { accepts: Draft, emits: Publish }],
      ['write', { accepts: StartEvent, emits: Draft }],
    ])
    expect(problemsOf(flow)).toEqual([])
  })

  test.each([
    ['timeout', { timeout: 0 }],
    ['timeout in words', { timeout: '24d' }],
    ['concurrency', { concurrency: 1 }],
    ['no limit', { concurrency: Number.POSITIVE_INFINITY }],
    ['retry', { retry: { attempts: 1, delay: 0, factor: 0.5, maxDelay: '1h', jitter: 1 } }],
  ])('with a good %s', (_name, options) => {
    expect(problemsOf(only(options))).toEqual([])
  })
})

describe('a workflow cannot be built', () => {
  test.each<[string, AnyWorkflow, string[]]>([
    [
      'without a step',
      build([]),
      ['It has no step. Add one that accepts StartEvent: .step("begin", { accepts: StartEvent }, …).'],
    ],
    [
      'without a name',
      workflow('').step('begin', { accepts: StartEvent }, () => null),
      ['It has no name. Give it one, as in workflow("greeter").'],
    ],
    [
      'with two steps of one name',
      build([
        ['write', { accepts: StartEvent, emits: Draft }],
        ['write', { accepts: Draft, emits: StopEvent }],
        ['write', { accepts: Draft, emits: StopEvent }],
      ]),
      ['Two steps are named "write". Give each a name of its own.'],
    ],
    [
      'with a step without a name',
      build([
        ['', { accepts: StartEvent, emits: StopEvent }],
        ['__proto__', { accepts: StartEvent, emits: StopEvent }],
      ]),
      ['""', '"__proto__"'].map((name) => `A step is named ${name}. Give it a name that says what it does.`),
    ],
    [
      'with a step that accepts nothing',
      build([
        ['write', { accepts: StartEvent, emits: StopEvent }],
        ['review', { accepts: [], emits: StopEvent }],
      ]),
      ['Step "review" accepts no event: name at least one, as in accepts: StartEvent.'],
    ],
    [
      'with a step that accepts a type twice',
      only({ accepts: [StartEvent, StartEvent] }),
      ['Step "only" accepts "blazen::StartEvent" twice. Name it once.'],
    ],
    [
      'with a step that accepts StopEvent',
      only({ accepts: [StartEvent, StopEvent] }),
      [
        'Step "only" accepts StopEvent, which ends the run and reaches no step. Accept an event of your own and return StopEvent after it.',
      ],
    ],
    [
      'with a step that accepts InputRequestEvent',
      only({ accepts: [StartEvent, InputRequestEvent] }),
      [
        'Step "only" accepts InputRequestEvent, which goes to a person and reaches no step. Accept InputResponseEvent instead.',
      ],
    ],
    [
      'with no step that accepts StartEvent',
      build([
        ['write', { accepts: Review, emits: Draft }],
        ['review', { accepts: Draft, emits: [Review, StopEvent] }],
      ]),
      ['No step accepts StartEvent, so nothing begins. Add it to the `accepts` of the first step.'],
    ],
    [
      'with an emitted type that nobody accepts',
      build([
        ['write', { accepts: StartEvent, emits: [Draft, Publish] }],
        ['review', { accepts: Draft, emits: StopEvent }],
      ]),
      [
        'Step "write" emits "Publish", which no step accepts. Add it to the `accepts` of a step, or take it out of `emits`.',
      ],
    ],
    [
      'with an emitted type that nobody accepts, where another step does not say what it emits',
      build([
        ['write', { accepts: StartEvent, emits: [Draft] }],
        ['review', { accepts: StartEvent }],
      ]),
      [
        'Step "write" emits "Draft", which no step accepts. Add it to the `accepts` of a step, or take it out of `emits`.',
      ],
    ],
    [
      'with a question to which nobody accepts the answer',
      only({ emits: [InputRequestEvent, StopEvent] }),
      [
        'Step "only" emits InputRequestEvent, and no step accepts InputResponseEvent. Add it to the `accepts` of the step that goes on with the answer.',
      ],
    ],
    [
      'with an accepted type that nobody emits, and tells of nothing behind it',
      build([
        ['write', { accepts: StartEvent, emits: [] }],
        ['review', { accepts: Draft, emits: Publish }],
        ['publish', { accepts: Publish, emits: StopEvent }],
      ]),
      [
        'Step "review" accepts "Draft", which no step emits. Add it to the `emits` of a step, or to the workflow\'s `external` if it comes from outside.',
      ],
    ],
    [
      'with steps that only lead to each other',
      build([
        ['begin', { accepts: StartEvent, emits: StopEvent }],
        ['write', { accepts: Draft, emits: Review }],
        ['review', { accepts: Review, emits: Draft }],
      ]),
      ['write', 'review'].map(
        (name) =>
          `Step "${name}" is unreachable: no way of events leads to it from StartEvent. Have a reachable step emit what it accepts.`,
      ),
    ],
    [
      'without a StopEvent',
      build([
        ['write', { accepts: [StartEvent, Review], emits: Draft }],
        ['review', { accepts: Draft, emits: Review }],
      ]),
      ['No reachable step emits StopEvent, so a run can never complete. Add it to the `emits` of the last step.'],
    ],
    [
      'with a StopEvent that is accepted, and emitted by nobody',
      only({ accepts: [StartEvent, StopEvent], emits: [] }),
      [
        'Step "only" accepts StopEvent, which ends the run and reaches no step. Accept an event of your own and return StopEvent after it.',
        'No reachable step emits StopEvent, so a run can never complete. Add it to the `emits` of the last step.',
      ],
    ],
    [
      'with a StopEvent that no way leads to',
      build([
        ['write', { accepts: StartEvent, emits: [] }],
        ['review', { accepts: Draft, emits: [Draft, StopEvent] }],
      ]),
      [
        'Step "review" is unreachable: no way of events leads to it from StartEvent. Have a reachable step emit what it accepts.',
        'No reachable step emits StopEvent, so a run can never complete. Add it to the `emits` of the last step.',
      ],
    ],
    [
      'with two event types of one name and two schemas',
      build([
        ['write', { accepts: StartEvent, emits: Draft }],
        ['review', { accepts: defineEvent('Draft', typeOnly<{ words: number }>()), emits: StopEvent }],
      ]),
      [
        'Two event types are named "Draft" and have different schemas. Define it once, and import it where it is needed.',
      ],
    ],
    [
      'with an external event type of the same name and another schema',
      build([['review', { accepts: [StartEvent, Draft], emits: StopEvent }]], {
        external: defineEvent<{ text: string }>('Draft'),
      }),
      [
        'Two event types are named "Draft" and have different schemas. Define it once, and import it where it is needed.',
      ],
    ],
    [
      'with an event type that its module has not defined yet',
      build([['write', { accepts: [StartEvent, undefined], emits: [StopEvent, undefined] }]]),
      ['Step "write" accepts', 'Step "write" emits'].map(
        (where) =>
          `${where} undefined, which is no event type. Name what \`defineEvent\` gave. If it does, modules import each other: move events into their own.`,
      ),
    ],
    [
      'with something else for an event type',
      build([['write', { accepts: [StartEvent, 'Draft', Draft({ text: '' }), null], emits: StopEvent }]]),
      ['a string', 'a object', 'null'].map(
        (got) => `Step "write" accepts ${got}, which is no event type. Name what \`defineEvent\` gave.`,
      ),
    ],
  ])('%s', (_name, flow, problems) => {
    expect(problemsOf(flow)).toEqual(problems)
  })

  const duration =
    'is no duration: expected milliseconds from 0 to 2147483647, or a text such as "250ms", "30s", "5m", "1h" or "2d", got'
  test.each<[string, object, string]>([
    ['timeout: NaN', { timeout: Number.NaN }, `timeout ${duration} NaN.`],
    ['timeout: -1', { timeout: -1 }, `timeout ${duration} -1.`],
    ['timeout: Infinity', { timeout: Number.POSITIVE_INFINITY }, `timeout ${duration} Infinity.`],
    ['a timeout that timers cannot keep', { timeout: 2 ** 31 }, `timeout ${duration} 2147483648.`],
    ['a timeout of 25 days', { timeout: '25d' }, `timeout ${duration} "25d".`],
    ['a timeout without a unit', { timeout: '5' }, `timeout ${duration} "5".`],
    ['a negative timeout in words', { timeout: '-5s' }, `timeout ${duration} "-5s".`],
    ['a timeout of null', { timeout: null }, `timeout ${duration} null.`],
    ['concurrency: 0', { concurrency: 0 }, 'concurrency has to be a whole number of at least 1, got 0.'],
    ['concurrency: 1.5', { concurrency: 1.5 }, 'concurrency has to be a whole number of at least 1, got 1.5.'],
    ['concurrency: NaN', { concurrency: Number.NaN }, 'concurrency has to be a whole number of at least 1, got NaN.'],
    ['concurrency: -1', { concurrency: -1 }, 'concurrency has to be a whole number of at least 1, got -1.'],
    ["concurrency: '2'", { concurrency: '2' }, 'concurrency has to be a whole number of at least 1, got 2.'],
    ['no attempts', { retry: {} }, 'retry: attempts has to be a whole number of at least 1, got undefined.'],
    ['0 attempts', { retry: { attempts: 0 } }, 'retry: attempts has to be a whole number of at least 1, got 0.'],
    ['1.5 attempts', { retry: { attempts: 1.5 } }, 'retry: attempts has to be a whole number of at least 1, got 1.5.'],
    ['factor: 0', { retry: { attempts: 2, factor: 0 } }, 'retry: factor has to be a finite number above 0, got 0.'],
    [
      'factor: NaN',
      { retry: { attempts: 2, factor: Number.NaN } },
      'retry: factor has to be a finite number above 0, got NaN.',
    ],
    [
      'factor: Infinity',
      { retry: { attempts: 2, factor: Number.POSITIVE_INFINITY } },
      'retry: factor has to be a finite number above 0, got Infinity.',
    ],
    ['jitter: 2', { retry: { attempts: 2, jitter: 2 } }, 'retry: jitter has to be a share from 0 to 1, got 2.'],
    [
      'jitter: NaN',
      { retry: { attempts: 2, jitter: Number.NaN } },
      'retry: jitter has to be a share from 0 to 1, got NaN.',
    ],
    ['delay: -1', { retry: { attempts: 2, delay: -1 } }, `retry: delay ${duration} -1.`],
    ['maxDelay: NaN', { retry: { attempts: 2, maxDelay: Number.NaN } }, `retry: maxDelay ${duration} NaN.`],
  ])('with %s', (_name, options, problem) => {
    expect(problemsOf(only(options))).toEqual([`Step "only": ${problem}`])
  })

  test('with a bad timeout of its own', () => {
    const flow = build([['only', { accepts: StartEvent, emits: StopEvent }]], { timeout: Number.NaN })
    expect(problemsOf(flow)).toEqual([`timeout ${duration} NaN.`])
  })

  test('and all problems are told at once, in one error that names it', () => {
    const flow = build(
      [
        ['write', { accepts: StartEvent, emits: [Draft, Publish], concurrency: 0 }],
        ['write', { accepts: [], emits: [], timeout: Number.NaN }],
        ['review', { accepts: [Draft, Review], emits: [] }],
      ],
      { timeout: -1 },
    )
    const problems = problemsOf(flow)
    expect(problems.map((problem) => problem.split(/[,.:]/, 1)[0])).toEqual([
      'Two steps are named "write"',
      'Step "write" accepts no event',
      'Step "write" emits "Publish"',
      'Step "review" accepts "Review"',
      'No reachable step emits StopEvent',
      'Step "write"',
      'Step "write"',
      'timeout is no duration',
    ])
    expect(() => flow.machine).toThrow('Workflow "under test" cannot be built:\n- Two steps are named "write".')
    expect(() => flow.machine).toThrow(expect.objectContaining({ code: 'definition' }))
    for (const problem of problems) expect(() => flow.machine).toThrow(problem)
  })

  test('and run throws at once, before any step', () => {
    const begin = vi.fn(() => null)
    const flow: AnyWorkflow = workflow('under test').step('begin', { accepts: StartEvent, emits: Draft }, begin)
    expect(() => flow.run()).toThrow(DefinitionError)
    expect(begin).not.toHaveBeenCalled()
  })
})

describe('a workflow is a value', () => {
  test('that .step and .steps leave as it was', () => {
    const begin = step({ accepts: StartEvent, emits: StopEvent }, () => StopEvent({ result: 'begun' }))
    const empty = workflow('value')
    const one: AnyWorkflow = empty.step('begin', begin)
    const two: AnyWorkflow = one.steps([['begin', begin]])
    expect(problemsOf(empty)).toHaveLength(1)
    expect(problemsOf(one)).toEqual([])
    expect(problemsOf(two)).toEqual(['Two steps are named "begin". Give each a name of its own.'])
  })

  test('that can be built from arrays, records and generators of steps', async () => {
    const begin = step({ accepts: StartEvent, emits: Draft }, () => Draft({ text: 'draft' }))
    const end = step({ accepts: Draft, emits: StopEvent }, ({ text }) => StopEvent({ result: text }))
    function* generate() {
      yield ['begin', begin] as const
      yield ['end', end] as const
    }
    const flows = [
      workflow('array').steps([
        ['begin', begin],
        ['end', end],
      ]),
      workflow('record').steps(Object.entries({ begin, end })),
      workflow('generator').steps(generate()),
    ]
    for (const flow of flows) await expect(flow.run().result()).resolves.toBe('draft')
  })

  test('that can grow in a loop', async () => {
    const Count = defineEvent('Count 0', typeOnly<{ n: number }>())
    let flow: AnyWorkflow = workflow('loop').step('begin', { accepts: StartEvent }, () => Count({ n: 0 }))
    let Last = Count
    for (let index = 1; index <= 20; index++) {
      const Next = defineEvent(`Count ${index}`, typeOnly<{ n: number }>()) as unknown as typeof Count
      flow = flow.step(`count ${index}`, { accepts: Last, emits: Next }, ({ n }) => Next({ n: n + 1 }))
      Last = Next
    }
    flow = flow.step('end', { accepts: Last, emits: StopEvent }, ({ n }) => StopEvent({ result: n }))
    await expect(flow.run().result()).resolves.toBe(20)
  })
})
