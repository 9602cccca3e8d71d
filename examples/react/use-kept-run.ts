import type { WorkflowHandler } from 'blazen-xstate'
import { useEffect, useLayoutEffect, useRef, useState } from 'react'
import type { Paper } from './approval-workflow.ts'
import type { FlowTrace } from './flow-trace.ts'
import { keepRun } from './kept-run.ts'

type Run = WorkflowHandler<unknown, { papers: Record<string, Paper>; msPerSection: number }>

/** Keeps a run in the browser at each change, for as long as it is not given up. Tells whether that works. */
export function useKeptRun(handler: Run | undefined, trace: FlowTrace): boolean {
  const [isKept, setKept] = useState(true)
  const last = useRef(trace)

  useLayoutEffect(() => {
    if (handler === undefined) return
    const keep = () => {
      if (handler.status === 'aborted') return
      setKept(keepRun({ snapshot: handler.snapshot(), papers: handler.state.papers, trace: last.current }))
    }
    keep()
    const unsubscribe = handler.subscribe(keep)
    // A change is told within a frame, and a page may be left before.
    addEventListener('pagehide', keep)
    return () => {
      unsubscribe()
      removeEventListener('pagehide', keep)
    }
  }, [handler])

  useEffect(() => {
    last.current = trace
  }, [trace])
  return isKept
}
