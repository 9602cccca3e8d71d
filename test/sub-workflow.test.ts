import {
  type AnyWorkflow,
  BlazenError,
  BranchesFailedError,
  createHost,
  DefinitionError,
  defineEvent,
  EventValidationError,
  FatalError,
  InputRequestEvent,
  InputResponseEvent,
  memoryStore,
  RunAbortedError,
  RunTimeoutError,
  StartEvent,
  StepFailedError,
  StopEvent,
  subWorkflow,
  typeOnly,
  workflow,
} from 'blazen-xstate'
import { crashAtEveryRecord, virtualTime } from 'blazen-xstate/testing'
import { describe, expect, test } from 'vitest'
import { createActor, toPromise } from 'xstate'
import { z } from 'zod'
import { createGate, rejection, turns, until } from './waiting.ts'

const Doc = defineEvent('Doc', typeOnly<{ text: string }>())
const Enriched = defineEvent('Enriched', typeOnly<{ words: number }>())

const counter = workflow('counter', { input: z.object({ text: z.string() }) }).step(
  'count',
  { accepts: StartEvent, emits: StopEvent },
  ({ text }, ctx) => {
    ctx.writeEventToStream({ type: 'Counting' })
    return StopEvent({ result: { words: text.split(' ').length } })
  },
)

const asker = workflow('asker', { input: typeOnly<{ text: string }>() })
  .step('ask', { accepts: StartEvent, emits: InputRequestEvent }, ({ text }) =>
    InputRequestEvent({ requestId: 'q', prompt: text }),
  )
  .step('answered', { accepts: InputResponseEvent, emits: StopEvent }, ({ response }) =>
    StopEvent({ result: { words: Number(response) } }),
  )

/** A workflow of one step. */
function one<Result>(
  name: string,
  run: (text: string, signal: AbortSignal, attempt: number) => Result | Promise<Result>,
) {
  return workflow(name, { input: typeOnly<{ text: string }>() }).step(
    'work',
    { accepts: StartEvent, emits: StopEvent },
    async ({ text }, ctx) => StopEvent({ result: await run(text, ctx.signal, ctx.attempt) }),
  )
}

/** Never ends; says with what its signal was aborted. */
function endless(aborted: unknown[]) {
  return one('endless', (_text, signal) => {
    signal.addEventListener('abort', () => void aborted.push(signal.reason))
    return new Promise<never>(() => {})
  })
}

const begin = { accepts: StartEvent, emits: Doc }
const start = ({ text }: { text: string }) => Doc({ text })

const flow = (child: typeof counter | typeof asker) =>
  workflow('flow', { input: typeOnly<{ text: string }>() })
    .step('begin', begin, start)
    .step('enrich', subWorkflow(child as typeof counter, { accepts: Doc, emits: Enriched }))
    .step('end', { accepts: Enriched, emits: StopEvent }, ({ words }) => StopEvent({ result: words }))

