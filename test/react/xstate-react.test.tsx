// @vitest-environment jsdom
import { act, cleanup, renderHook, waitFor } from '@testing-library/react'
import { useActor, useMachine, useSelector } from '@xstate/react'
import { InputRequestEvent, InputResponseEvent, StartEvent, StopEvent, workflow } from 'blazen-xstate'
import { StrictMode } from 'react'
import { afterEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import './patience.ts'

afterEach(cleanup)

const letters = workflow('letters', { input: z.object({ to: z.string() }) })
  .step('write', { accepts: StartEvent, emits: InputRequestEvent }, ({ to }, ctx) => {
    ctx.set('to', to)
    return InputRequestEvent({ requestId: 'send', prompt: `Send it to ${to}?` })
  })
  .step('send', { accepts: InputResponseEvent, emits: StopEvent }, ({ response }, ctx) =>
    StopEvent({ result: response === 'yes' ? `sent to ${ctx.get('to')}` : 'kept' }),
  )

describe.each([
  ['', {}],
  [' in StrictMode', { wrapper: StrictMode }],
])('useMachine%s', (_mode, options) => {
  test('runs a workflow, and answers it', async () => {
    const { result } = renderHook(() => useMachine(letters.machine, { input: { to: 'Ada' } }), options)
    await waitFor(() => expect(result.current[0].value).toBe('waiting'))
    const [, send] = result.current
    act(() => send(InputResponseEvent({ requestId: 'send', response: 'yes' })))
    await waitFor(() => expect(result.current[0].status).toBe('done'))
    expect(result.current[0].output).toBe('sent to Ada')
  })

  test('is stopped at the unmount', async () => {
    const { result, unmount } = renderHook(() => useActor(letters.machine, { input: { to: 'Ada' } }), options)
    await waitFor(() => expect(result.current[0].value).toBe('waiting'))
    unmount()
    expect((result.current[2] as unknown as { observers: Set<unknown> }).observers.size).toBe(0)
  })
})

describe('useMachine of a run that answers by itself', () => {
  test('has its questions answered in StrictMode, too', async () => {
    const asked: string[] = []
    const flow = workflow('asked', {
      onInput: ({ prompt }) => {
        asked.push(prompt)
        return 'yes'
      },
    })
      .step('ask', { accepts: StartEvent, emits: InputRequestEvent }, () =>
        InputRequestEvent({ requestId: 'one', prompt: 'One?' }),
      )
      .step('end', { accepts: InputResponseEvent, emits: StopEvent }, ({ response }) => StopEvent({ result: response }))
    const { result } = renderHook(() => useMachine(flow.machine, { input: undefined }), { wrapper: StrictMode })
    await waitFor(() => expect(result.current[0].output).toBe('yes'))
    expect(asked).toEqual(['One?'])
  })
})

describe('useSelector', () => {
  test('follows the actor of a run, and renders when the selection changes', async () => {
    const handler = letters.run({ to: 'Ada' })
    let renders = 0
    const { result } = renderHook(() => {
      renders++
      return useSelector(handler.actor, (snapshot) => snapshot.value as string)
    })
    await waitFor(() => expect(result.current).toBe('waiting'))
    await handler.respondToInput('send', 'no')
    await waitFor(() => expect(result.current).toBe('completed'))
    expect(renders).toBeLessThanOrEqual(4)
  })
})
