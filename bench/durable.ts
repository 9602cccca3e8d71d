import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { startPostgres } from './durable-postgres.ts'
import type { DurableReply, DurableRequest } from './durable-worker.ts'
import { median } from './measure.ts'
import { WorkerProcess } from './process.ts'

const engines = ['append', 'blazen', 'mastra', 'openworkflow', 'langgraph', 'dbos'] as const

/** What was measured of one engine; what it cannot do, or what failed, is not there. */
export interface DurableResult {
  readonly name: string
  version: string
  /** Microseconds for a step of one run alone, and of a hundred runs at once. */
  alone?: number
  atOnce?: number
  /** The same, of processor time: what others do on the machine is not in it, nor what a server of its own does. */
  cpu?: number
  crowdCpu?: number
  /** Of a run of a thousand steps with a megabyte of state. */
  written?: { fileBytes: number; logicalBytes: number | undefined; steps: number }
  /** Why it is not measured. */
  missing?: string
}

export interface Recovery {
  readonly runs: number
  readonly ms: number
  readonly before: { readonly rss: number; readonly heap: number }
  readonly peak: { readonly rss: number; readonly heap: number }
}

export interface DurableReport {
  readonly results: readonly DurableResult[]
  readonly recovery: Recovery
}

type Worker = WorkerProcess<DurableRequest, DurableReply>

interface Contestant {
  readonly worker: Worker
  readonly result: DurableResult
  readonly steps: number
  readonly alone: number[]
  readonly atOnce: number[]
  /** Processor time per step, in microseconds. */
  readonly cpu: number[]
  readonly crowdCpu: number[]
  spentMs: number
}

const payload = 'x'.repeat(100)
const limitMs = 30_000
/** An engine sits out the rest of the rounds once it has measured for this long. */
const budgetMs = 12_000
/** How many steps of a run are measured: fewer where each takes long. */
const stepsOf = (name: string): number => (name === 'append' || name === 'blazen' ? 1_000 : 60)
/** Those that write all of the state each time would take minutes for a thousand steps. */
const stateStepsOf = (name: string): number => (name === 'blazen' ? 1_000 : 50)
/** What runs at once. */
const crowd = 100
/** Enough for ours that starting the runs weighs little; the others would take minutes. */
const crowdStepsOf = (name: string): number => (name === 'blazen' ? 200 : 10)

export async function measureDurable(isQuick: boolean, tell: (what: string) => void): Promise<DurableReport> {
  const folder = await mkdtemp(join(tmpdir(), 'blazen-bench-'))
  const postgres = await startPostgres().catch((error: unknown) => String(error))
  const contestants: Contestant[] = []
  const results: DurableResult[] = []
  try {
    let recordSize = 200
    // Ours first, since the floor writes what ours writes.
    for (const name of ['blazen', ...engines.filter((each) => each !== 'blazen')]) {
      const result: DurableResult = { name, version: name }
      results.push(result)
      if (name === 'dbos' && typeof postgres === 'string') {
        result.missing = `no PostgreSQL: ${postgres}`
        continue
      }
      const worker: Worker = new WorkerProcess('durable-worker.ts')
      const contestant: Contestant = {
        worker,
        result,
        steps: stepsOf(name),
        alone: [],
        atOnce: [],
        cpu: [],
        crowdCpu: [],
        spentMs: 0,
      }
      contestants.push(contestant)
      await attempt(contestant, async () => {
        const place = { folder, payload, recordSize, postgresUrl: typeof postgres === 'string' ? '' : postgres.url }
        const opened = await ask(worker, { kind: 'open', adapter: name, place }, 'opened')
        result.version = opened.version
        if (name === 'blazen') recordSize = (await ask(worker, { kind: 'recordSize' }, 'size')).size
        await ask(worker, { kind: 'sample', runs: 1, steps: contestant.steps }, 'sampled')
      })
      tell(name)
    }
    const rounds = isQuick ? 5 : 25
    for (let round = 0; round < rounds; round++) for (const each of contestants) await takeTurn(each, round)
    tell('steps')
    for (const each of contestants) {
      const { result, alone, atOnce, cpu, crowdCpu } = each
      if (cpu.length > 0) result.cpu = median(cpu)
      if (crowdCpu.length > 0) result.crowdCpu = median(crowdCpu)
      if (alone.length > 0) result.alone = median(alone)
      if (atOnce.length > 0) result.atOnce = median(atOnce)
      await measureState(each)
    }
    tell('state')
    const recovery = await measureRecovery(join(folder, 'recovery.db'), isQuick ? 1_000 : 10_000)
    return { results: results.sort((a, b) => rank(a) - rank(b)), recovery }
  } finally {
    for (const { worker } of contestants) worker.end()
    if (typeof postgres !== 'string') await postgres.stop()
    await rm(folder, { recursive: true, force: true })
  }
}

