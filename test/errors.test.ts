import * as library from 'blazen-xstate'
import {
  BlazenError,
  DefinitionError,
  defineEvent,
  EventValidationError,
  FatalError,
  StartEvent,
  StepFailedError,
  StopEvent,
  workflow,
} from 'blazen-xstate'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { rejection } from './waiting.ts'

const Job = defineEvent<{ n: number }>('Job')
const Strict = defineEvent('Strict', z.object({ n: z.number() }))
const event = { type: 'Job' }

describe('an error class', () => {
  const errors: Record<string, [Error, string]> = {
    DefinitionError: [new library.DefinitionError('Workflow "w"', ['one', 'two']), 'definition'],
    EventValidationError: [new library.EventValidationError('m', 'Job'), 'event_validation'],
    UnhandledEventError: [new library.UnhandledEventError(event, 's', ['A']), 'unhandled_event'],
    StepFailedError: [new library.StepFailedError('s', event, 1, 'cause'), 'step_failed'],
    StepReturnError: [new library.StepReturnError('s', event, 'a number'), 'step_return'],
    StepTimeoutError: [new library.StepTimeoutError('s', event, 1, 5), 'step_timeout'],
    RunTimeoutError: [new library.RunTimeoutError('r', 5), 'run_timeout'],
    RunAbortedError: [new library.RunAbortedError('r', 'why'), 'run_aborted'],
    StalledError: [new library.StalledError('r', 'w', undefined, []), 'stalled'],
    InputRequestError: [new library.InputRequestError('m', 'q'), 'input_request'],
    RunFinishedError: [new library.RunFinishedError('r', 'failed'), 'run_finished'],
    RunOwnershipLostError: [new library.RunOwnershipLostError('r'), 'run_ownership_lost'],
    SessionEntryLostError: [
      new library.SessionEntryLostError('session', { key: 'db', step: 's', at: 0 }),
      'session_entry_lost',
    ],
    SessionNotSerializableError: [
      new library.SessionNotSerializableError('r', 'hard_error', [{ where: 'ctx.session "db"', holds: 'a function' }]),
      'session_not_serializable',
    ],
    BlazenStateError: [
      new library.BlazenStateError('field_save', 'm', { key: 'state', className: 'S', field: 'weights' }),
      'field_save',
    ],
    BranchesFailedError: [new library.BranchesFailedError([new Error('why')]), 'branches_failed'],
    StageError: [new library.StageError('enrich', 'condition', new Error('why')), 'stage'],
    SnapshotError: [new library.SnapshotError('m'), 'snapshot'],
    StateValidationError: [new library.StateValidationError('m', []), 'state_validation'],
    StoreError: [new library.StoreError('store_full', 'm', true), 'store_full'],
    CodecError: [new library.CodecError('live', 'm'), 'live'],
  }
  test.each(Object.entries(errors))('%s has its name, a code and a message', (name, [error, code]) => {
    expect(error).toBeInstanceOf(BlazenError)
    expect(error).toBeInstanceOf(Error)
    expect(error.name).toBe(name)
    expect((error as BlazenError).code).toBe(code)
    expect(error.message.length).toBeGreaterThan(0)
    expect(String(error)).toContain(name)
    expect(error.stack).toContain('errors.test.ts')
  })

  test('is exported for each kind, each with a code of its own', () => {
    const exported = Object.keys(library).filter(
      (name) => name.endsWith('Error') && !/^(Blazen|Fatal)Error$/.test(name),
    )
    expect(exported.sort()).toEqual(Object.keys(errors).sort())
    expect(new Set(Object.values(errors).map(([, code]) => code)).size).toBe(exported.length)
  })

  test('FatalError is one that steps throw, and keeps its cause', () => {
    const cause = new Error('inner')
    const error = new FatalError('fatal', { cause })
    expect(error).not.toBeInstanceOf(BlazenError)
    expect(error).toMatchObject({ name: 'FatalError', message: 'fatal', cause })
  })
})

describe('the message of a failed step', () => {
  test.each([
    ['an Error', new Error('the disk is full'), 'the disk is full'],
    ['an Error without message', new TypeError(), 'TypeError'],
    ['a text', 'oh no', 'oh no'],
    ['an object', { status: 404 }, '{"status":404}'],
    ['undefined', undefined, 'undefined'],
    ['null', null, 'null'],
    ['a symbol', Symbol('s'), 'Symbol(s)'],
    ['a bigint', 5n, ''],
  ])('says what was thrown: %s', (_name, thrown, said) => {
    const { message } = new StepFailedError('save', event, 2, thrown)
    expect(message).toContain('Step "save" failed on "Job" at attempt 2: ')
    expect(message).toContain(said)
  })
})

