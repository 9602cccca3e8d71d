import { useRunState, useRunStream, useWorkflow } from 'blazen-xstate/react'
import { useState } from 'react'
import { flushSync } from 'react-dom'
import { approval, Progress } from './approval-workflow.ts'
import { FlowPicture } from './flow-picture.tsx'
import { flowOf } from './flow-trace.ts'
import { forgetRun, isKeptPaused, readKeptRun } from './kept-run.ts'
import { QuestionDialog } from './question-dialog.tsx'
import { ReleaseView } from './release-view.tsx'
import { RunProgress } from './run-progress.tsx'
import { type Start, StartForm } from './start-form.tsx'
import { useFlowTrace } from './use-flow-trace.ts'
import { useKeptRun } from './use-kept-run.ts'

const flow = flowOf(approval)

const words = {
  idle: 'Ready',
  running: 'At work',
  waiting: 'Waits for you',
  pausing: 'Pausing',
  paused: 'Paused',
  completed: 'Completed',
  failed: 'Failed',
  aborted: 'Given up',
}

export function App() {
  // What the page was left with. A run that was paused goes on only when it is told to.
  const [kept, setKept] = useState(readKeptRun)
  const isHeld = kept !== undefined && isKeptPaused(kept)
  const run = useWorkflow(approval, { snapshot: isHeld ? undefined : kept?.snapshot })
  const { handler, pendingInputs } = run
  // At the first render nothing has been resumed yet.
  const status = run.status === 'idle' && kept !== undefined ? (isHeld ? 'paused' : 'running') : run.status

  const trace = useFlowTrace(handler, kept?.trace)
  const isKept = useKeptRun(handler, trace)
  const papers = useRunState(handler, (state) => state.papers) ?? kept?.papers ?? {}
  const latest = new Map(useRunStream(handler, { only: Progress }).map((event) => [event.document, event]))
  const [isAsking, setAsking] = useState(true)

  const [request] = pendingInputs
  const mayAsk = request !== undefined && (status === 'running' || status === 'waiting')
  const giveUp = () => {
    run.abort('given up')
    run.reset()
    forgetRun()
    setKept(undefined)
    setAsking(true)
  }
  // Shown at once: so the picture of the flow is there before the first step has settled.
  const start = (input: Start) => flushSync(() => run.start(input))
  const resume = () => flushSync(() => run.resume(handler === undefined ? kept?.snapshot : undefined))
  // It rejects where the run ends, or is given up, before it has paused: then that is what is shown.
  const pause = () => void run.pause().catch(() => {})
  const canPause = status === 'running' || status === 'waiting'

  return (
    <>
      <header className="top">
        <div className="brand">
          <h1>Approval desk</h1>
          <span className={`status ${status}`}>{words[status]}</span>
        </div>
        {status !== 'idle' && (
          <div className="actions">
            {(canPause || status === 'pausing') && (
              <button type="button" disabled={!canPause} onClick={pause}>
                Pause
              </button>
            )}
            {status === 'paused' && (
              <button type="button" className="primary" onClick={resume}>
                Resume
              </button>
            )}
            <button type="button" className="quiet" onClick={giveUp}>
              {canPause || status === 'paused' || status === 'pausing' ? 'Give up' : 'Start anew'}
            </button>
          </div>
        )}
      </header>
      <main>
        <div className="column">
          {status === 'idle' && (
            <>
              <p className="lead">
                It reads documents, asks you about what it has found, and has the whole signed. Reload the page whenever
                you like: the run goes on where it was.
              </p>
              <StartForm onStart={start} />
            </>
          )}
          {run.status === 'completed' && <ReleaseView release={run.result} />}
          {(status === 'failed' || status === 'aborted') && (
            <p className="card problem" role="alert">
              {run.error instanceof Error ? run.error.message : String(run.error)}
            </p>
          )}
          {mayAsk && !isAsking && (
            <section className="card asks">
              <p>
                {pendingInputs.length === 1 ? 'A question waits' : `${pendingInputs.length} questions wait`} for you.
              </p>
              <button type="button" className="primary" onClick={() => setAsking(true)}>
                Answer
              </button>
            </section>
          )}
          {!isKept && (
            <p className="card problem" role="alert">
              The browser keeps nothing here: the run will not survive a reload.
            </p>
          )}
          {status !== 'idle' && <RunProgress papers={papers} latest={latest} status={words[status]} />}
        </div>
        <section className="card chart" aria-label="Flow">
          <h2>Flow</h2>
          <ul className="legend" aria-hidden="true">
            <li className="at-work">at work</li>
            <li className="asks-you">waits for you</li>
            <li>passed</li>
          </ul>
          <FlowPicture flow={flow} trace={{ ...trace, life: status }} questions={pendingInputs.length} />
        </section>
      </main>
      {mayAsk && isAsking && (
        <QuestionDialog
          request={request}
          paper={papers[request.requestId]}
          more={pendingInputs.length - 1}
          onAnswer={(answer) => run.respond(request.requestId, answer)}
          onLater={() => setAsking(false)}
        />
      )}
    </>
  )
}