const rank = ({ name }: DurableResult): number => (engines as readonly string[]).indexOf(name)

/** An engine that fails is left out, and the table says why. */
async function attempt({ worker, result }: Contestant, fn: () => Promise<void>): Promise<void> {
  if (result.missing !== undefined) return
  try {
    await fn()
  } catch (error) {
    result.missing = error instanceof Error ? error.message : String(error)
    worker.end()
  }
}

async function takeTurn(contestant: Contestant, round: number): Promise<void> {
  const { worker, steps, alone, atOnce, cpu, crowdCpu, result } = contestant
  if (contestant.spentMs > budgetMs) return
  const startedAt = performance.now()
  await attempt(contestant, async () => {
    const { ms, cpuUs } = await ask(worker, { kind: 'sample', runs: 1, steps }, 'sampled')
    alone.push((ms * 1_000) / steps)
    cpu.push(cpuUs / steps)
    // One worker of openworkflow takes its runs one after the other from a poll; the floor has nothing to be at once.
    if (round % 5 > 0 || result.name === 'append' || result.name === 'openworkflow') return
    const crowdSteps = crowdStepsOf(result.name)
    const sampled = await ask(worker, { kind: 'sample', runs: crowd, steps: crowdSteps }, 'sampled')
    atOnce.push((sampled.ms * 1_000) / (crowd * crowdSteps))
    crowdCpu.push(sampled.cpuUs / (crowd * crowdSteps))
  })
  contestant.spentMs += performance.now() - startedAt
}

async function measureState(contestant: Contestant): Promise<void> {
  const { worker, result } = contestant
  const steps = stateStepsOf(result.name)
  await attempt(contestant, async () => {
    const reply = await worker.ask({ kind: 'state', steps }, 4 * limitMs)
    if (reply?.kind !== 'written') return
    const { fileBytes, logicalBytes } = reply
    result.written = { fileBytes: fileBytes * (1_000 / steps), logicalBytes, steps }
  })
}

async function measureRecovery(file: string, runs: number): Promise<Recovery> {
  const script = fileURLToPath(new URL('./durable-recovery.ts', import.meta.url))
  const start = (what: string) =>
    promisify(execFile)(process.execPath, ['--expose-gc', '--import', 'tsx', script, what, file, String(runs)], {
      env: { ...process.env, NODE_ENV: 'production' },
    })
  await start('interrupt')
  const { stdout } = await start('recover')
  return { runs, ...JSON.parse(stdout) }
}

async function ask<Kind extends DurableReply['kind']>(
  worker: Worker,
  request: DurableRequest,
  kind: Kind,
): Promise<DurableReply & { kind: Kind }> {
  const reply = await worker.ask(request, limitMs)
  if (reply?.kind === kind) return reply as DurableReply & { kind: Kind }
  throw new Error(`"${request.kind}" gave ${reply === undefined ? `nothing within ${limitMs / 1_000} s` : reply.kind}.`)
}
