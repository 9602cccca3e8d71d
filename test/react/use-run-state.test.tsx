// @vitest-environment jsdom
import { cleanup, render, renderHook, screen, waitFor } from '@testing-library/react'
import { BlazenState, StartEvent, StopEvent, type WorkflowHandler, workflow } from 'blazen-xstate'
import { useRunState } from 'blazen-xstate/react'
import { StrictMode } from 'react'
import { afterEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { createGate } from '../waiting.ts'
import './patience.ts'

afterEach(cleanup)

/** A run whose step writes what the test says, for as long as the test says. */
function written() {
  const ready = createGate<(write: (state: Record<string, unknown>) => void) => void>()
  const end = createGate()
  const flow = workflow('written').step('write', { accepts: StartEvent, emits: StopEvent }, async (_event, ctx) => {
    ready.open((write) => write(ctx.state))
    await end.opened
    return StopEvent()
  })
  return { handler: flow.run() as WorkflowHandler<never, Record<string, unknown>>, ready: ready.opened, end }
}

/** Resolves when whoever listens to the run has been told. */
const told = (handler: WorkflowHandler) =>
  new Promise<void>((resolve) => {
    const unsubscribe = handler.subscribe(() => {
      unsubscribe()
      resolve()
    })
  })

function useCounted<Value>(value: Value, renders: { count: number }): Value {
  renders.count++
  return value
}

describe('useRunState', () => {
  test('shows what a step has just written, while it goes on', async () => {
    const { handler, ready } = written()
    const { result } = renderHook(() => useRunState(handler, (state) => state.get('count', 0)))
    const write = await ready
    expect(result.current).toBe(0)
    const since = performance.now()
    write((state) => (state.count = 1))
    await waitFor(() => expect(result.current).toBe(1), { interval: 1 })
    // A frame is 16 ms; a loaded machine may take longer, but never as long as a poll would.
    expect(performance.now() - since).toBeLessThan(5_000)
  })

  test('renders only when the selection has changed', async () => {
    const { handler, ready } = written()
    const renders = { count: 0 }
    const { result } = renderHook(() =>
      useCounted(
        useRunState(handler, (state) => state.count),
        renders,
      ),
    )
    const write = await ready
    const other = told(handler)
    write((state) => (state.other = 1))
    await other
    expect(renders.count).toBe(1)
    const many = told(handler)
    for (let n = 1; n <= 1_000; n++) write((state) => (state.count = n))
    await many
    await waitFor(() => expect(result.current).toBe(1_000))
    expect(renders.count).toBe(2)
    const same = told(handler)
    write((state) => (state.count = 1_000))
    await same
    expect(renders.count).toBe(2)
  })

  test.each<[string, () => unknown]>([
    ['an object', () => ({ list: [1, 2] })],
    ['a Set', () => new Set(['a'])],
    ['a Map', () => new Map([['a', 1]])],
    ['a Date', () => new Date(0)],
    ['bytes', () => new Uint8Array([1, 2])],
  ])('gives the same value until it is written again: %s', async (_what, make) => {
    const { handler, ready } = written()
    const renders = { count: 0 }
    const { result } = renderHook(() =>
      useCounted(
        useRunState(handler, (state) => state.value),
        renders,
      ),
    )
    const write = await ready
    write((state) => (state.value = make()))
    await waitFor(() => expect(result.current).toEqual(make()))
    const before = result.current
    const other = told(handler)
    write((state) => (state.other = 1))
    await other
    expect(result.current).toBe(before)
    expect(renders.count).toBe(2)
    write((state) => (state.value = make()))
    await waitFor(() => expect(result.current).not.toBe(before))
  })

  test('compares by a function of the user where the selector makes something new', async () => {
    const { handler, ready } = written()
    const renders = { count: 0 }
    const sameText = (before: unknown, after: unknown) => JSON.stringify(before) === JSON.stringify(after)
    const { result, rerender } = renderHook(() =>
      useCounted(
        useRunState(handler, (state) => [state.get('a', 0), state.get('b', 0)], sameText),
        renders,
      ),
    )
    const write = await ready
    const first = result.current
    const other = told(handler)
    write((state) => (state.c = 1))
    await other
    expect(renders.count).toBe(1)
    rerender()
    expect(result.current).toBe(first)
    write((state) => (state.b = 1))
    await waitFor(() => expect(result.current).toEqual([0, 1]))
    expect(renders.count).toBe(3)
  })

  test('renders no more than once for a change, where a selector makes something new each time', async () => {
    const { handler, ready } = written()
    const renders = { count: 0 }
    const { result } = renderHook(() =>
      useCounted(
        useRunState(handler, (state) => ({ a: state.a })),
        renders,
      ),
    )
    const write = await ready
    const before = renders.count
    write((state) => (state.a = 1))
    await waitFor(() => expect(result.current).toEqual({ a: 1 }))
    expect(renders.count).toBe(before + 1)
  })

  test('takes another selector, and another run', async () => {
    const [one, two] = [written(), written()]
    const [writeOne, writeTwo] = [await one.ready, await two.ready]
    writeOne((state) => Object.assign(state, { a: 'one a', b: 'one b' }))
    writeTwo((state) => Object.assign(state, { a: 'two a', b: 'two b' }))
    const { result, rerender } = renderHook(
      ({ handler, name }: { handler: WorkflowHandler | undefined; name: string }) =>
        useRunState(handler, (state) => state.get<string>(name)),
      { initialProps: { handler: one.handler as WorkflowHandler | undefined, name: 'a' } },
    )
    expect(result.current).toBe('one a')
    rerender({ handler: one.handler, name: 'b' })
    expect(result.current).toBe('one b')
    rerender({ handler: two.handler, name: 'b' })
    expect(result.current).toBe('two b')
    rerender({ handler: undefined, name: 'b' })
    expect(result.current).toBeUndefined()
  })

  test('takes back what a failed attempt has written', async () => {
    const gate = createGate()
    const flow = workflow('retries', { state: z.object({ rows: z.number().default(0) }) }).step(
      'load',
      { accepts: StartEvent, emits: StopEvent, retry: { attempts: 2, delay: 60_000 } },
      async (_event, ctx) => {
        ctx.state.rows = 100
        await gate.opened
        return StopEvent()
      },
    )
    const handler = flow.run()
    const { result } = renderHook(() => useRunState(handler, (state) => state.rows))
    await waitFor(() => expect(result.current).toBe(100))
    gate.fail(new Error('no'))
    await waitFor(() => expect(result.current).toBe(0))
    handler.abort()
  })

  test('shows the fields of a BlazenState as they are set', async () => {
    class Doc extends BlazenState {
      pages = 0
    }
    const flow = workflow('doc', { classes: [Doc] }).step(
      'read',
      { accepts: StartEvent, emits: StopEvent },
      (_event, ctx) => {
        ctx.set('doc', Object.assign(new Doc(), { pages: 3 }))
        return StopEvent()
      },
    )
    const handler = flow.run()
    const { result } = renderHook(() => useRunState(handler, (state) => state.get<Doc>('doc')?.pages))
    await waitFor(() => expect(result.current).toBe(3))
    const restored = flow.resume(handler.snapshot())
    expect(restored.state.has('doc')).toBe(false)
  })

  test('can be used by many components at once, in StrictMode, and leaves nothing behind', async () => {
    const { handler, ready } = written()
    const { observers } = handler.actor as unknown as { observers: Set<unknown> }
    const before = observers.size
    const Count = () => <li>{String(useRunState(handler, (state) => state.count))}</li>
    const { unmount } = render(
      <StrictMode>
        {Array.from({ length: 20 }, (_, at) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: they are all the same
          <Count key={at} />
        ))}
      </StrictMode>,
    )
    const write = await ready
    write((state) => (state.count = 7))
    await waitFor(() => expect(screen.getAllByText('7')).toHaveLength(20))
    expect(observers.size).toBe(before + 1)
    unmount()
    expect(observers.size).toBe(before)
  })

  test('cannot write', () => {
    const { handler } = written()
    expect(() => Object.assign(handler.state, { count: 1 })).toThrow('can only be read')
    expect(() => Reflect.deleteProperty(handler.state, 'count')).toThrow('can only be read')
  })
})
