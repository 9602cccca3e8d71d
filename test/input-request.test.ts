import {
  type AnyEvent,
  defineEvent,
  InputRequestError,
  InputRequestEvent,
  InputResponseEvent,
  StartEvent,
  StopEvent,
  workflow,
} from 'blazen-xstate'
import { describe, expect, test } from 'vitest'
import { createGate, rejection, turns } from './waiting.ts'

const Job = defineEvent<{ n: number }>('Job')
const ask = (requestId: string, prompt = `${requestId}?`) => InputRequestEvent({ requestId, prompt })

/** Asks for all of `ids` at once, and completes with the answers in the order in which they came. */
const asking = (...ids: string[]) =>
  workflow('asking')
    .step('ask', { accepts: StartEvent }, () => ids.map((id) => ask(id)))
    .step('answered', { accepts: InputResponseEvent }, (_event, ctx) => {
      const all = ctx.collect(InputResponseEvent, ids.length)
      return all && StopEvent({ result: all.map(({ requestId, response }) => [requestId, response]) })
    })

describe('an input request', () => {
  test('is on the stream and among the pending ones; the run waits, and goes on with the answer', async () => {
    const handler = asking('r').run()
    const stream = handler.stream()
    expect((await stream.next()).value).toEqual({ type: InputRequestEvent.type, requestId: 'r', prompt: 'r?' })
    expect(handler.pendingInputs).toEqual([{ type: InputRequestEvent.type, requestId: 'r', prompt: 'r?' }])
    expect(handler.status).toBe('waiting')
    await handler.respondToInput('r', 'yes')
    expect(handler.pendingInputs).toEqual([])
    expect(await handler.result()).toEqual([['r', 'yes']])
    expect((await stream.next()).done).toBe(true)
  })

  test('shows its metadata, and brings back the very answer', async () => {
    const metadata = { choices: ['a', 'b'] }
    const answer = { picked: new Map([['a', 1]]) }
    const handler = workflow('objects')
      .step('ask', { accepts: StartEvent }, () => InputRequestEvent({ prompt: 'Which?', metadata }))
      .step('answered', { accepts: InputResponseEvent }, ({ response }) => StopEvent({ result: response }))
      .run()
    await turns()
    const [request] = handler.pendingInputs
    expect(request?.metadata).toBe(metadata)
    await handler.respondToInput(request?.requestId ?? '', answer)
    expect(await handler.result()).toBe(answer)
  })

  test('gets an id when none is given, another one each time', async () => {
    const handler = workflow('ids')
      .step('ask', { accepts: StartEvent }, () => [
        InputRequestEvent({ prompt: '1' }),
        InputRequestEvent({ prompt: '2' }),
      ])
      .step('answered', { accepts: InputResponseEvent }, () => StopEvent())
      .run()
    await turns()
    const ids = handler.pendingInputs.map(({ requestId }) => requestId)
    expect(new Set(ids).size).toBe(2)
    for (const id of ids) expect(id).toMatch(/.{8}/)
    handler.abort()
    await rejection(handler.result())
  })

  test('may be sent by a step that goes on', async () => {
    const handler = workflow('sends')
      .step('ask', { accepts: StartEvent }, async (_event, ctx) => {
        ctx.sendEvent(ask('r'))
        await new Promise((resolve) => ctx.signal.addEventListener('abort', resolve))
        return null
      })
      .step('answered', { accepts: InputResponseEvent }, ({ response }) => StopEvent({ result: response }))
      .run()
    expect(handler.pendingInputs).toHaveLength(1)
    expect(handler.status).toBe('running')
    await handler.respondToInput('r', 5)
    expect(await handler.result()).toBe(5)
  })

  test('is one of several: answers may come in any order', async () => {
    const handler = asking('a', 'b', 'c').run()
    await turns()
    expect(handler.pendingInputs.map(({ requestId }) => requestId)).toEqual(['a', 'b', 'c'])
    await handler.respondToInput('c', 3)
    await turns()
    expect(handler.status).toBe('waiting')
    expect(handler.pendingInputs.map(({ requestId }) => requestId)).toEqual(['a', 'b'])
    await handler.respondToInput('a', 1)
    await handler.respondToInput('b', 2)
    expect(await handler.result()).toEqual([
      ['c', 3],
      ['a', 1],
      ['b', 2],
    ])
  })

  test('does not hold up other branches', async () => {
    const log: number[] = []
    const gate = createGate()
    const handler = workflow('branches')
      .step('begin', { accepts: StartEvent }, () => [ask('r'), Job({ n: 3 })])
      .step('job', { accepts: Job }, async ({ n }) => {
        log.push(n)
        if (n === 1) await gate.opened
        return n === 0 ? null : Job({ n: n - 1 })
      })
      .step('answered', { accepts: InputResponseEvent }, () => StopEvent({ result: log }))
      .run()
    await turns()
    expect(log).toEqual([3, 2, 1])
    expect(handler.status).toBe('running')
    gate.open()
    await turns()
    expect(log).toEqual([3, 2, 1, 0])
    expect(handler.status).toBe('waiting')
    await handler.respondToInput('r', null)
    expect(await handler.result()).toEqual([3, 2, 1, 0])
  })

  test('may use the id of one that was answered before', async () => {
    const handler = workflow('again')
      .step('ask', { accepts: StartEvent }, () => ask('r'))
      .step('answered', { accepts: InputResponseEvent }, ({ response }) =>
        response === 'enough' ? StopEvent({ result: response }) : ask('r'),
      )
      .run()
    for (const answer of ['more', 'more', 'enough']) {
      await turns()
      await handler.respondToInput('r', answer)
    }
    expect(await handler.result()).toBe('enough')
  })

  test('with the id of an open one fails the run, naming the id', async () => {
    const error = await rejection(asking('same', 'same').run().result())
    expect(error).toBeInstanceOf(InputRequestError)
    expect(error).toMatchObject({
      code: 'input_request',
      requestId: 'same',
      message: expect.stringContaining('"same"'),
    })
  })

  test('may have any text as id', async () => {
    for (const id of ['', '__proto__', 'constructor', 'a b']) {
      const handler = asking(id).run()
      await turns()
      await handler.respondToInput(id, 1)
      expect(await handler.result()).toEqual([[id, 1]])
    }
  })

  test('without an id or a prompt, written out by hand, is refused and not asked', async () => {
    for (const request of [
      { type: InputRequestEvent.type, prompt: '?' },
      { type: InputRequestEvent.type, requestId: 5 },
    ]) {
      const handler = workflow('by hand')
        .step('ask', { accepts: StartEvent }, () => request as never)
        .run()
      await turns()
      expect(handler.status).toBe('failed')
      expect(await rejection(handler.result())).toMatchObject({ code: expect.any(String), step: 'ask' })
    }
  })
})

