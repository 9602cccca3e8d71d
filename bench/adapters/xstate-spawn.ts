import { assign, createActor, emit, enqueueActions, fromPromise, setup, toPromise } from 'xstate'
import { type Adapter, type Prepared, sumOfRuns, versionOf, type Work } from '../adapter.ts'
import {
  chainSteps,
  fanOutSteps,
  pingPongSteps,
  type StepEvent,
  type StepFunction,
  type StepOutput,
  type Steps,
  startEvent,
  streamSteps,
  threeSteps,
  type Write,
} from '../plain-steps.ts'

/** Plain XState as one would first write it: a machine that spawns a promise actor for each event, and stops it when it is done. */
interface RunContext {
  steps: Steps
  write: Write
  /** An object, so that giving out an id needs no `assign`. */
  spawned: { count: number }
  result: number
}

/** The least that the machine sends to itself; the output of a promise actor is not typed by XState. */
type RunEvent = { type: 'xstate.done.actor.*'; actorId: string; output: StepOutput } | { type: 'write'; index: number }

const stopOf = (event: RunEvent): StepEvent | undefined => {
  if (event.type === 'write' || Array.isArray(event.output)) return undefined
  return event.output?.type === 'stop' ? event.output : undefined
}

const machine = setup({
  types: {
    input: {} as { steps: Steps },
    context: {} as RunContext,
    events: {} as RunEvent,
    emitted: {} as { type: 'written'; index: number },
    output: {} as number,
  },
  actors: {
    step: fromPromise<StepOutput, { run: StepFunction; event: StepEvent; write: Write }>(({ input }) =>
      input.run(input.event, input.write),
    ),
  },
  guards: { isStop: ({ event }) => stopOf(event) !== undefined },
}).createMachine({
  context: ({ input, self }) => ({
    steps: input.steps,
    write: (index) => self.send({ type: 'write', index }),
    spawned: { count: 0 },
    result: 0,
  }),
  initial: 'running',
  states: {
    running: {
      entry: enqueueActions(({ enqueue, context }) => {
        const run = context.steps.get(startEvent.type)
        if (run) enqueue.spawnChild('step', { id: 'start', input: { run, event: startEvent, write: context.write } })
      }),
      on: {
        'xstate.done.actor.*': [
          {
            guard: 'isStop',
            target: 'completed',
            actions: assign({ result: ({ event }) => stopOf(event)?.value ?? 0 }),
          },
          {
            actions: enqueueActions(({ enqueue, event: done, context }) => {
              enqueue.stopChild(done.actorId)
              for (const event of [done.output ?? []].flat()) {
                const run = context.steps.get(event.type)
                if (!run) throw new Error(`No step accepts "${event.type}".`)
                const id = `step${context.spawned.count++}`
                enqueue.spawnChild('step', { id, input: { run, event, write: context.write } })
              }
            }),
          },
        ],
        write: { actions: emit(({ event }) => ({ type: 'written' as const, index: event.index })) },
      },
    },
    completed: { type: 'final' },
  },
  output: ({ context }) => context.result,
})

function runMachine(steps: Steps, onWritten?: Write): Promise<number> {
  const actor = createActor(machine, { input: { steps } })
  if (onWritten) actor.on('written', ({ index }) => onWritten(index))
  const result = toPromise(actor)
  actor.start()
  return result
}

function stream(size: number, work: Work): Prepared {
  const steps = streamSteps(size, work)
  const run = async (): Promise<number> => {
    let read = 0
    await runMachine(steps, (index) => {
      if (index === read) read++
    })
    return read
  }
  return { run }
}

export const adapter: Adapter = {
  name: 'xstate-spawn',
  version: versionOf('xstate'),
  chain: (size, work) => {
    const steps = chainSteps(size, work)
    return { run: () => runMachine(steps) }
  },
  pingPong: (size, work) => {
    const steps = pingPongSteps(size, work)
    return { run: () => runMachine(steps) }
  },
  fanOut: (size, work) => ({ run: () => runMachine(fanOutSteps(size, work)) }),
  runs: (size, work) => {
    const steps = threeSteps(work)
    return { run: () => sumOfRuns(size, () => runMachine(steps)) }
  },
  stream,
}
