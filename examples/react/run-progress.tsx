import type { EventOf } from 'blazen-xstate'
import type { Paper, Progress } from './approval-workflow.ts'

export type Papers = Readonly<Record<string, Paper>>
/** The last that was told of each document. */
export type Latest = ReadonlyMap<string, EventOf<typeof Progress>>

/** How many sections of a document have been read. */
function doneOf(name: string, paper: Paper, latest: Latest): number {
  return paper.findings === undefined ? (latest.get(name)?.done ?? 0) : paper.sections
}

/** How far the whole run is, and each document of it. */
export function RunProgress({ papers, latest, status }: { papers: Papers; latest: Latest; status: string }) {
  const all = Object.entries(papers)
  const total = all.reduce((sum, [, { sections }]) => sum + sections, 0)
  const done = all.reduce((sum, [name, paper]) => sum + doneOf(name, paper, latest), 0)
  const decided = all.filter(([, { decision }]) => decision !== undefined).length
  const share = total === 0 ? 0 : done / total
  return (
    <section className="card" aria-label="Progress">
      <div className="overall">
        <label htmlFor="overall">
          {done} of {total} sections read
        </label>
        <span className="percent" aria-hidden="true">
          {Math.floor(share * 100)} %
        </span>
        <progress id="overall" max={Math.max(total, 1)} value={done} />
      </div>
      {/* Told in whole documents: every section would be too much to listen to. */}
      <p className="hidden" role="status">
        {`${status}. ${decided} of ${all.length} documents are decided.`}
      </p>
      <ul className="papers">
        {all.map(([name, paper]) => (
          <PaperRow key={name} name={name} paper={paper} latest={latest} />
        ))}
      </ul>
    </section>
  )
}

function PaperRow({ name, paper, latest }: { name: string; paper: Paper; latest: Latest }) {
  const done = doneOf(name, paper, latest)
  const { sections, findings, decision, by, note } = paper
  const state = decision ?? (findings !== undefined ? 'asked' : done > 0 ? 'reading' : 'waiting')
  const count = findings?.length ?? latest.get(name)?.findings ?? 0
  const words = {
    approve: by === 'you' ? 'approved by you' : 'approved: no findings',
    'send back': 'sent back',
    asked: 'waits for you',
    reading: latest.get(name)?.section ?? 'reading',
    waiting: 'not read yet',
  }[state]
  return (
    <li className={`paper ${state.replace(' ', '-')}`}>
      <span className="mark" aria-hidden="true" />
      <span className="file">{name}</span>
      <span className="count">{count === 0 ? '' : `${count} ${count === 1 ? 'finding' : 'findings'}`}</span>
      <span className="words">{note === undefined ? words : `${words}: “${note}”`}</span>
      {findings === undefined && <progress max={sections} value={done} aria-label={`${name}, sections read`} />}
    </li>
  )
}
