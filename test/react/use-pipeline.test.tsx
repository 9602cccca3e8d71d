// @vitest-environment jsdom
import { act, cleanup, renderHook, waitFor } from '@testing-library/react'
import {
  InputRequestEvent,
  InputResponseEvent,
  pipeline,
  StartEvent,
  StopEvent,
  typeOnly,
  workflow,
} from 'blazen-xstate'
import { useWorkflow } from 'blazen-xstate/react'
import { StrictMode } from 'react'
import { afterEach, expect, test } from 'vitest'
import './patience.ts'

afterEach(cleanup)

const numbers = { input: typeOnly<{ value: number }>() }
const add = workflow('add', numbers).step('work', { accepts: StartEvent, emits: StopEvent }, ({ value }) =>
  StopEvent({ result: { value: value + 1 } }),
)
const asker = workflow('asker', numbers)
  .step('ask', { accepts: StartEvent, emits: InputRequestEvent }, ({ value }) =>
    InputRequestEvent({ requestId: 'q', prompt: `${value}?` }),
  )
  .step('hear', { accepts: InputResponseEvent, emits: StopEvent }, ({ response }) =>
    StopEvent({ result: { value: Number(response) } }),
  )
const flow = pipeline('flow', numbers).stage('one', add).stage('ask', asker).stage('two', add)

test('a pipeline is used as a workflow is: what a stage asks is answered in a component', async () => {
  const { result } = renderHook(() => useWorkflow(flow), { wrapper: StrictMode })
  act(() => void result.current.start({ value: 1 }))
  await waitFor(() => expect(result.current.status).toBe('waiting'))
  const [request] = result.current.handler?.pendingInputs ?? []
  expect(request).toMatchObject({ prompt: '2?', path: ['ask'] })
  await act(async () => {
    await result.current.handler?.respondToInput(request?.requestId ?? '', 10)
  })
  await waitFor(() => expect(result.current.status).toBe('completed'))
  expect(result.current.result).toEqual({ value: 11 })
  expect(result.current.handler?.progress).toBe(100)
})
