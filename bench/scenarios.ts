import type { Adapter, Prepare } from './adapter.ts'

/** One row of the table for each size. */
export interface Scenario {
  id: string
  /** `#` stands for the size. */
  title: string
  /** What a time is divided by, and how it is called in the table. */
  unit: 'step' | 'event' | 'run'
  sizes: number[]
  /** How many step functions one run has to call, and what it has to give. */
  expected: (size: number) => { steps: number; result: number }
  /** The reason, where the engine has no way to do it. */
  prepare: (adapter: Adapter) => Prepare | string
  /** How much a run is worth in units. */
  units: (size: number) => number
  memory?: boolean
}

const once = (size: number): { steps: number; result: number } => ({ steps: size, result: size })
const same = (size: number): number => size

export const scenarios: Scenario[] = [
  {
    id: 'chain',
    title: 'chain of # steps',
    unit: 'step',
    sizes: [10, 100, 1_000],
    expected: once,
    prepare: (adapter) => adapter.chain,
    units: same,
  },
  {
    id: 'ping-pong',
    title: 'ping-pong of # between two steps',
    unit: 'step',
    sizes: [1_000],
    expected: once,
    prepare: (adapter) => adapter.pingPong,
    units: same,
  },
  {
    id: 'fan-out',
    title: 'fan-out to # and join',
    unit: 'event',
    sizes: [10, 1_000, 100_000],
    expected: once,
    prepare: (adapter) => adapter.fanOut,
    units: same,
  },
  {
    id: 'runs',
    title: '# runs of 3 steps at once',
    unit: 'run',
    sizes: [1_000, 10_000],
    expected: (size) => ({ steps: 3 * size, result: 3 * size }),
    prepare: (adapter) => adapter.runs,
    units: same,
    memory: true,
  },
  {
    id: 'stream',
    title: '# stream events, written and read',
    unit: 'event',
    sizes: [10_000],
    expected: (size) => ({ steps: 1, result: size }),
    prepare: (adapter) => adapter.stream,
    units: same,
  },
  {
    id: 'define',
    title: '# steps: defined, started and run through',
    unit: 'step',
    sizes: [3, 30, 300],
    expected: once,
    prepare: ({ chain }) => (typeof chain === 'string' ? chain : fromNothing(chain)),
    units: same,
  },
]

/** A chain whose definition is part of every run. */
function fromNothing(chain: Prepare): Prepare {
  return (size, work) => ({
    run: async () => {
      const prepared = await chain(size, work)
      const result = await prepared.run()
      await prepared.close?.()
      return result
    },
  })
}
