// @vitest-environment jsdom
import { act, cleanup, fireEvent, render, renderHook, screen, waitFor } from '@testing-library/react'
import { InputRequestEvent, InputResponseEvent, StartEvent, StopEvent, workflow } from 'blazen-xstate'
import { type UseWorkflowOptions, useWorkflow } from 'blazen-xstate/react'
import { type ReactNode, StrictMode } from 'react'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { createGate, type Gate, rejection, turns } from '../waiting.ts'
import './patience.ts'

let gate: Gate
let started: string[]
let aborted: string[]
beforeEach(() => {
  gate = createGate()
  started = []
  aborted = []
})
afterEach(cleanup)

const greeter = workflow('greeter', { input: z.object({ name: z.string() }) }).step(
  'greet',
  { accepts: StartEvent, emits: StopEvent },
  async ({ name }, ctx) => {
    started.push(name)
    ctx.signal.addEventListener('abort', () => aborted.push(name))
    await gate.opened
    return StopEvent({ result: `Hello, ${name}!` })
  },
)

const approval = workflow('approval', { requests: { approval: { response: z.enum(['yes', 'no']) } } })
  .step('ask', { accepts: StartEvent, emits: InputRequestEvent }, () =>
    InputRequestEvent({ requestId: 'ok', prompt: 'All right?', kind: 'approval' }),
  )
  .step('end', { accepts: InputResponseEvent, emits: StopEvent }, ({ response }) => StopEvent({ result: response }))

const useGreeter = (options?: UseWorkflowOptions<{ name: string }>) => useWorkflow(greeter, options)
const strict = { wrapper: StrictMode }

describe('useWorkflow', () => {
  test('is idle until it is started, and shows the result', async () => {
    const { result } = renderHook(() => useGreeter())
    expect(result.current).toMatchObject({ status: 'idle', handler: undefined })
    let handler: unknown
    act(() => {
      handler = result.current.start({ name: 'Zach' })
    })
    expect(result.current.status).toBe('running')
    expect(result.current.handler).toBe(handler)
    gate.open()
    await waitFor(() => expect(result.current.status).toBe('completed'))
    expect(result.current.result).toBe('Hello, Zach!')
  })

  test('renders once for each status', async () => {
    const statuses: string[] = []
    const { result } = renderHook(() => {
      const greeting = useGreeter()
      statuses.push(greeting.status)
      return greeting
    })
    act(() => void result.current.start({ name: 'Zach' }))
    gate.open()
    await waitFor(() => expect(result.current.status).toBe('completed'))
    expect(statuses).toEqual(['idle', 'running', 'completed'])
  })

  test('gives the same functions at every render', () => {
    const { result, rerender } = renderHook(() => useGreeter())
    const { start, pause, resume, abort, respond, reset } = result.current
    rerender()
    expect(result.current).toMatchObject({ start, pause, resume, abort, respond, reset })
  })

  test('aborts the run that goes on when another is started', async () => {
    const { result } = renderHook(() => useGreeter())
    act(() => void result.current.start({ name: 'Ada' }))
    const first = result.current.handler
    await waitFor(() => expect(started).toEqual(['Ada']))
    act(() => void result.current.start({ name: 'Grace' }))
    expect(first?.status).toBe('aborted')
    gate.open()
    await waitFor(() => expect(result.current.result).toBe('Hello, Grace!'))
    expect(aborted).toEqual(['Ada'])
  })

  test('shows an input that does not fit as the failure of a run', async () => {
    const { result } = renderHook(() => useGreeter())
    let handler: unknown = 'something'
    act(() => {
      handler = result.current.start({ name: 7 } as never)
    })
    expect(handler).toBeUndefined()
    expect(result.current).toMatchObject({ status: 'failed', error: { code: 'event_validation' }, pendingInputs: [] })
    act(() => void result.current.start({ name: 'Zach' }))
    expect(result.current).toMatchObject({ status: 'running', error: undefined })
    act(() => result.current.reset())
    expect(result.current.status).toBe('idle')
  })

  test('aborts', async () => {
    const { result } = renderHook(() => useGreeter())
    act(() => result.current.abort())
    act(() => void result.current.start({ name: 'Zach' }))
    act(() => result.current.abort('enough'))
    await waitFor(() => expect(result.current.status).toBe('aborted'))
    expect(result.current.error).toMatchObject({ reason: 'enough' })
  })

  test('pauses and goes on', async () => {
    const { result } = renderHook(() => useGreeter())
    act(() => void result.current.start({ name: 'Zach' }))
    await waitFor(() => expect(started).toEqual(['Zach']))
    const paused = result.current.pause({ inFlight: 'abort' })
    await waitFor(() => expect(result.current.status).toBe('paused'))
    expect(await paused).toMatchObject({ format: 1, workflow: 'greeter' })
    act(() => void result.current.resume())
    await waitFor(() => expect(result.current.status).toBe('running'))
    gate.open()
    await waitFor(() => expect(result.current.result).toBe('Hello, Zach!'))
  })

  test('says so where there is no run to pause, resume or answer', async () => {
    const { result } = renderHook(() => useGreeter())
    expect(await rejection(result.current.pause())).toMatchObject({ code: 'no_run' })
    expect(await rejection(result.current.respond('ok', 'yes'))).toMatchObject({ code: 'no_run' })
    expect(() => result.current.resume()).toThrow('Call start first')
  })

  test('has its questions answered from the user interface', async () => {
    function Approval() {
      const { pendingInputs, respond, status, result } = useWorkflow(approval, { autoStart: true })
      if (status === 'completed') return <p>Answer: {String(result)}</p>
      return pendingInputs.map(({ requestId, prompt }) => (
        <button key={requestId} type="button" onClick={() => void respond(requestId, 'yes')}>
          {prompt}
        </button>
      ))
    }
    render(<Approval />, strict)
    fireEvent.click(await screen.findByText('All right?'))
    expect(await screen.findByText('Answer: yes')).toBeDefined()
  })

  test('leaves a question open that was answered wrongly', async () => {
    const { result } = renderHook(() => useWorkflow(approval, { autoStart: true }))
    await waitFor(() => expect(result.current.pendingInputs).toHaveLength(1))
    expect(await rejection(result.current.respond('ok', 'perhaps'))).toMatchObject({ code: 'event_validation' })
    expect(result.current.status).toBe('waiting')
  })

  test('has its questions answered by the function of the last render', async () => {
    const { result, rerender } = renderHook(({ answer }) => useWorkflow(approval, { onInput: () => answer }), {
      initialProps: { answer: 'yes' },
    })
    act(() => void result.current.start())
    rerender({ answer: 'no' })
    await waitFor(() => expect(result.current.result).toBe('no'))
  })
})

