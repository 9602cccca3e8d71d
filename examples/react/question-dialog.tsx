import type { InputRequestEvent } from 'blazen-xstate'
import { useEffect, useId, useLayoutEffect, useRef } from 'react'
import type { Paper } from './approval-workflow.ts'
import { QuestionForm } from './question-form.tsx'

interface Props {
  readonly request: InputRequestEvent
  readonly paper: Paper | undefined
  readonly more: number
  readonly onAnswer: (answer: unknown) => Promise<void>
  readonly onLater: () => void
}

/**
 * Asks one question. The dialog is the browser's own: it keeps the focus inside, closes by Escape, and gives the focus
 * back to where it was.
 */
export function QuestionDialog({ request, paper, more, onAnswer, onLater }: Props) {
  const dialog = useRef<HTMLDialogElement>(null)
  const id = useId()

  // While it still stands in the page: only then does closing give the focus back.
  useLayoutEffect(() => {
    const shown = dialog.current
    shown?.showModal()
    return () => shown?.close()
  }, [])

  // The next question stands in the same dialog, and is read out from its heading on.
  const heading = useRef<HTMLHeadingElement>(null)
  // biome-ignore lint/correctness/useExhaustiveDependencies: another question is why.
  useEffect(() => heading.current?.focus(), [request.requestId])

  const onCancel = (event: { preventDefault(): void }) => {
    event.preventDefault()
    onLater()
  }
  return (
    <dialog ref={dialog} className="question" aria-labelledby={id} onCancel={onCancel}>
      <p className="eyebrow">
        {request.kind === 'signature' ? 'Signature' : 'Decision'}
        {more > 0 && ` · ${more} more ${more === 1 ? 'question' : 'questions'} after this`}
      </p>
      <h2 id={id} ref={heading} tabIndex={-1}>
        {request.prompt}
      </h2>
      {paper?.findings !== undefined && (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a list that scrolls has to be reached by keyboard.
        <ul className="findings" tabIndex={0} aria-label="Findings">
          {paper.findings.map(({ rule, section, text }) => (
            <li key={`${rule} ${section} ${text}`}>
              <strong>{rule}</strong> <span className="where">in “{section}”</span>
              <span className="quote">{text}</span>
            </li>
          ))}
        </ul>
      )}
      <QuestionForm key={request.requestId} request={request} onAnswer={onAnswer} onLater={onLater} />
    </dialog>
  )
}
