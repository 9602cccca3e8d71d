import { EventValidationError, type InputRequestEvent } from 'blazen-xstate'
import { type FormEvent, useEffect, useId, useRef, useState } from 'react'
import { requests } from './approval-workflow.ts'
import { type FormField, readForm, toFields } from './form-fields.ts'

interface Props {
  readonly request: InputRequestEvent
  readonly onAnswer: (answer: unknown) => Promise<void>
  readonly onLater: () => void
}

/** A form for one question, made from the schema of its kind. What the schema refuses stands beside the field. */
export function QuestionForm({ request, onAnswer, onLater }: Props) {
  const [fields] = useState(() => toFields(requests[request.kind as keyof typeof requests].response))
  const [problems, setProblems] = useState<Readonly<Record<string, string>>>({})
  const form = useRef<HTMLFormElement>(null)

  const answer = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    try {
      await onAnswer(readForm(event.currentTarget, fields))
    } catch (error) {
      setProblems(toProblems(error))
    }
  }

  // Whoever cannot see the form is led to the first field that has to change.
  // biome-ignore lint/correctness/useExhaustiveDependencies: other problems are why.
  useEffect(() => {
    form.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus()
  }, [problems])

  return (
    <form ref={form} className="question-form" noValidate onSubmit={answer}>
      {fields.map((field) => (
        <Field key={field.name} field={field} problem={problems[field.name]} />
      ))}
      {problems[''] !== undefined && (
        <p className="problem" role="alert">
          {problems['']}
        </p>
      )}
      <div className="actions">
        <button type="button" className="quiet" onClick={onLater}>
          Later
        </button>
        <button type="submit" className="primary">
          Answer
        </button>
      </div>
    </form>
  )
}

function Field({ field, problem }: { readonly field: FormField; readonly problem: string | undefined }) {
  const id = useId()
  const { name, label, hint, kind, choices, isRequired } = field
  const notes = [hint === undefined ? '' : `${id}-hint`, problem === undefined ? '' : `${id}-problem`].join(' ').trim()
  const attributes = {
    ...{ id, name, 'aria-required': isRequired },
    ...(notes === '' ? {} : { 'aria-describedby': notes }),
    ...(problem === undefined ? {} : { 'aria-invalid': true }),
  }
  const below = (
    <>
      {hint !== undefined && (
        <p id={`${id}-hint`} className="hint">
          {hint}
        </p>
      )}
      {problem !== undefined && (
        <p id={`${id}-problem`} className="problem">
          {problem}
        </p>
      )}
    </>
  )

  if (kind === 'choice') {
    return (
      <fieldset className="field" aria-describedby={notes || undefined}>
        <legend>{label}</legend>
        <div className="choices">
          {choices.map((choice, at) => (
            <label key={choice} className="choice">
              <input type="radio" name={name} value={choice} defaultChecked={at === 0} />
              <span>{choice}</span>
            </label>
          ))}
        </div>
        {below}
      </fieldset>
    )
  }
  if (kind === 'check') {
    return (
      <div className="field">
        <label className="check" htmlFor={id}>
          <input {...attributes} type="checkbox" /> {label}
        </label>
        {below}
      </div>
    )
  }
  return (
    <div className="field">
      <label htmlFor={id}>
        {label} {!isRequired && <span className="optional">optional</span>}
      </label>
      {kind === 'text' ? (
        <textarea {...attributes} rows={3} />
      ) : (
        <input
          {...attributes}
          type="text"
          inputMode={kind === 'number' ? 'numeric' : 'text'}
          autoComplete={name === 'name' ? 'name' : 'off'}
        />
      )}
      {below}
    </div>
  )
}

/** By the name of its field; under `''` what belongs to none. */
function toProblems(error: unknown): Record<string, string> {
  if (!(error instanceof EventValidationError)) return { '': error instanceof Error ? error.message : String(error) }
  const problems: Record<string, string> = {}
  for (const { path, message } of error.issues) {
    problems[path.split('.')[0] ?? ''] ??= message
  }
  return problems
}