describe('a step that runs a workflow', () => {
  test("gives it the event's data, and routes its result as the data of an event", async () => {
    expect(await flow(counter).run({ text: 'a b c' }).result()).toBe(3)
  })

  test('maps what it gives, and what it gets', async () => {
    const mapped = workflow('mapped')
      .step('begin', { accepts: StartEvent, emits: Doc }, () => Doc({ text: 'a b' }))
      .step(
        'enrich',
        subWorkflow(counter, {
          accepts: Doc,
          emits: [Enriched, StopEvent],
          input: ({ text }) => ({ text: `${text} c d` }),
          output: ({ words }, { text }) => StopEvent({ result: `${text}: ${words}` }),
        }),
      )
      .step('end', { accepts: Enriched, emits: StopEvent }, () => StopEvent())
    expect(await mapped.run().result()).toBe('a b: 4')
  })

  test('routes several events for one result', async () => {
    const split = workflow('split')
      .step(
        'enrich',
        subWorkflow(counter, {
          accepts: StartEvent,
          emits: Enriched,
          input: () => ({ text: 'a b' }),
          output: ({ words }) => [Enriched({ words }), Enriched({ words: words + 1 })],
        }),
      )
      .step('end', { accepts: Enriched, emits: StopEvent }, (_event, ctx) => {
        const both = ctx.collect(Enriched, 2)
        return both && StopEvent({ result: both.map(({ words }) => words) })
      })
    expect(await split.run().result()).toEqual([2, 3])
  })

  test('puts a result that is no object into `result`', async () => {
    const Length = defineEvent<{ result: number }>('Length')
    const flow = workflow('flow')
      .step(
        'measure',
        subWorkflow(
          one('length', (text) => text.length),
          { accepts: StartEvent, emits: Length, input: () => ({ text: 'abc' }) },
        ),
      )
      .step('end', { accepts: Length, emits: StopEvent }, ({ result }) => StopEvent({ result }))
    expect(await flow.run().result()).toBe(3)
  })

  test('has runs whose ids tell where they are', async () => {
    const ids: string[] = []
    const child = workflow('child').step('work', { accepts: StartEvent, emits: StopEvent }, (_event, ctx) => {
      ids.push(ctx.runId)
      return StopEvent()
    })
    const flow = workflow('flow')
      .step('begin', { accepts: StartEvent, emits: [Doc] }, () => [Doc({ text: '' }), Doc({ text: '' })])
      .step(
        'both',
        subWorkflow(
          { left: child, right: child },
          { accepts: Doc, emits: Enriched, output: () => Enriched({ words: 0 }) },
        ),
      )
      .step('end', { accepts: Enriched, emits: StopEvent }, (_event, ctx) =>
        ctx.collect(Enriched, 2) ? StopEvent() : null,
      )
    await flow.run(undefined, { runId: 'top' }).result()
    expect(ids).toEqual(['top/both#2/left', 'top/both#2/right', 'top/both#3/left', 'top/both#3/right'])
  })

  test('runs no more of them at once than its concurrency says', async () => {
    let now = 0
    let most = 0
    const child = one('child', async () => {
      most = Math.max(most, ++now)
      await turns(1)
      now--
    })
    const flow = workflow('flow')
      .step('begin', { accepts: StartEvent, emits: Doc }, () => Array.from({ length: 6 }, () => Doc({ text: '' })))
      .step(
        'work',
        subWorkflow(child, { accepts: Doc, emits: Enriched, output: () => Enriched({ words: 1 }), concurrency: 2 }),
      )
      .step('end', { accepts: Enriched, emits: StopEvent }, (_event, ctx) =>
        ctx.collect(Enriched, 6) ? StopEvent() : null,
      )
    await flow.run().result()
    expect(most).toBe(2)
  })

  test('writes to the stream of the outermost run, with the path', async () => {
    const handler = flow(counter).run({ text: 'a b c' })
    const events = []
    for await (const event of handler.stream()) events.push(event)
    expect(events).toEqual([{ type: 'Counting', path: ['enrich', 'count'] }])
  })

  test('has a session of its own, or that of the run around it', async () => {
    const seen: unknown[] = []
    const child = workflow('child').step('look', { accepts: StartEvent, emits: StopEvent }, (_event, ctx) => {
      seen.push(ctx.session.has('socket'), ctx.session.get('socket'))
      return StopEvent()
    })
    const flow = (session: 'own' | 'shared') =>
      workflow('flow')
        .step('begin', begin, (_event, ctx) => {
          ctx.session.set('socket', 'open')
          return Doc({ text: '' })
        })
        .step('look', subWorkflow(child, { accepts: Doc, emits: StopEvent, session, output: () => StopEvent() }))
    await flow('own').run().result()
    await flow('shared').run().result()
    expect(seen).toEqual([false, undefined, true, 'open'])
  })
})