describe('useWorkflow that starts by itself', () => {
  test('starts one run in StrictMode, which goes on', async () => {
    const { result } = renderHook(() => useGreeter({ autoStart: true, input: { name: 'Zach' } }), strict)
    await turns()
    expect(started).toEqual(['Zach'])
    gate.open()
    await waitFor(() => expect(result.current.result).toBe('Hello, Zach!'))
    expect(aborted).toEqual([])
  })

  test('starts as soon as it may, and not again for another input', async () => {
    const { result, rerender } = renderHook((options: UseWorkflowOptions<{ name: string }>) => useGreeter(options), {
      initialProps: { autoStart: false, input: { name: 'Ada' } },
    })
    expect(result.current.status).toBe('idle')
    rerender({ autoStart: true, input: { name: 'Ada' } })
    rerender({ autoStart: true, input: { name: 'Grace' } })
    await turns()
    expect(started).toEqual(['Ada'])
  })

  test('shows that its input does not fit', () => {
    const { result } = renderHook(() => useGreeter({ autoStart: true, input: {} as { name: string } }), strict)
    expect(result.current).toMatchObject({ status: 'failed', error: { code: 'event_validation' } })
  })

  test('goes on with a snapshot, once, in place of a start', async () => {
    const before = greeter.run({ name: 'Ada' })
    const snapshot = JSON.parse(JSON.stringify(await before.pause({ inFlight: 'abort' })))
    started = []
    const options = { snapshot, autoStart: true, input: { name: 'Grace' } }
    const { result } = renderHook(() => useGreeter(options), strict)
    await waitFor(() => expect(started).toEqual(['Ada']))
    expect(result.current.handler?.runId).toBe(before.runId)
    gate.open()
    await waitFor(() => expect(result.current.result).toBe('Hello, Ada!'))
  })

  test('shows that a snapshot is damaged', () => {
    const { result } = renderHook(() => useGreeter())
    act(() => void result.current.resume({} as never))
    expect(result.current).toMatchObject({ status: 'failed', error: { code: expect.stringMatching(/^snapshot/) } })
  })
})

describe('useWorkflow at its unmount', () => {
  const observersOf = (handler: unknown) => (handler as { actor: { observers: Set<unknown> } }).actor.observers.size

  test('aborts its run, and leaves no listener', async () => {
    const { result, unmount } = renderHook(() => useGreeter(), strict)
    act(() => void result.current.start({ name: 'Zach' }))
    await waitFor(() => expect(started).toEqual(['Zach']))
    const { handler } = result.current
    unmount()
    await turns()
    expect(handler?.status).toBe('aborted')
    expect(aborted).toEqual(['Zach'])
    expect(observersOf(handler)).toBe(0)
  })

  test('leaves its run alone where it is to be kept alive', async () => {
    const { result, unmount } = renderHook(() => useGreeter({ keepAlive: true }), strict)
    act(() => void result.current.start({ name: 'Zach' }))
    const { handler } = result.current
    await waitFor(() => expect(started).toEqual(['Zach']))
    unmount()
    await turns()
    expect(observersOf(handler)).toBe(0)
    gate.open()
    expect(await handler?.result()).toBe('Hello, Zach!')
  })

  test('aborts what is started afterwards', async () => {
    const { result, unmount } = renderHook(() => useGreeter())
    const { start } = result.current
    unmount()
    await turns()
    expect(start({ name: 'Zach' })?.status).toBe('aborted')
  })

  test('keeps its run when it is moved by a parent that renders again', async () => {
    const { result, rerender } = renderHook(() => useGreeter({ autoStart: true, input: { name: 'Zach' } }), {
      wrapper: ({ children }: { children: ReactNode }) => <section>{children}</section>,
    })
    const { handler } = result.current
    rerender()
    await turns()
    expect(result.current.handler).toBe(handler)
    expect(handler?.status).toBe('running')
  })
})
