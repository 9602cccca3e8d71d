import type { WorkflowHandler } from 'blazen-xstate'
import { inspect } from 'blazen-xstate/inspect'
import type { StepActivity } from 'blazen-xstate/machines'
import { useLayoutEffect, useRef, useState } from 'react'
import { atRest, type FlowTrace, noTrace } from './flow-trace.ts'

/**
 * The live trace of a run, from what an inspector is shown of it. `before` is the trace up to the snapshot that the run
 * goes on from.
 */
export function useFlowTrace(handler: WorkflowHandler | undefined, before: FlowTrace = noTrace): FlowTrace {
  const [trace, setTrace] = useState(before)
  const begin = useRef(before)
  begin.current = before

  // Before anything is painted, and before a step of a run that was just resumed has settled.
  useLayoutEffect(() => {
    if (handler === undefined) {
      setTrace(begin.current)
      return
    }
    const settledBefore = atRest(begin.current).steps
    const passed = new Set(begin.current.passed)
    let life: string = handler.status
    let steps: FlowTrace['steps'] = settledBefore
    let frame = 0
    const show = () => {
      frame = 0
      setTrace({ life, steps, passed: [...passed] })
    }
    const inspection = inspect(handler, (message) => {
      if (message.type === '@xstate.event' && message.event.type === 'blazen.settled') {
        const { step, events } = message.event as unknown as { step: string; events: { type: string }[] }
        for (const { type } of events) passed.add(`${step} ${type}`)
      }
      // The flow is shown as a chart of its own, whose context counts what each step has under way.
      if (!message.sessionId.endsWith('.flow') || !('snapshot' in message)) return
      const { context } = message.snapshot as { context: Record<string, StepActivity> }
      steps = Object.fromEntries(
        Object.entries(context).map(([name, step]) => {
          return [name, { ...step, settled: step.settled + (settledBefore[name]?.settled ?? 0) }]
        }),
      )
      life = handler.status
      frame ||= requestAnimationFrame(show)
    })
    return () => {
      cancelAnimationFrame(frame)
      inspection.stop()
    }
  }, [handler])
  return trace
}
