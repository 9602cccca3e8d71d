// @vitest-environment jsdom
import { cleanup, fireEvent, render, renderHook, screen, waitFor } from '@testing-library/react'
import {
  InputRequestEvent,
  InputResponseEvent,
  StartEvent,
  StopEvent,
  type WorkflowHandler,
  workflow,
} from 'blazen-xstate'
import { usePendingInputs, useRun } from 'blazen-xstate/react'
import { StrictMode } from 'react'
import { afterEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { createGate, turns } from '../waiting.ts'
import './patience.ts'

afterEach(cleanup)

function gated() {
  const gate = createGate<number>()
  const flow = workflow('gated').step('begin', { accepts: StartEvent, emits: StopEvent }, async () =>
    StopEvent({ result: await gate.opened }),
  )
  return { gate, handler: flow.run() }
}

const approval = workflow('approval', { requests: { approval: { response: z.enum(['yes', 'no']) } } })
  .step('ask', { accepts: StartEvent, emits: InputRequestEvent }, () => [
    InputRequestEvent({ requestId: 'one', prompt: 'One?', kind: 'approval' }),
    InputRequestEvent({ requestId: 'two', prompt: 'Two?', kind: 'approval' }),
  ])
  .step('end', { accepts: InputResponseEvent, emits: StopEvent }, (_event, ctx) => {
    const answers = ctx.collect(InputResponseEvent, 2)
    return answers && StopEvent({ result: answers.map(({ requestId, response }) => `${requestId} ${response}`) })
  })

describe('useRun', () => {
  test('shows a run from its start to its result', async () => {
    const { gate, handler } = gated()
    const { result } = renderHook(() => useRun(handler))
    expect(result.current).toEqual({ status: 'running', result: undefined, error: undefined, pendingInputs: [] })
    gate.open(42)
    await waitFor(() => expect(result.current.status).toBe('completed'))
    expect(result.current.result).toBe(42)
  })

  test('shows the error of a run that failed, and of one that was aborted', async () => {
    const { gate, handler } = gated()
    const failed = renderHook(() => useRun(handler))
    gate.fail(new Error('no'))
    await waitFor(() => expect(failed.result.current.status).toBe('failed'))
    expect(failed.result.current.error).toMatchObject({ code: 'step_failed' })

    const other = gated().handler
    const aborted = renderHook(() => useRun(other))
    other.abort('enough')
    await waitFor(() => expect(aborted.result.current.status).toBe('aborted'))
    expect(aborted.result.current.error).toMatchObject({ code: 'run_aborted', reason: 'enough' })
  })

  test('shows a run whose actor was stopped as aborted', async () => {
    const { handler } = gated()
    const { result } = renderHook(() => useRun(handler))
    handler.actor.stop()
    await waitFor(() => expect(result.current.status).toBe('aborted'))
    expect(result.current.error).toMatchObject({ code: 'run_aborted' })
  })

  test('shows a run that has ended long ago, and listens to nothing', async () => {
    const { gate, handler } = gated()
    gate.open(1)
    await handler.result()
    const { result } = renderHook(() => useRun(handler))
    expect(result.current).toMatchObject({ status: 'completed', result: 1 })
  })

  test('is idle without a handler, and follows the one it is given', async () => {
    const [one, two] = [gated(), gated()]
    const { result, rerender } = renderHook(({ handler }: { handler?: WorkflowHandler }) => useRun(handler), {
      initialProps: {},
    })
    expect(result.current.status).toBe('idle')
    rerender({ handler: one.handler })
    expect(result.current.status).toBe('running')
    one.gate.open(1)
    await waitFor(() => expect(result.current.result).toBe(1))
    rerender({ handler: two.handler })
    expect(result.current).toMatchObject({ status: 'running', result: undefined })
  })

  test('does not render for what it does not show', async () => {
    const [begin, gate] = [createGate(), createGate()]
    const busy = workflow('busy').step('begin', { accepts: StartEvent, emits: StopEvent }, async (_event, ctx) => {
      await begin.opened
      for (let n = 0; n < 1_000; n++) ctx.set('n', n)
      await gate.opened
      return StopEvent()
    })
    const handler = busy.run()
    let renders = 0
    const { result } = renderHook(() => {
      renders++
      return useRun(handler)
    })
    const told = new Promise<void>((resolve) => void handler.subscribe(resolve))
    begin.open()
    await told
    expect(handler.state.get('n')).toBe(999)
    expect(renders).toBe(1)
    gate.open()
    await waitFor(() => expect(result.current.status).toBe('completed'))
    expect(renders).toBe(2)
  })
})

describe('usePendingInputs', () => {
  function Questions({ handler }: { handler: WorkflowHandler }) {
    const requests = usePendingInputs(handler)
    return requests.map(({ requestId, prompt }) => (
      <button key={requestId} type="button" onClick={() => void handler.respondToInput(requestId, 'yes')}>
        {prompt}
      </button>
    ))
  }

  test('shows the open questions, which a user interface answers', async () => {
    const handler = approval.run()
    render(
      <StrictMode>
        <Questions handler={handler} />
      </StrictMode>,
    )
    fireEvent.click(await screen.findByText('Two?'))
    await waitFor(() => expect(screen.queryByText('Two?')).toBeNull())
    fireEvent.click(screen.getByText('One?'))
    expect(await handler.result()).toEqual(['two yes', 'one yes'])
    await waitFor(() => expect(screen.queryByRole('button')).toBeNull())
  })
})

describe('an unmount', () => {
  test('leaves no listener on the run, and the run alone', async () => {
    const { gate, handler } = gated()
    const listeners = countListeners(handler)
    const { unmount } = renderHook(() => [useRun(handler), usePendingInputs(handler)], { wrapper: StrictMode })
    expect(listeners()).toBe(1)
    unmount()
    expect(listeners()).toBe(0)
    await turns()
    expect(handler.status).toBe('running')
    gate.open(1)
    expect(await handler.result()).toBe(1)
  })
})

/** How many observers the actor of a run has, beside those it has now. */
function countListeners(handler: WorkflowHandler): () => number {
  const { observers } = handler.actor as unknown as { observers: Set<unknown> }
  const before = observers.size
  return () => observers.size - before
}
