// @vitest-environment jsdom
import { act, screen, waitFor } from '@testing-library/react'
import { defineEvent, StartEvent, StopEvent, type WorkflowHandler, workflow } from 'blazen-xstate'
import { usePendingInputs, useRun, useRunState, useRunStream, useWorkflow } from 'blazen-xstate/react'
import { StrictMode } from 'react'
import { hydrateRoot } from 'react-dom/client'
import { renderToString } from 'react-dom/server'
import { expect, test, vi } from 'vitest'
import './patience.ts'

const Line = defineEvent<{ text: string }>('Line')

const started: string[] = []
const printer = workflow('printer').step('print', { accepts: StartEvent, emits: StopEvent }, (_event, ctx) => {
  started.push(ctx.runId)
  ctx.state.pages = 1
  ctx.writeEventToStream(Line({ text: 'one' }))
  return StopEvent({ result: 'printed' })
})

function Printer() {
  const { status, handler } = useWorkflow(printer, { autoStart: true })
  const lines = useRunStream(handler, { only: Line })
  const pages = useRunState(handler, (state) => state.pages)
  return (
    <p>
      {status}, {lines.length} lines, {String(pages)} pages, {usePendingInputs(handler).length} questions
    </p>
  )
}

function Watcher({ handler }: { handler: WorkflowHandler<string> }) {
  const { status, result } = useRun(handler)
  return <p>{`${status}: ${result}, ${useRunState(handler, (state) => state.pages)}`}</p>
}

test('a server renders a workflow as idle, and starts nothing', () => {
  const html = renderToString(<Printer />)
  expect(html.replace(/<!-- -->/g, '')).toBe('<p>idle, 0 lines, undefined pages, 0 questions</p>')
  expect(started).toEqual([])
})

test('a server renders a run as it is', async () => {
  const handler = printer.run()
  await handler.result()
  expect(renderToString(<Watcher handler={handler} />)).toBe('<p>completed: printed, 1</p>')
})

test('a client takes over what a server has rendered, and starts one run', async () => {
  started.length = 0
  const errors = vi.spyOn(console, 'error')
  document.body.innerHTML = `<main>${renderToString(<Printer />)}</main>`
  const problems: unknown[] = []
  const main = document.querySelector('main') as HTMLElement
  const root = await act(() =>
    hydrateRoot(
      main,
      <StrictMode>
        <Printer />
      </StrictMode>,
      { onRecoverableError: (error) => problems.push(error) },
    ),
  )
  await waitFor(() => expect(screen.getByText(/completed, 1 lines, 1 pages/)).toBeDefined())
  expect(started).toHaveLength(1)
  expect([problems, errors.mock.calls.filter(([text]) => !String(text).includes('act('))]).toEqual([[], []])
  root.unmount()
})