describe('several at once', () => {
  const many = <Join extends 'all' | 'first'>(branches: Record<string, AnyWorkflow>, join: Join) =>
    workflow('many', { input: typeOnly<{ text: string }>() }).step(
      'fan',
      subWorkflow(branches, {
        accepts: StartEvent,
        emits: StopEvent,
        join,
        input: () => Object.fromEntries(Object.keys(branches).map((name) => [name, { text: name }])),
        output: (result) => StopEvent({ result }),
      }),
    )

  test("join 'all': the results are in the order of the branches", async () => {
    const gate = createGate()
    const slow = one('slow', async () => {
      await gate.opened
      return 'slow'
    })
    const handler = many({ slow, quick: one('quick', () => 'quick') }, 'all').run({ text: '' })
    await turns()
    gate.open()
    expect(JSON.stringify(await handler.result())).toBe('{"slow":"slow","quick":"quick"}')
  })

  test("join 'all': the first failure aborts the others, and names its branch", async () => {
    const aborted: unknown[] = []
    const cause = new RangeError('no luck')
    const bad = one('bad', () => {
      throw cause
    })
    const error = await rejection(
      many({ other: endless(aborted), bad }, 'all')
        .run({ text: '' })
        .result(),
    )
    expect(error).toBeInstanceOf(StepFailedError)
    expect(error).toMatchObject({ step: 'work', runPath: ['fan::bad'], cause })
    expect(String(error)).toContain('fan::bad › Step "work" failed')
    expect(aborted).toHaveLength(1)
  })

  test("join 'first': the first success is the result, and the others are aborted", async () => {
    const aborted: unknown[] = []
    const bad = one('bad', () => {
      throw new Error('no luck')
    })
    const good = one('good', async (text) => {
      await turns()
      return text
    })
    const handler = many({ bad, slow: endless(aborted), good }, 'first').run({ text: '' })
    expect(await handler.result()).toEqual({ branch: 'good', result: 'good' })
    expect(aborted).toHaveLength(1)
  })

  test("join 'first': it fails only if all fail, with the errors of all", async () => {
    const bad = (name: string) =>
      one(name, () => {
        throw new TypeError(`${name} fails`)
      })
    const error = await rejection(
      many({ a: bad('a'), b: bad('b') }, 'first')
        .run({ text: '' })
        .result(),
    )
    expect(error).toBeInstanceOf(BranchesFailedError)
    expect(error).toMatchObject({
      code: 'branches_failed',
      runPath: ['fan'],
      errors: [
        { name: 'StepFailedError', runPath: ['fan::a'], cause: { message: 'a fails' } },
        { name: 'StepFailedError', runPath: ['fan::b'], cause: { message: 'b fails' } },
      ],
    })
    expect((error as Error).message).toBe(
      'fan › All 2 branches have failed: fan::a › Step "work" failed on "blazen::StartEvent": a fails; fan::b › Step "work" failed on "blazen::StartEvent": b fails',
    )
  })

  test('each gets its own part of a mapped input, and all of them the event where nothing is mapped', async () => {
    const flow = workflow('flow', { input: typeOnly<{ text: string }>() }).step(
      'fan',
      subWorkflow(
        { a: one('a', (text) => text), b: one('b', (text) => text) },
        { accepts: StartEvent, emits: StopEvent, output: (result) => StopEvent({ result }) },
      ),
    )
    expect(await flow.run({ text: 'same' }).result()).toEqual({ a: 'same', b: 'same' })
  })
})

describe('time', () => {
  test('the timeout is for the run inside, and names where it is', async () => {
    const time = virtualTime()
    const flow = workflow('flow', { input: typeOnly<{ text: string }>() }).step(
      'slow',
      subWorkflow(endless([]), { accepts: StartEvent, emits: StopEvent, timeout: '5s', output: () => StopEvent() }),
    )
    const handler = flow.run({ text: '' }, { clock: time.clock, runId: 'top' })
    await time.advance('4s')
    expect(handler.status).toBe('running')
    await time.advance('1s')
    const error = await rejection(handler.result())
    expect(error).toBeInstanceOf(RunTimeoutError)
    expect(error).toMatchObject({ runPath: ['slow'], timeoutMs: 5_000, runId: 'top/slow#1' })
  })

  test('the clocks of all levels stand still while the run inside waits for a person', async () => {
    const time = virtualTime()
    const outer = workflow('outer', { input: typeOnly<{ text: string }>(), timeout: '3s' }).step(
      'ask',
      subWorkflow(asker, {
        accepts: StartEvent,
        emits: StopEvent,
        timeout: '2s',
        output: ({ words }) => StopEvent({ result: words }),
      }),
    )
    const handler = outer.run({ text: '?' }, { clock: time.clock })
    await time.advance('1h')
    expect(handler.status).toBe('waiting')
    const snapshot = JSON.parse(JSON.stringify(await handler.pause()))
    handler.abort()
    const again = outer.resume(snapshot, { clock: time.clock })
    await time.advance('1h')
    await again.respondToInput(again.pendingInputs[0]?.requestId ?? '', 7)
    expect(await time.runUntil(again.result())).toBe(7)
  })
})

