import { type AnyWorkflow, pipeline, StartEvent, StopEvent, subWorkflow, workflow } from '../dist/index.js'
import { median } from './measure.ts'

/**
 * Measures what runs inside runs cost and prints the lines as JSON, for composition.ts.
 *
 *     node --expose-gc --import tsx composition-worker.ts [quick | profile]
 */
export interface CompositionLine {
  readonly title: string
  /** Microseconds for one of what the title says. */
  readonly us: number
  /** Microseconds of processor time, of all threads. */
  readonly cpuUs: number
}

interface Subject {
  readonly title: string
  readonly flow: AnyWorkflow
  /** How many runs, stages or branches a run of it has. */
  readonly units: number
  /** Without what a unit is of: taken off. */
  readonly base?: AnyWorkflow
}

const child = workflow('child').step('only', { accepts: StartEvent, emits: StopEvent }, async () =>
  StopEvent({ result: { done: true } }),
)
const around = workflow('around').step(
  'only',
  subWorkflow(child, { accepts: StartEvent, emits: StopEvent, output: (result) => StopEvent({ result }) }),
)
const parent = workflow('parent').step('only', { accepts: StartEvent, emits: StopEvent }, async () =>
  StopEvent({ result: { done: true } }),
)

function stages(count: number): AnyWorkflow {
  let flow: ReturnType<typeof begin> = begin()
  for (let at = 1; at < count; at++) flow = flow.stage(`stage ${at}`, child, { input: () => ({}) }) as never
  return flow as unknown as AnyWorkflow
}

function begin() {
  return pipeline('stages').stage('stage 0', child, { input: () => ({}) })
}

function branches(count: number): AnyWorkflow {
  const all = Object.fromEntries(Array.from({ length: count }, (_, at) => [`branch ${at}`, child]))
  return pipeline('branches').parallel('all', all) as unknown as AnyWorkflow
}

const one = stages(1)
const subjects: readonly Subject[] = [
  { title: 'a run of one step, alone', flow: child, units: 1 },
  { title: 'a sub-workflow, in a step', flow: around, units: 1, base: parent },
  { title: 'a stage, in a pipeline of 11', flow: stages(11), units: 10, base: one },
  ...[10, 100, 1_000].map((count) => ({
    title: `a branch, of ${count.toLocaleString('en')} in a stage`,
    flow: branches(count),
    units: count,
  })),
]

const [mode] = process.argv.slice(2)
const rounds = mode === 'quick' ? 7 : 41
/** Long enough for the clock, and for others on the machine to weigh little. */
const sampleMs = mode === 'quick' ? 15 : 40

async function sample(flow: AnyWorkflow, runs: number): Promise<{ us: number; cpuUs: number }> {
  globalThis.gc?.({ type: 'minor' })
  const cpu = process.cpuUsage()
  const start = performance.now()
  for (let count = 0; count < runs; count++)
    await (flow.run as (input: object) => ReturnType<AnyWorkflow['run']>)({}).result()
  const us = (performance.now() - start) * 1_000
  const { user, system } = process.cpuUsage(cpu)
  return { us: us / runs, cpuUs: (user + system) / runs }
}

/** How many runs take about `sampleMs`, once the compiler has done its work. */
async function warmUp(flow: AnyWorkflow): Promise<number> {
  let runs = 1
  for (let spent = 0; spent < 10 * sampleMs; ) {
    const { us } = await sample(flow, runs)
    spent += (us * runs) / 1_000
    runs = Math.max(1, Math.ceil((sampleMs * 1_000) / us))
  }
  return runs
}

async function main(): Promise<void> {
  const flows = [...new Set(subjects.flatMap(({ flow, base }) => (base === undefined ? [flow] : [flow, base])))]
  const runsOf = new Map<AnyWorkflow, number>()
  for (const flow of flows) runsOf.set(flow, await warmUp(flow))
  const samples = new Map(flows.map((flow) => [flow, [] as { us: number; cpuUs: number }[]]))
  for (let round = 0; round < rounds; round++)
    for (const flow of flows) samples.get(flow)?.push(await sample(flow, runsOf.get(flow) ?? 1))
  const of = (flow: AnyWorkflow | undefined, what: 'us' | 'cpuUs'): number =>
    flow === undefined ? 0 : median(samples.get(flow)?.map((each) => each[what]) ?? [])
  const lines = subjects.map(({ title, flow, units, base }): CompositionLine => {
    return {
      title,
      us: (of(flow, 'us') - of(base, 'us')) / units,
      cpuUs: (of(flow, 'cpuUs') - of(base, 'cpuUs')) / units,
    }
  })
  console.log(JSON.stringify(lines))
}

/** For `node --cpu-prof`: one of the subjects, for some seconds. */
async function profile(at: number): Promise<void> {
  const { flow } = subjects[at] as Subject
  for (const end = performance.now() + 4_000; performance.now() < end; ) await sample(flow, 20)
}

await (mode === 'profile' ? profile(Number(process.argv[3] ?? 2)) : main())
