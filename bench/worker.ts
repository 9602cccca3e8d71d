import type { Adapter, Prepared, Work } from './adapter.ts'
import { type Scenario, scenarios } from './scenarios.ts'

/**
 * Runs one adapter in a process of its own, a sample whenever main.ts asks for one. Apart, since the engines disturb each
 * other: the first use of `AsyncLocalStorage` (LlamaIndex, LangGraph) slows every promise of a process on Node 20, and a heap
 * that one engine has filled is collected on the time of the next.
 */
export type Request =
  | { kind: 'load'; adapter: string }
  | { kind: 'prepare'; scenario: string; size: number; warmUpMs: number; sampleMs: number }
  | { kind: 'sample' }
  | { kind: 'memory' }
export type Reply =
  | { kind: 'loaded'; version: string }
  | { kind: 'prepared'; firstMs: number }
  | { kind: 'cannot'; reason: string }
  | { kind: 'sampled'; ms: number }
  | { kind: 'remembered'; bytesPerRun: number }
  | { kind: 'failed'; error: string }

let adapter: Adapter
let prepared: Prepared | undefined
let scenario: Scenario
let size: number
let repeats = 1

let stepsRun = 0
let hold: (() => Promise<void>) | undefined
const work: Work = {
  ran: () => {
    stepsRun++
  },
  hold: async () => {
    stepsRun++
    await hold?.()
  },
}

async function runOnce(): Promise<void> {
  if (!prepared) throw new Error('Expected "prepare" first.')
  stepsRun = 0
  const result = await prepared.run()
  const expected = scenario.expected(size)
  if (stepsRun !== expected.steps) throw new Error(`Expected ${expected.steps} steps to run, got ${stepsRun}.`)
  if (result !== expected.result) throw new Error(`Expected the result ${expected.result}, got ${result}.`)
}

async function sample(): Promise<number> {
  // Only the young generation: garbage of the last sample, at next to no cost.
  globalThis.gc?.({ type: 'minor' })
  const start = performance.now()
  for (let count = 0; count < repeats; count++) await runOnce()
  return (performance.now() - start) / repeats
}

async function load(name: string): Promise<Reply> {
  const module = (await import(`./adapters/${name}.ts`)) as { adapter: Adapter }
  adapter = module.adapter
  return { kind: 'loaded', version: adapter.version }
}

async function prepare(request: Request & { kind: 'prepare' }): Promise<Reply> {
  const found = scenarios.find(({ id }) => id === request.scenario)
  if (!found) throw new Error(`No scenario "${request.scenario}".`)
  const define = found.prepare(adapter)
  if (typeof define === 'string') return { kind: 'cannot', reason: define }

  await prepared?.close?.()
  scenario = found
  size = request.size
  prepared = await define(size, work)
  repeats = 1
  const firstMs = await sample()
  await warmUp(firstMs, request)
  return { kind: 'prepared', firstMs }
}

/** Runs until `warmUpMs` are over, and sets the number of repeats by how fast the second half of them went. */
async function warmUp(firstMs: number, { warmUpMs, sampleMs }: Request & { kind: 'prepare' }): Promise<void> {
  let ms = firstMs
  let runs = 0
  const start = performance.now()
  let halfWay = { at: start, runs: 0 }
  for (let now = start; now - start + firstMs < warmUpMs; now = performance.now()) {
    if (halfWay.runs === 0 && now - start > warmUpMs / 2) halfWay = { at: now, runs }
    await runOnce()
    runs++
    ms = (performance.now() - halfWay.at) / (runs - halfWay.runs)
  }
  repeats = Math.max(1, Math.ceil(sampleMs / ms))
}

/** What the heap has grown by, while every run waits in its second step. */
async function memory(): Promise<number> {
  let waiting = 0
  let open = (): void => {}
  let allHere = (): void => {}
  const gate = new Promise<void>((resolve) => {
    open = resolve
  })
  const everyone = new Promise<void>((resolve) => {
    allHere = resolve
  })
  hold = () => {
    if (++waiting === size) allHere()
    return gate
  }
  const before = await settledHeap()
  const finished = runOnce()
  await Promise.race([everyone, finished])
  const bytes = (await settledHeap()) - before
  open()
  await finished
  hold = undefined
  return bytes / size
}

async function settledHeap(): Promise<number> {
  if (!globalThis.gc) throw new Error('Start the worker with --expose-gc.')
  await new Promise((resolve) => setImmediate(resolve))
  globalThis.gc()
  return process.memoryUsage().heapUsed
}

async function answer(request: Request): Promise<Reply> {
  switch (request.kind) {
    case 'load':
      return load(request.adapter)
    case 'prepare':
      return prepare(request)
    case 'sample':
      return { kind: 'sampled', ms: await sample() }
    case 'memory':
      return { kind: 'remembered', bytesPerRun: await memory() }
  }
}

process.on('message', (request: Request) => {
  answer(request)
    .catch((error: unknown): Reply => {
      const text = error instanceof Error ? error.stack : String(error)
      return { kind: 'failed', error: `${adapter?.name}, ${scenario?.id} ${size}: ${text}` }
    })
    .then((reply) => process.send?.(reply))
})
