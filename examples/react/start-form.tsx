import { type FormEvent, useState } from 'react'
import { library } from './documents.ts'

const paces = [
  { ms: 30, label: 'Brisk' },
  { ms: 180, label: 'Easy' },
  { ms: 600, label: 'Slow' },
]

export interface Start {
  readonly documents: string[]
  readonly msPerSection: number
}

/** What is to be read, and how fast. */
export function StartForm({ onStart }: { readonly onStart: (start: Start) => void }) {
  const [problem, setProblem] = useState('')
  const start = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const data = new FormData(event.currentTarget)
    const documents = data.getAll('document').map(String)
    if (documents.length === 0) setProblem('Choose at least one document.')
    else onStart({ documents, msPerSection: Number(data.get('pace')) })
  }
  return (
    <form className="card start" onSubmit={start}>
      <fieldset className="field" aria-describedby="start-problem">
        <legend>Documents to approve</legend>
        <div className="library">
          {library.map(({ name, sections, words }, at) => (
            <label key={name} className="entry">
              <input type="checkbox" name="document" value={name} defaultChecked={at < 4} />
              <span className="file">{name}</span>
              <span className="size">
                {words.toLocaleString('en')} words, {sections} sections
              </span>
            </label>
          ))}
        </div>
      </fieldset>
      <fieldset className="field">
        <legend>Pace of reading</legend>
        <div className="choices">
          {paces.map(({ ms, label }) => (
            <label key={ms} className="choice">
              <input type="radio" name="pace" value={ms} defaultChecked={ms === 180} />
              <span>{label}</span>
            </label>
          ))}
        </div>
      </fieldset>
      <p id="start-problem" className="problem" role="alert">
        {problem}
      </p>
      <button type="submit" className="primary wide">
        Begin
      </button>
    </form>
  )
}
