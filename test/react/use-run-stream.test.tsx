// @vitest-environment jsdom
import { cleanup, renderHook, waitFor } from '@testing-library/react'
import { defineEvent, StartEvent, StopEvent, type WorkflowHandler, workflow } from 'blazen-xstate'
import { useRunStream } from 'blazen-xstate/react'
import { StrictMode } from 'react'
import { afterEach, describe, expect, test } from 'vitest'
import { createGate } from '../waiting.ts'
import './patience.ts'

const Line = defineEvent<{ n: number }>('Line')
const Note = defineEvent<{ text: string }>('Note')

afterEach(cleanup)

/** Writes `count` lines, some of them after a turn of the event loop. */
const printer = (count: number, streamBuffer = 65_536) =>
  workflow('printer', { streamBuffer }).step(
    'print',
    { accepts: StartEvent, emits: StopEvent },
    async (_event, ctx) => {
      for (let n = 0; n < count; n++) {
        if (n % 1_000 === 0) await new Promise((resolve) => setTimeout(resolve))
        ctx.writeEventToStream(Line({ n }))
      }
      return StopEvent({ result: count })
    },
  )

const numbers = (events: readonly unknown[]) => (events as { n: number }[]).map(({ n }) => n)
const upTo = (count: number, from = 0) => Array.from({ length: count }, (_, at) => from + at)

describe('useRunStream', () => {
  test('shows 10,000 events in order, and renders few times', async () => {
    const handler = printer(10_000).run()
    let renders = 0
    const { result } = renderHook(() => {
      renders++
      return useRunStream(handler, { limit: 10_000 })
    })
    await waitFor(() => expect(result.current).toHaveLength(10_000))
    expect(numbers(result.current)).toEqual(upTo(10_000))
    // Ten turns of the event loop, each with a thousand events.
    expect(renders).toBeLessThan(25)
  })

  test('keeps the last events, up to the limit', async () => {
    const handler = printer(2_500).run()
    const { result } = renderHook(() => useRunStream(handler))
    await waitFor(() => expect(numbers(result.current).at(-1)).toBe(2_499))
    expect(numbers(result.current)).toEqual(upTo(1_000, 1_500))
  })

  test('shows each event once in StrictMode', async () => {
    const handler = printer(50).run()
    const { result } = renderHook(() => useRunStream(handler), { wrapper: StrictMode })
    await waitFor(() => expect(result.current.length).toBeGreaterThanOrEqual(50))
    expect(numbers(result.current)).toEqual(upTo(50))
  })

  test('shows what was written before the mount; or from a place on; or not', async () => {
    const handler = printer(5).run()
    await handler.result()
    const all = renderHook(() => useRunStream(handler))
    await waitFor(() => expect(numbers(all.result.current)).toEqual([0, 1, 2, 3, 4]))
    const some = renderHook(() => useRunStream(handler, { from: 3 }))
    await waitFor(() => expect(numbers(some.result.current)).toEqual([3, 4]))
    const none = renderHook(() => useRunStream(handler, { from: 'now' }))
    expect(none.result.current).toEqual([])
  })

  test('says what the buffer of the run has lost', async () => {
    const handler = printer(10, 4).run()
    await handler.result()
    const { result } = renderHook(() => useRunStream(handler), { wrapper: StrictMode })
    await waitFor(() => expect(result.current).toHaveLength(5))
    expect(result.current[0]).toEqual({ type: 'blazen::StreamGap', missed: 6 })
    expect(numbers(result.current.slice(1))).toEqual([6, 7, 8, 9])
  })

  test('keeps the types that are asked for, also from an array that is new at each render', async () => {
    const flow = workflow('both').step('write', { accepts: StartEvent, emits: StopEvent }, (_event, ctx) => {
      for (let n = 0; n < 3; n++) {
        ctx.writeEventToStream(Line({ n }))
        ctx.writeEventToStream(Note({ text: `${n}` }))
      }
      return StopEvent()
    })
    const handler = flow.run()
    const { result } = renderHook(() => [
      useRunStream(handler, { only: Note }).map(({ text }) => text),
      useRunStream(handler, { only: [Line, Note] }).length,
    ])
    await waitFor(() => expect(result.current).toEqual([['0', '1', '2'], 6]))
  })

  test('begins anew with another run, and is empty without one', async () => {
    const [one, two] = [printer(2).run(), printer(3).run()]
    const { result, rerender } = renderHook(
      ({ handler }: { handler: WorkflowHandler | undefined }) => useRunStream(handler),
      { initialProps: { handler: undefined as WorkflowHandler | undefined } },
    )
    expect(result.current).toEqual([])
    rerender({ handler: one })
    await waitFor(() => expect(result.current).toHaveLength(2))
    rerender({ handler: two })
    await waitFor(() => expect(result.current).toHaveLength(3))
  })

  test('stops reading at the unmount', async () => {
    const gate = createGate()
    let written = 0
    const flow = workflow('late').step('write', { accepts: StartEvent, emits: StopEvent }, async (_event, ctx) => {
      await gate.opened
      ctx.writeEventToStream(Line({ n: written++ }))
      return StopEvent()
    })
    const handler = flow.run()
    let left = 0
    const readers: AsyncIterator<unknown>[] = []
    const { stream } = handler
    handler.stream = (options) => {
      const reader = stream.call(handler, options)
      readers.push(reader)
      const leave = reader.return?.bind(reader)
      reader.return = async () => {
        left++
        return (await leave?.()) ?? { done: true, value: undefined }
      }
      return reader
    }
    const { unmount } = renderHook(() => useRunStream(handler), { wrapper: StrictMode })
    expect([readers.length, left]).toEqual([2, 1])
    unmount()
    expect([readers.length, left]).toEqual([2, 2])
    gate.open()
    await handler.result()
    expect(await readers[1]?.next()).toEqual({ done: true, value: undefined })
  })

  test('refuses a limit that keeps nothing', () => {
    const handler = printer(1).run()
    expect(() => renderHook(() => useRunStream(handler, { limit: 0 }))).toThrow('limit has to be at least 1')
  })
})
