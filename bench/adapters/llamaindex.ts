import { createWorkflow, type Workflow, type WorkflowEvent, workflowEvent } from '@llamaindex/workflow-core'
import { type Adapter, type Prepared, sumOfRuns, versionOf, type Work } from '../adapter.ts'

type NumberEvent = WorkflowEvent<number>

/**
 * The result is awaited with `stream.on`, the cheapest public way: `stream.untilEvent`, which the documentation shows,
 * pipes every event of the run through web streams and costs several times more.
 */
function runWorkflow(workflow: Workflow, start: NumberEvent, stop: NumberEvent): Promise<number> {
  return new Promise((resolve, reject) => {
    const context = workflow.createContext()
    context.stream.on(stop, (event) => resolve(event.data))
    context.signal.addEventListener('abort', () => reject(context.signal.reason))
    context.sendEvent(start.with(0))
  })
}

function chain(size: number, work: Work): Prepared {
  const workflow = createWorkflow()
  const start: NumberEvent = workflowEvent()
  let accepts = start
  for (let index = 0; index < size; index++) {
    const emits: NumberEvent = workflowEvent()
    workflow.handle([accepts], async (_context, event) => {
      work.ran()
      return emits.with(event.data + 1)
    })
    accepts = emits
  }
  const stop = accepts
  return { run: () => runWorkflow(workflow, start, stop) }
}

function pingPong(size: number, work: Work): Prepared {
  const workflow = createWorkflow()
  const [start, ping, pong, stop]: NumberEvent[] = [0, 1, 2, 3].map(() => workflowEvent())
  if (!start || !ping || !pong || !stop) throw new Error('Expected four events.')
  const answer = (accepts: NumberEvent, emits: NumberEvent): void =>
    workflow.handle([accepts], async (_context, event) => {
      work.ran()
      const value = event.data + 1
      return value === size ? stop.with(value) : emits.with(value)
    })
  workflow.handle([start], async () => ping.with(0))
  answer(ping, pong)
  answer(pong, ping)
  return { run: () => runWorkflow(workflow, start, stop) }
}

/** Joins in a closure, as one run goes at a time: cheaper than the state middleware, and than `stream.filter().take(n)`. */
function fanOut(size: number, work: Work): Prepared {
  const workflow = createWorkflow()
  const start: NumberEvent = workflowEvent()
  const item: NumberEvent = workflowEvent()
  const done: NumberEvent = workflowEvent()
  const stop: NumberEvent = workflowEvent()
  let joined = 0
  workflow.handle([start], async (context) => {
    joined = 0
    for (let index = 0; index < size; index++) context.sendEvent(item.with(index))
  })
  workflow.handle([item], async (_context, event) => {
    work.ran()
    return done.with(event.data)
  })
  workflow.handle([done], async () => {
    if (++joined === size) return stop.with(joined)
  })
  return { run: () => runWorkflow(workflow, start, stop) }
}

function runs(size: number, work: Work): Prepared {
  const workflow = createWorkflow()
  const start: NumberEvent = workflowEvent()
  const second: NumberEvent = workflowEvent()
  const third: NumberEvent = workflowEvent()
  const stop: NumberEvent = workflowEvent()
  workflow.handle([start], async (_context, event) => {
    work.ran()
    return second.with(event.data + 1)
  })
  workflow.handle([second], async (_context, event) => {
    await work.hold()
    return third.with(event.data + 1)
  })
  workflow.handle([third], async (_context, event) => {
    work.ran()
    return stop.with(event.data + 1)
  })
  return { run: () => sumOfRuns(size, () => runWorkflow(workflow, start, stop)) }
}

/** What goes outward is any event that nobody accepts; the reader iterates over the stream of the context. */
function stream(size: number, work: Work): Prepared {
  const workflow = createWorkflow()
  const start: NumberEvent = workflowEvent()
  const token: NumberEvent = workflowEvent()
  const stop: NumberEvent = workflowEvent()
  workflow.handle([start], async (context) => {
    work.ran()
    for (let index = 0; index < size; index++) context.sendEvent(token.with(index))
    return stop.with(size)
  })
  const run = async (): Promise<number> => {
    const context = workflow.createContext()
    const events = context.stream
    context.sendEvent(start.with(0))
    let read = 0
    for await (const event of events) {
      if (token.include(event) && event.data === read) read++
      if (stop.include(event)) break
    }
    return read
  }
  return { run }
}

export const adapter: Adapter = {
  name: 'llamaindex',
  version: versionOf('@llamaindex/workflow-core'),
  chain,
  pingPong,
  fanOut,
  runs,
  stream,
}
