import type { Work } from './adapter.ts'

/** The scenarios as maps from event type to async function, for the two adapters that have no definition format of their own. */
export interface StepEvent {
  type: string
  value: number
}
export type StepOutput = StepEvent | StepEvent[] | undefined
export type Write = (index: number) => void
export type StepFunction = (event: StepEvent, write: Write) => Promise<StepOutput>
export type Steps = ReadonlyMap<string, StepFunction>

/** A run sends `start`, and ends with the `value` of the first `stop`. */
export const startEvent: StepEvent = { type: 'start', value: 0 }

export function chainSteps(size: number, work: Work): Map<string, StepFunction> {
  const typeOf = (index: number): string => (index === 0 ? 'start' : index === size ? 'stop' : `event${index}`)
  const steps = new Map<string, StepFunction>()
  for (let index = 0; index < size; index++) {
    const type = typeOf(index + 1)
    steps.set(typeOf(index), async (event) => {
      work.ran()
      return { type, value: event.value + 1 }
    })
  }
  return steps
}

export function threeSteps(work: Work): Steps {
  const steps = chainSteps(3, work)
  return steps.set('event1', async (event) => {
    await work.hold()
    return { type: 'event2', value: event.value + 1 }
  })
}

export function pingPongSteps(size: number, work: Work): Steps {
  const answer = async (event: StepEvent, type: string): Promise<StepEvent> => {
    work.ran()
    const value = event.value + 1
    return { type: value === size ? 'stop' : type, value }
  }
  return new Map<string, StepFunction>([
    ['start', async () => ({ type: 'ping', value: 0 })],
    ['ping', (event) => answer(event, 'pong')],
    ['pong', (event) => answer(event, 'ping')],
  ])
}

/** Counts its joins in a closure, so it is made anew for each run. */
export function fanOutSteps(size: number, work: Work): Steps {
  let joined = 0
  return new Map<string, StepFunction>([
    ['start', async () => Array.from({ length: size }, (_, value) => ({ type: 'item', value }))],
    [
      'item',
      async (event) => {
        work.ran()
        return { type: 'done', value: event.value }
      },
    ],
    ['done', async () => (++joined === size ? { type: 'stop', value: joined } : undefined)],
  ])
}

export function streamSteps(size: number, work: Work): Steps {
  const writeAll: StepFunction = async (_event, write) => {
    work.ran()
    for (let index = 0; index < size; index++) write(index)
    return { type: 'stop', value: size }
  }
  return new Map([['start', writeAll]])
}
