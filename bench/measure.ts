import { WorkerProcess } from './process.ts'
import type { Scenario } from './scenarios.ts'

export interface Settings {
  adapters: string[]
  rounds: number
  /** An adapter sits out the rest of the rounds of a row once it has measured for this long. */
  rowBudgetMs: number
  /** One answer of a worker may take this long; then it is ended, and the table says "more than". */
  limitMs: number
  warmUpMs: number
  sampleMs: number
}

/** One cell of the table: a time per unit in µs, or what there is instead of one. */
export type Cell =
  | { kind: 'time'; us: number; samples: number; kilobytes?: number }
  | { kind: 'over'; us: number; limitMs: number; atSize: number }
  | { kind: 'cannot'; reason: string }

export interface Row {
  scenario: string
  title: string
  size: number
  unit: string
  cells: Record<string, Cell>
}

interface Contestant {
  worker: WorkerProcess
  times: number[]
  spentMs: number
  cell?: Cell
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((left, right) => left - right)
  const middle = Math.floor(sorted.length / 2)
  const [low = Number.NaN, high = low] = sorted.slice(sorted.length % 2 ? middle : middle - 1, middle + 1)
  return (low + high) / 2
}

/** Measures one scenario at all its sizes; the workers live as long, and take turns sample by sample. */
export async function measureScenario(
  scenario: Scenario,
  settings: Settings,
  onRow: (row: Row) => void,
): Promise<Map<string, string>> {
  const versions = new Map<string, string>()
  const contestants = new Map<string, Contestant>()
  try {
    for (const name of settings.adapters) {
      const worker = new WorkerProcess()
      contestants.set(name, { worker, times: [], spentMs: 0 })
      const reply = await worker.ask({ kind: 'load', adapter: name }, 60_000)
      if (reply?.kind !== 'loaded') throw new Error(`The adapter "${name}" did not load within a minute.`)
      versions.set(name, reply.version)
    }
    for (const size of scenario.sizes) {
      for (const contestant of contestants.values()) await warmUp(contestant, scenario, size, settings)
      for (let round = 0; round < settings.rounds; round++) {
        for (const contestant of contestants.values()) await takeTurn(contestant, scenario, size, settings)
      }
      const cells: Record<string, Cell> = {}
      for (const [name, contestant] of contestants) cells[name] = await finish(contestant, scenario, size, settings)
      onRow({
        scenario: scenario.id,
        title: scenario.title.replace('#', size.toLocaleString('en')),
        size,
        unit: scenario.unit,
        cells,
      })
    }
  } finally {
    for (const { worker } of contestants.values()) worker.end()
  }
  return versions
}

async function warmUp(contestant: Contestant, scenario: Scenario, size: number, settings: Settings): Promise<void> {
  // What was too slow or impossible at a smaller size is not tried at a larger one.
  if (contestant.cell) return
  contestant.times = []
  contestant.spentMs = 0
  const { warmUpMs, sampleMs } = settings
  const request = { kind: 'prepare', scenario: scenario.id, size, warmUpMs, sampleMs } as const
  const reply = await contestant.worker.ask(request, settings.limitMs)
  if (!reply) {
    contestant.cell = tooSlow(scenario, size, settings)
  } else if (reply.kind === 'cannot') {
    contestant.cell = { kind: 'cannot', reason: reply.reason }
  } else if (reply.kind === 'prepared' && reply.firstMs > settings.limitMs / 4) {
    // So slow that the first run has to count as the sample.
    contestant.times.push(reply.firstMs)
    contestant.spentMs = settings.rowBudgetMs
  }
}

async function takeTurn(contestant: Contestant, scenario: Scenario, size: number, settings: Settings): Promise<void> {
  if (contestant.cell || contestant.spentMs >= settings.rowBudgetMs) return
  const start = performance.now()
  const reply = await contestant.worker.ask({ kind: 'sample' }, settings.limitMs)
  contestant.spentMs += performance.now() - start
  if (reply?.kind === 'sampled') contestant.times.push(reply.ms)
  else contestant.cell = tooSlow(scenario, size, settings)
}

function tooSlow(scenario: Scenario, size: number, { limitMs }: Settings): Cell {
  return { kind: 'over', us: (limitMs * 1_000) / scenario.units(size), limitMs, atSize: size }
}

async function finish(contestant: Contestant, scenario: Scenario, size: number, settings: Settings): Promise<Cell> {
  if (contestant.cell) return contestant.cell
  const us = (median(contestant.times) * 1_000) / scenario.units(size)
  const cell: Cell = { kind: 'time', us, samples: contestant.times.length }
  if (!scenario.memory) return cell
  const reply = await contestant.worker.ask({ kind: 'memory' }, settings.limitMs)
  return reply?.kind === 'remembered' ? { ...cell, kilobytes: reply.bytesPerRun / 1_000 } : cell
}