describe('an answer', () => {
  test('to an unknown id rejects, and the run is not disturbed', async () => {
    const handler = asking('a').run()
    await turns()
    expect(await rejection(handler.respondToInput('b', 1))).toBeInstanceOf(InputRequestError)
    expect(handler.pendingInputs).toHaveLength(1)
    await handler.respondToInput('a', 1)
    expect(await handler.result()).toEqual([['a', 1]])
  })

  test('that is repeated rejects, also at once, and only the first one counts', async () => {
    const handler = asking('a', 'b').run()
    await turns()
    const answers = await Promise.allSettled([1, 2, 3].map((answer) => handler.respondToInput('a', answer)))
    expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected'])
    await turns()
    expect(await rejection(handler.respondToInput('a', 4))).toMatchObject({ code: 'input_request', requestId: 'a' })
    await handler.respondToInput('b', 5)
    expect(await handler.result()).toEqual([
      ['a', 1],
      ['b', 5],
    ])
  })

  test('may be undefined', async () => {
    const handler = asking('a').run()
    await turns()
    await handler.respondToInput('a', undefined)
    expect(await handler.result()).toEqual([['a', undefined]])
  })

  test('that no step accepts fails the run, saying so', async () => {
    const handler = workflow('deaf')
      .step('ask', { accepts: StartEvent }, () => ask('a') as AnyEvent)
      .run()
    await turns()
    await handler.respondToInput('a', 1)
    expect(await rejection(handler.result())).toMatchObject({
      code: 'unhandled_event',
      message: expect.stringContaining(InputResponseEvent.type),
    })
  })
})