describe('retry', () => {
  test('the run is begun anew, with an id of its own', async () => {
    const ids: string[] = []
    const child = workflow('child').step('work', { accepts: StartEvent, emits: StopEvent }, (_event, ctx) => {
      ids.push(ctx.runId)
      if (ids.length < 3) throw new Error('not yet')
      return StopEvent({ result: ids.length })
    })
    const flow = workflow('flow').step(
      'try',
      subWorkflow(child, {
        accepts: StartEvent,
        emits: StopEvent,
        retry: { attempts: 3 },
        output: (result) => StopEvent({ result }),
      }),
    )
    expect(await flow.run(undefined, { runId: 'top' }).result()).toBe(3)
    expect(ids).toEqual(['top/try#1', 'top/try#1.2', 'top/try#1.3'])
  })

  test('what the failed attempt has begun is aborted', async () => {
    const aborted: unknown[] = []
    let calls = 0
    const bad = one('bad', () => {
      if (++calls === 1) throw new Error('not yet')
      return 'good'
    })
    let others = 0
    const other = one('other', (_text, signal) => {
      if (++others > 1) return 'done'
      signal.addEventListener('abort', () => void aborted.push(signal.reason))
      return new Promise<string>(() => {})
    })
    const flow = workflow('flow', { input: typeOnly<{ text: string }>() }).step(
      'try',
      subWorkflow(
        { other, bad },
        { accepts: StartEvent, emits: StopEvent, retry: { attempts: 2 }, output: (result) => StopEvent({ result }) },
      ),
    )
    expect(await flow.run({ text: '' }).result()).toEqual({ other: 'done', bad: 'good' })
    expect(aborted).toHaveLength(1)
    expect(aborted[0]).toBeInstanceOf(RunAbortedError)
  })

  test("the workflow's own policy is for its functions, not for runs inside", async () => {
    let calls = 0
    const child = one('child', () => {
      calls++
      throw new Error('never')
    })
    const flow = workflow('flow', { input: typeOnly<{ text: string }>() }).step(
      'try',
      subWorkflow(child, { accepts: StartEvent, emits: StopEvent, output: () => StopEvent(), retry: { attempts: 2 } }),
    )
    await rejection(flow.run({ text: '' }).result())
    expect(calls).toBe(2)
  })

  test('a FatalError inside is never retried, at any level', async () => {
    let calls = 0
    const child = workflow('child', { retry: { attempts: 3 } }).step(
      'work',
      { accepts: StartEvent, emits: StopEvent },
      () => {
        calls++
        if (calls > 0) throw new FatalError('for good')
        return StopEvent()
      },
    )
    const middle = workflow('middle').step(
      'inner',
      subWorkflow(child, { accepts: StartEvent, emits: StopEvent, retry: { attempts: 3 }, output: () => StopEvent() }),
    )
    const flow = workflow('flow').step(
      'outer',
      subWorkflow(middle, { accepts: StartEvent, emits: StopEvent, retry: { attempts: 3 }, output: () => StopEvent() }),
    )
    const error = await rejection(flow.run().result())
    expect(calls).toBe(1)
    expect(error).toMatchObject({ runPath: ['outer', 'inner'], cause: expect.any(FatalError) })
  })
})

