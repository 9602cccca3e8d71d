import { type Adapter, type Prepared, sumOfRuns, type Work } from '../adapter.ts'
import {
  chainSteps,
  fanOutSteps,
  pingPongSteps,
  type StepEvent,
  type StepOutput,
  type Steps,
  startEvent,
  streamSteps,
  threeSteps,
  type Write,
} from '../plain-steps.ts'

/**
 * The limit: the least that can route events to async functions at all. A map from type to function, a promise per
 * execution, and nothing of what an engine is for: no state, no errors by step, no abort, no snapshot.
 */
function runLoop(steps: Steps, write: Write = () => {}): Promise<number> {
  return new Promise((resolve, reject) => {
    const send = (event: StepEvent): void => {
      const step = steps.get(event.type)
      if (event.type === 'stop') resolve(event.value)
      else if (step) step(event, write).then(route, reject)
      else reject(new Error(`No step accepts "${event.type}".`))
    }
    const route = (output: StepOutput): void => {
      if (Array.isArray(output)) output.forEach(send)
      else if (output) send(output)
    }
    send(startEvent)
  })
}

/** The least that `for await` can read from: an array that the step fills, and a promise only while there is nothing left to read. */
class LoopStream {
  #written: number[] = []
  #read = 0
  #ended = false
  #wake = (): void => {}

  write = (index: number): void => {
    this.#written.push(index)
    this.#wake()
  }

  end = (): void => {
    this.#ended = true
    this.#wake()
  }

  async next(): Promise<IteratorResult<number, undefined>> {
    while (this.#read === this.#written.length && !this.#ended) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    const value = this.#written[this.#read++]
    return value === undefined ? { done: true, value } : { done: false, value }
  }

  [Symbol.asyncIterator](): this {
    return this
  }
}

function stream(size: number, work: Work): Prepared {
  const steps = streamSteps(size, work)
  const run = async (): Promise<number> => {
    const events = new LoopStream()
    const finished = runLoop(steps, events.write).then(events.end)
    let read = 0
    for await (const index of events) if (index === read) read++
    await finished
    return read
  }
  return { run }
}

export const adapter: Adapter = {
  name: 'loop',
  version: 'bare promises',
  chain: (size, work) => {
    const steps = chainSteps(size, work)
    return { run: () => runLoop(steps) }
  },
  pingPong: (size, work) => {
    const steps = pingPongSteps(size, work)
    return { run: () => runLoop(steps) }
  },
  fanOut: (size, work) => ({ run: () => runLoop(fanOutSteps(size, work)) }),
  runs: (size, work) => {
    const steps = threeSteps(work)
    return { run: () => sumOfRuns(size, () => runLoop(steps)) }
  },
  stream,
}