describe('a definition', () => {
  const stop = () => StopEvent()
  const nothing = () => null

  test('is checked for everything at once, each problem with its repair', () => {
    const Lost = defineEvent<object>('Lost')
    const build = () =>
      workflow('bad', { timeout: -1 })
        .step('twice', { accepts: StartEvent, concurrency: 0 }, stop)
        .step('twice', { accepts: Job, retry: { attempts: 0 } }, nothing)
        .step('deaf', { accepts: [] }, nothing)
        .step('emits', { accepts: Job, emits: Lost }, () => Lost({})).machine
    const error = caught(build) as DefinitionError
    expect(error).toBeInstanceOf(DefinitionError)
    const expected = ['"twice"', '"deaf" accepts no event', '"Lost"', 'concurrency', 'attempts', 'timeout']
    for (const part of expected) expect(error.message, part).toContain(part)
    expect(error.problems.length).toBeGreaterThanOrEqual(expected.length)
    for (const problem of error.problems) expect(error.message).toContain(problem)
    expect(error.message).toContain('Workflow "bad"')
  })

  test.each([
    ['has no step', () => workflow('empty').machine, 'no step'],
    ['has no step for StartEvent', () => workflow('w').step('a', { accepts: Job }, stop).machine, 'StartEvent'],
    [
      'accepts StopEvent',
      () => workflow('w').step('a', { accepts: [StartEvent, StopEvent] }, stop).machine,
      'StopEvent',
    ],
    [
      'accepts a type twice',
      () => workflow('w').step('a', { accepts: [StartEvent, StartEvent] }, stop).machine,
      'twice',
    ],
    [
      'has a concurrency that is no number',
      () => workflow('w').step('a', { accepts: StartEvent, concurrency: Number.NaN }, stop).machine,
      'concurrency',
    ],
    [
      'has a concurrency of a half',
      () => workflow('w').step('a', { accepts: StartEvent, concurrency: 0.5 }, stop).machine,
      'concurrency',
    ],
    [
      'uses a name for two schemas',
      () =>
        workflow('w')
          .step('a', { accepts: StartEvent }, stop)
          .step('b', { accepts: Strict }, nothing)
          .step('c', { accepts: defineEvent('Strict', z.object({ other: z.string() })) }, nothing).machine,
      '"Strict"',
    ],
  ])('that %s is refused before anything runs', (_name, build, said) => {
    expect(caught(build)).toMatchObject({ code: 'definition', message: expect.stringContaining(said) })
  })

  test.each(['', 'a*', '*', 'xstate.init', 'blazen.failed', 'blazen::StartEvent', undefined, null, 5, {}])(
    'of an event of type %o is refused',
    (type) => {
      expect(caught(() => defineEvent(type as string))).toMatchObject({ code: 'event_type' })
    },
  )

  test('is checked by run, too', () => {
    expect(caught(() => workflow('empty').run())).toBeInstanceOf(DefinitionError)
  })
})

describe('data that does not fit its schema', () => {
  test('throws where the event is made, naming the field', () => {
    const error = caught(() => Strict({ n: 'five' as never })) as EventValidationError
    expect(error).toBeInstanceOf(EventValidationError)
    expect(error).toMatchObject({ eventType: 'Strict', issues: [{ path: 'n', message: expect.any(String) }] })
  })

  const strict = (give: () => unknown) =>
    workflow('strict')
      .step('begin', { accepts: StartEvent }, give as () => null)
      .step('strict', { accepts: Strict }, (event) => StopEvent({ result: event.n }))
  const plain = { type: 'Strict', n: 'five' }

  test.each([
    ['made by a step', () => Strict({ n: 'five' as never })],
    ['returned by a step', () => plain],
    ['returned in an array', () => [plain]],
  ])('fails the run when it is %s, naming the step', async (_name, give) => {
    const error = await rejection(strict(give).run().result())
    expect(error).toBeInstanceOf(EventValidationError)
    expect(error).toMatchObject({ eventType: 'Strict', step: 'begin' })
  })

  test('throws in the step that sends it', async () => {
    const caughtInStep: unknown[] = []
    await workflow('sends')
      .step('begin', { accepts: StartEvent }, (_event, ctx) => {
        caughtInStep.push(caught(() => ctx.sendEvent(plain)))
        return StopEvent()
      })
      .step('strict', { accepts: Strict }, () => null)
      .run()
      .result()
    expect(caughtInStep).toMatchObject([{ code: 'event_validation', eventType: 'Strict' }])
  })

  test('is parsed once: what a step passes on is not parsed again', async () => {
    let parsed = 0
    const Counted = defineEvent(
      'Counted',
      z.object({ n: z.union([z.string().transform(Number), z.number()]).refine(() => ++parsed > 0) }),
    )
    const result = await workflow('passes on')
      .step('begin', { accepts: StartEvent }, () => ({ type: 'Counted', n: '5' }) as never)
      .step('relay', { accepts: Counted, emits: [Counted, StopEvent] }, (event, ctx) => {
        if (ctx.state.has('seen')) return StopEvent({ result: event.n })
        ctx.set('seen', true)
        return event
      })
      .run()
      .result()
    expect(result).toBe(5)
    expect(parsed).toBe(1)
  })
})

function caught(fn: () => unknown): unknown {
  try {
    fn()
  } catch (error) {
    return error
  }
  throw new Error('Expected it to throw')
}