describe('errors', () => {
  class OutOfLuck extends Error {
    override name = 'OutOfLuck'
    constructor(readonly level: number) {
      super('out of luck')
    }
  }
  const bad = workflow('bad', { classes: [OutOfLuck] }).step('work', { accepts: StartEvent, emits: StopEvent }, () => {
    if (bad.name === 'bad') throw new OutOfLuck(7)
    return StopEvent()
  })
  const middle = workflow('middle', { classes: [OutOfLuck] }).step(
    'inner',
    subWorkflow(bad, { accepts: StartEvent, emits: StopEvent, output: () => StopEvent() }),
  )
  const top = workflow('top', { classes: [OutOfLuck] }).step(
    'outer',
    subWorkflow(middle, { accepts: StartEvent, emits: StopEvent, output: () => StopEvent() }),
  )

  test('keep their class, their cause and the path, also in a snapshot', async () => {
    const handler = top.run()
    const error = await rejection(handler.result())
    const again = top.resume(JSON.parse(JSON.stringify(handler.snapshot())))
    for (const each of [error, await rejection(again.result())]) {
      expect(each).toBeInstanceOf(StepFailedError)
      expect(each).toMatchObject({ step: 'work', runPath: ['outer', 'inner'], cause: { level: 7 } })
      expect((each as StepFailedError).cause).toBeInstanceOf(OutOfLuck)
      expect((each as StepFailedError).message).toBe(
        'outer › inner › Step "work" failed on "blazen::StartEvent": out of luck',
      )
    }
  })

  test('an input that does not fit the workflow inside names the way to it, and the step', async () => {
    const flow = (children: AnyWorkflow | Record<string, AnyWorkflow>) =>
      workflow('flow').step(
        'enrich',
        subWorkflow(children, {
          accepts: StartEvent,
          emits: StopEvent,
          input: () => ({ text: 5, it: { text: 5 } }),
          output: () => StopEvent(),
        }),
      )
    const error = await rejection(flow(counter).run().result())
    expect(error).toBeInstanceOf(EventValidationError)
    expect(error).toMatchObject({ runPath: ['enrich'] })
    expect(String(error)).toContain('text')
    expect(await rejection(flow({ it: counter }).run().result())).toMatchObject({ runPath: ['enrich::it'] })
  })

  test('a mapper that throws fails the step', async () => {
    const flow = (part: 'input' | 'output') =>
      workflow('flow').step(
        'enrich',
        subWorkflow(counter, {
          accepts: StartEvent,
          emits: StopEvent,
          input: () => {
            if (part === 'input') throw new RangeError('bad input')
            return { text: '' }
          },
          output: () => {
            if (part === 'output') throw new RangeError('bad output')
            return StopEvent()
          },
        }),
      )
    for (const part of ['input', 'output'] as const) {
      const error = await rejection(flow(part).run().result())
      expect(error).toMatchObject({ name: 'StepFailedError', step: 'enrich', cause: { message: `bad ${part}` } })
    }
  })

  test('what is wrong with a workflow inside is told when the one around it is built', () => {
    const broken = workflow('broken').step('work', { accepts: Doc, emits: Doc }, () => Doc({ text: '' })) as AnyWorkflow
    const flow = workflow('flow').step(
      'enrich',
      subWorkflow(broken, { accepts: StartEvent, emits: StopEvent, output: () => StopEvent() }),
    )
    expect(() => flow.run()).toThrow(DefinitionError)
    expect(() => flow.run()).toThrow(/"broken"/)
  })

  test('a workflow that contains itself is refused', () => {
    const inside: Record<string, AnyWorkflow> = {}
    const outer = workflow('outer').step('again', {
      ...subWorkflow(counter, { accepts: StartEvent, emits: StopEvent, output: () => StopEvent() }),
      children: [
        {
          get compiled() {
            return (inside.outer as AnyWorkflow).machine
          },
        },
      ],
    } as never)
    inside.outer = outer as AnyWorkflow
    expect(() => inside.outer?.machine).toThrow(/contains itself/)
  })

  test('options that cannot be are refused with the repair', () => {
    expect(() => subWorkflow({}, { accepts: StartEvent })).toThrow(/at least one/)
    expect(() => subWorkflow('counter' as never, { accepts: StartEvent })).toThrow(BlazenError)
    const options = { accepts: StartEvent, emits: StopEvent, output: () => StopEvent() }
    expect(() => subWorkflow(counter, { ...options, timeout: 'soon' as never })).toThrow(/timeout/)
    expect(() => subWorkflow({ counter }, { ...options, join: 'any' as never })).toThrow(/join/)
  })
})

describe('people', () => {
  test('a request surfaces with its path, in a paused run and after a restart too', async () => {
    const handler = flow(asker).run({ text: 'How many?' })
    await until(() => handler.status === 'waiting')
    expect(handler.pendingInputs).toMatchObject([{ requestId: 'enrich#2/q', path: ['enrich'] }])
    const snapshot = JSON.parse(JSON.stringify(await handler.pause()))
    expect(handler.status).toBe('paused')
    expect(handler.pendingInputs).toHaveLength(1)
    handler.abort()
    const again = flow(asker).resume(snapshot)
    await until(() => again.status === 'waiting')
    await again.respondToInput('enrich#2/q', 5)
    expect(await again.result()).toBe(5)
  })

  test('an answer reaches only the one that asked', async () => {
    const twins = workflow('twins', { input: typeOnly<{ text: string }>() }).step(
      'ask',
      subWorkflow(
        { left: asker, right: asker },
        { accepts: StartEvent, emits: StopEvent, output: (result) => StopEvent({ result }) },
      ),
    )
    const handler = twins.run({ text: '?' })
    await until(() => handler.pendingInputs.length === 2)
    expect(handler.pendingInputs).toMatchObject([
      { requestId: 'ask#1/left/q', path: ['ask', 'left'] },
      { requestId: 'ask#1/right/q', path: ['ask', 'right'] },
    ])
    await handler.respondToInput('ask#1/right/q', 2)
    await turns()
    expect(handler.pendingInputs).toMatchObject([{ requestId: 'ask#1/left/q' }])
    await handler.pause()
    await handler.respondToInput('ask#1/left/q', 1)
    handler.resume()
    expect(await handler.result()).toEqual({ left: { words: 1 }, right: { words: 2 } })
  })

  test("the outermost run's onInput answers where the workflow inside has none", async () => {
    const handler = flow(asker).run({ text: '?' }, { onInput: ({ prompt }) => (prompt === '?' ? 9 : 0) })
    expect(await handler.result()).toBe(9)
  })
})