describe('onInput', () => {
  test.each([
    ['at once', () => 'yes'],
    ['later', async () => turns().then(() => 'yes')],
  ])('answers %s', async (_name, onInput) => {
    const handler = asking('r').run(undefined, { onInput })
    expect(await handler.result()).toEqual([['r', 'yes']])
  })

  test('gets the request, and the run is at work meanwhile', async () => {
    const gate = createGate<string>()
    const requests: unknown[] = []
    const handler = asking('r').run(undefined, {
      onInput: (request) => {
        requests.push(request)
        return gate.opened
      },
    })
    await turns()
    expect(requests).toEqual([{ type: InputRequestEvent.type, requestId: 'r', prompt: 'r?' }])
    expect(handler.status).toBe('running')
    expect(handler.pendingInputs).toHaveLength(1)
    gate.open('done')
    expect(await handler.result()).toEqual([['r', 'done']])
  })

  test("of run() goes before the workflow's", async () => {
    const flow = workflow('both', { onInput: () => 'workflow' })
      .step('ask', { accepts: StartEvent }, () => ask('r'))
      .step('answered', { accepts: InputResponseEvent }, ({ response }) => StopEvent({ result: response }))
    expect(await flow.run().result()).toBe('workflow')
    expect(await flow.run(undefined, { onInput: () => 'run' }).result()).toBe('run')
  })

  test('answers one request while others wait', async () => {
    const gates = new Map(['a', 'b', 'c'].map((id) => [id, createGate<number>()]))
    const handler = asking('a', 'b', 'c').run(undefined, { onInput: ({ requestId }) => gates.get(requestId)?.opened })
    await turns()
    gates.get('b')?.open(2)
    await turns()
    expect(handler.pendingInputs.map(({ requestId }) => requestId)).toEqual(['a', 'c'])
    expect(handler.status).toBe('running')
    gates.get('c')?.open(3)
    gates.get('a')?.open(1)
    expect(await handler.result()).toEqual([
      ['b', 2],
      ['c', 3],
      ['a', 1],
    ])
  })

  test.each([
    [
      'throws',
      () => {
        throw new TypeError('no terminal')
      },
    ],
    [
      'rejects',
      async () => {
        throw new TypeError('no terminal')
      },
    ],
  ])('that %s fails the run with the request and the cause', async (_name, onInput) => {
    const error = await rejection(asking('r').run(undefined, { onInput }).result())
    expect(error).toBeInstanceOf(InputRequestError)
    expect(error).toMatchObject({ requestId: 'r', message: expect.stringContaining('"r"') })
    expect((error as Error).cause).toBeInstanceOf(TypeError)
  })

  test('that is overtaken by an answer from elsewhere changes nothing any more', async () => {
    const gates = { answers: createGate<string>(), fails: createGate<string>() }
    const handler = asking('answers', 'fails', 'last').run(undefined, {
      onInput: ({ requestId }) => gates[requestId as 'answers' | 'fails']?.opened ?? new Promise(() => {}),
    })
    await turns()
    await handler.respondToInput('answers', 'by hand')
    await handler.respondToInput('fails', 'by hand')
    gates.answers.open('too late')
    gates.fails.fail(new Error('the dialog was closed'))
    await turns()
    expect(handler.status).toBe('running')
    await handler.respondToInput('last', 'by hand')
    expect((await handler.result()).map(([, answer]) => answer)).toEqual(['by hand', 'by hand', 'by hand'])
  })

  test('that answers after the end of the run changes nothing', async () => {
    const gate = createGate<string>()
    const handler = asking('r').run(undefined, { onInput: () => gate.opened })
    await turns()
    handler.abort('no time')
    gate.open('too late')
    await turns()
    expect(await rejection(handler.result())).toMatchObject({ cause: 'no time' })
  })
})

test('a run that was resumed while it waited runs each step once, also after another pause', async () => {
  let ran = 0
  const gate = createGate()
  const flow = workflow('waited')
    .step('ask', { accepts: StartEvent }, () => InputRequestEvent({ requestId: 'r', prompt: '?' }))
    .step('answered', { accepts: InputResponseEvent }, async () => {
      ran++
      await gate.opened
      return StopEvent()
    })
  const first = flow.run()
  await turns()
  const snapshot = JSON.parse(JSON.stringify(first.snapshot()))
  first.abort()
  const handler = flow.resume(snapshot)
  await handler.respondToInput('r', 1)
  await turns()
  await handler.pause({ inFlight: 'abort' })
  handler.resume()
  await turns()
  expect(ran).toBe(2)
  gate.open()
  await handler.result()
})