describe('on a host', () => {
  test('what happens inside is in the records of the run around it', async () => {
    const it = flow(asker)
    await using host = createHost({ store: memoryStore(), workflows: [it], pollMs: 5 })
    const { runId } = await host.run(it, { text: 'x' })
    await until(async () => (await (await host.get(runId))?.status()) === 'waiting')
    const kinds = (await host.history(runId)).map(({ kind }) => kind)
    expect(kinds).toEqual(['started', 'settled', 'begun', 'settled', 'waiting'])
  })

  test('however it is cut, it comes to the same', async () => {
    const asked = await crashAtEveryRecord(flow(asker), { input: { text: 'x' }, answers: () => 7 })
    expect(asked.result).toBe(7)
    const counted = await crashAtEveryRecord(flow(counter), { input: { text: 'a b' } })
    expect(counted.result).toBe(2)
  }, 60_000)

  test('what begins although its step has failed meanwhile does not go on', async () => {
    const signals: AbortSignal[] = []
    const waiting = one('waiting', async (_text, signal) => {
      signals.push(signal)
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
    })
    const picky = workflow('picky', { input: z.object({ text: z.string().max(3) }) }).step(
      'never',
      { accepts: StartEvent, emits: StopEvent },
      () => StopEvent(),
    )
    const it = workflow('flow', { input: typeOnly<{ text: string }>() }).step(
      'enrich',
      subWorkflow(
        { waiting, picky },
        { accepts: StartEvent, emits: StopEvent, output: () => StopEvent(), retry: { attempts: 3 } },
      ),
    )
    await using host = createHost({ store: memoryStore(), workflows: [it], pollMs: 5 })
    const handler = await host.run(it, { text: 'too long' })
    expect(String(await rejection(handler.result()))).toContain('Too big')
    await until(() => signals.every(({ aborted }) => aborted))
  })
})

test('an answer that is sent as an event reaches the run inside, through a handler and through plain XState', async () => {
  const asker = workflow('asker', { input: typeOnly<{ text: string }>() })
    .step('ask', { accepts: StartEvent, emits: InputRequestEvent }, ({ text }) =>
      InputRequestEvent({ requestId: 'q', prompt: text }),
    )
    .step('answered', { accepts: InputResponseEvent, emits: StopEvent }, ({ response }) =>
      StopEvent({ result: { words: Number(response) } }),
    )
  const Text = defineEvent('Text', typeOnly<{ text: string }>())
  const Words = defineEvent('Words', typeOnly<{ words: number }>())
  const asking = workflow('asking')
    .step('begin', { accepts: StartEvent, emits: Text }, () => Text({ text: '?' }))
    .step('ask', subWorkflow(asker, { accepts: Text, emits: Words }))
    .step('end', { accepts: Words, emits: StopEvent }, ({ words }) => StopEvent({ result: words }))
  const handler = asking.run()
  await until(() => handler.pendingInputs.length === 1)
  const { requestId = '' } = handler.pendingInputs[0] ?? {}
  await handler.sendEvent(InputResponseEvent({ requestId, response: 3 }))
  expect(await handler.result()).toBe(3)
  const actor = createActor(asking.machine).start()
  await until(() => actor.getSnapshot().value === 'waiting')
  actor.send(InputResponseEvent({ requestId, response: 4 }))
  expect(await toPromise(actor)).toBe(4)
})
