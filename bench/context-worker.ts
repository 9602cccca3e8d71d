import {
  defineEvent,
  InputRequestEvent,
  InputResponseEvent,
  resource,
  StartEvent,
  type StepContext,
  StopEvent,
  step,
  workflow,
} from '../dist/index.js'
import { median } from './measure.ts'

/**
 * Measures one scenario of context.ts and prints its lines as JSON. Apart, as the scenarios disturb each other's heaps.
 *
 *     node --expose-gc --import tsx context-worker.ts <scenario> [quick]
 */
export interface ContextLine {
  title: string
  /** What `ours` and `floor` are: microseconds, or bytes. */
  unit: 'us' | 'bytes'
  ours: number
  /** The same with nothing but the language: `Map`, `JSON`, base64. */
  floor?: number
}

/** One side of a comparison. `ms` does the work once, and says how long it took. */
interface Side {
  ms(): number | Promise<number>
  /** How many operations `ms` does. */
  operations?: number
}

const [scenario, quick] = process.argv.slice(2)
const rounds = quick ? 5 : 25

const encoder = new TextEncoder()
const sizeOf = (text: string): number => encoder.encode(text).length

/** Both sides in turns; medians, in microseconds an operation. */
async function compare<Name extends string>(sides: Record<Name, Side>): Promise<Record<Name, number>> {
  const names = Object.keys(sides) as Name[]
  const samples = new Map(names.map((name) => [name, [] as number[]]))
  // The first rounds let the compiler do its work.
  for (let round = -Math.ceil(rounds / 3); round < rounds; round++) {
    for (const name of names) {
      globalThis.gc?.({ type: 'minor' })
      const { ms, operations = 1 } = sides[name]
      const us = ((await ms()) * 1_000) / operations
      if (round >= 0) samples.get(name)?.push(us)
    }
  }
  return Object.fromEntries(names.map((name) => [name, median(samples.get(name) ?? [])])) as Record<Name, number>
}

function time(work: () => unknown): number {
  const start = performance.now()
  work()
  return performance.now() - start
}

/** Set and get of a small value, inside one step, beside a plain Map. */
async function values(): Promise<ContextLine[]> {
  const operations = 20_000
  const lines: ContextLine[] = []
  const kinds = { number: (n: number) => n, 'small object': (n: number) => ({ id: n, name: 'tea', paid: true }) }
  for (const [kind, make] of Object.entries(kinds)) {
    for (const count of [10, 1_000, 10_000]) {
      const keys = Array.from({ length: count }, (_, at) => `key ${at}`)
      await inStep(async (ctx) => {
        const map = new Map<string, unknown>()
        for (const [at, key] of keys.entries()) {
          map.set(key, make(at))
          ctx.set(key, make(at))
        }
        const loop = (set: (key: string, value: unknown) => unknown, get: (key: string) => unknown): number =>
          time(() => {
            for (let n = 0; n < operations; n++) {
              const key = keys[n % count] as string
              set(key, make(n))
              if (get(key) === undefined) throw new Error(`"${key}" is gone`)
            }
          })
        const { ours, floor } = await compare({
          ours: {
            operations,
            ms: () =>
              loop(
                (key, value) => ctx.set(key, value),
                (key) => ctx.get(key),
              ),
          },
          floor: {
            operations,
            ms: () =>
              loop(
                (key, value) => map.set(key, value),
                (key) => map.get(key),
              ),
          },
        })
        lines.push({
          title: `set and get of a ${kind}, ${count.toLocaleString('en')} keys, beside a Map`,
          unit: 'us',
          ours,
          floor,
        })
      })
    }
  }
  return lines
}

async function inStep(work: (ctx: StepContext) => Promise<void>): Promise<void> {
  const use = step({ accepts: StartEvent, emits: StopEvent }, async (_event, ctx) => {
    await work(ctx)
    return StopEvent({ result: true })
  })
  await workflow('values').step('use', use).run().result()
}

/** A run that holds a value in state and waits for a person. */
const holder = workflow('holder')
  .step('hold', { accepts: StartEvent, emits: InputRequestEvent }, (event, ctx) => {
    ctx.set('value', (event as { input?: unknown }).input)
    return InputRequestEvent({ prompt: 'go on?' })
  })
  .step('end', { accepts: InputResponseEvent, emits: StopEvent }, () => StopEvent({ result: true }))

async function hold(value: unknown) {
  // In an array, so that the value is not taken for the fields of the start event.
  const handler = holder.run([value])
  while (handler.status !== 'waiting') await new Promise((resolve) => setImmediate(resolve))
  return handler
}

/** Records like those of an application, of about so many bytes of JSON. */
function records(bytes: number): unknown {
  const made: unknown[] = []
  for (let size = 2, id = 0; size < bytes; id++) {
    const record = {
      id: `order-${id}`,
      customer: { name: `Customer ${id % 97}`, city: 'Rotterdam' },
      lines: [{ item: 'tea', euros: id * 1.25 }],
      paid: id % 3 === 0,
      note: null,
    }
    made.push(record)
    size += JSON.stringify(record).length + 1
  }
  return made
}

/** From a run to text and from text to a run, beside the same of its data alone. */
async function snapshots(): Promise<ContextLine[]> {
  const lines: ContextLine[] = []
  for (const [name, bytes] of [
    ['1 kB', 1_000],
    ['100 kB', 100_000],
    ['5 MB', 5_000_000],
  ] as const) {
    const data = records(bytes)
    const plain = JSON.stringify(data)
    const repeats = Math.max(1, Math.round(200_000 / bytes))
    const found = await roundTrips(data, repeats, {
      toText: () => JSON.stringify(data),
      fromText: () => JSON.parse(plain),
    })
    lines.push(...toLines(`${name} of JSON data`, 'JSON', found, sizeOf(plain)))
  }
  const bytes = Uint8Array.from({ length: 5_000_000 }, (_, at) => (at * 2_654_435_761) >>> 24)
  const base64 = Buffer.from(bytes).toString('base64')
  const found = await roundTrips(bytes, 1, {
    toText: () => JSON.stringify(Buffer.from(bytes).toString('base64')),
    fromText: () => new Uint8Array(Buffer.from(JSON.parse(`"${base64}"`), 'base64')),
  })
  lines.push(...toLines('5 MB of bytes', 'base64 and JSON', found, bytes.length))
  return lines
}

interface RoundTrips {
  toText: number
  fromText: number
  both: number
  toTextFloor: number
  fromTextFloor: number
  bothFloor: number
  /** The length of the snapshot. */
  bytes: number
}

async function roundTrips(
  value: unknown,
  repeats: number,
  floor: { toText: () => unknown; fromText: () => unknown },
): Promise<RoundTrips> {
  // Each snapshot is of another run: what a run has encoded before is not counted as speed.
  const holders = (): Promise<Awaited<ReturnType<typeof hold>>[]> =>
    Promise.all(Array.from({ length: repeats }, () => hold(value)))
  let text = ''
  const toText = async (): Promise<number> => {
    const held = await holders()
    const ms = time(() => {
      for (const handler of held) text = JSON.stringify(handler.snapshot())
    })
    for (const handler of held) handler.abort()
    return ms
  }
  const fromText = async (): Promise<number> => {
    const resumed: { abort(): void; status: string }[] = []
    const ms = time(() => {
      for (let n = 0; n < repeats; n++) resumed.push(holder.resume(JSON.parse(text)))
    })
    for (const handler of resumed) {
      if (handler.status !== 'waiting') throw new Error(`Expected the run to wait, got "${handler.status}".`)
      handler.abort()
    }
    return ms
  }
  const repeat = (work: () => unknown) => () =>
    time(() => {
      for (let n = 0; n < repeats; n++) work()
    })
  await toText()
  const found = await compare({
    toText: { operations: repeats, ms: toText },
    toTextFloor: { operations: repeats, ms: repeat(floor.toText) },
    fromText: { operations: repeats, ms: fromText },
    fromTextFloor: { operations: repeats, ms: repeat(floor.fromText) },
  })
  const both = found.toText + found.fromText
  return { ...found, both, bothFloor: found.toTextFloor + found.fromTextFloor, bytes: sizeOf(text) }
}

function toLines(what: string, than: string, found: RoundTrips, rawBytes: number): ContextLine[] {
  return [
    {
      title: `${what}: snapshot to text, beside ${than}`,
      unit: 'us',
      ours: found.toText,
      floor: found.toTextFloor,
    },
    { title: `${what}: text to a resumed run`, unit: 'us', ours: found.fromText, floor: found.fromTextFloor },
    { title: `${what}: there and back`, unit: 'us', ours: found.both, floor: found.bothFloor },
    { title: `${what}: length of the text, beside the data`, unit: 'bytes', ours: found.bytes, floor: rawBytes },
  ]
}

/** What the heap keeps of each run that has ended. */
async function memory(): Promise<ContextLine[]> {
  const count = quick ? 10_000 : 100_000
  const Next = defineEvent<{ n: number }>('Next')
  const flow = workflow('short', { session: { db: resource({ open: () => ({ rows: 0 }), close: () => {} }) } })
    .step('begin', { accepts: StartEvent, emits: Next }, (_event, ctx) => {
      ctx.set('items', [1, 2, 3])
      ctx.set('since', new Date(0))
      ctx.session.set('socket', { send: () => {} })
      ctx.session.get('db')
      return Next({ n: 1 })
    })
    .step('end', { accepts: Next, emits: StopEvent }, ({ n }) => {
      if (n === 0) throw new Error('never')
      return StopEvent({ result: n })
    })
  const failing = workflow('failing').step('fail', { accepts: StartEvent, emits: StopEvent }, () => {
    throw new Error('no')
  })
  const moved = async (): Promise<unknown> => {
    const handler = await hold('kept')
    const snapshot = await handler.pause()
    const resumed = holder.resume(JSON.parse(JSON.stringify(snapshot)))
    resumed.abort()
    return resumed.result().catch(() => {})
  }
  return [
    await growth('completed', count, () => flow.run().result()),
    await growth('failed', count, () =>
      failing
        .run()
        .result()
        .catch(() => {}),
    ),
    await growth('paused, resumed and aborted', count / 10, moved),
  ]
}

async function growth(how: string, count: number, run: () => Promise<unknown>): Promise<ContextLine> {
  const runAll = async (runs: number): Promise<void> => {
    for (let n = 0; n < runs; n++) await run()
  }
  await runAll(Math.min(count, 5_000))
  const before = await settledHeap()
  await runAll(count)
  const bytes = ((await settledHeap()) - before) / count
  return { title: `heap kept per run, ${count.toLocaleString('en')} runs ${how}`, unit: 'bytes', ours: bytes }
}

async function settledHeap(): Promise<number> {
  if (!globalThis.gc) throw new Error('Start the worker with --expose-gc.')
  for (let turn = 0; turn < 3; turn++) {
    await new Promise((resolve) => setTimeout(resolve, 20))
    globalThis.gc()
  }
  return process.memoryUsage().heapUsed
}

/** The snapshot of a run in which 10,000 executions are under way. */
async function busy(): Promise<ContextLine[]> {
  const count = 10_000
  const Item = defineEvent<{ index: number; name: string }>('Item')
  let started = 0
  const flow = workflow('busy')
    .step('split', { accepts: StartEvent, emits: Item }, () =>
      Array.from({ length: count }, (_, index) => Item({ index, name: `item ${index}` })),
    )
    .step('work', { accepts: Item, emits: StopEvent }, async () => {
      started++
      await new Promise(() => {})
      return StopEvent({ result: true })
    })
  const handler = flow.run()
  while (started < count) await new Promise((resolve) => setImmediate(resolve))
  const { executions } = handler.snapshot().context
  if (executions.length !== count) throw new Error(`Expected ${count} open executions, got ${executions.length}.`)
  const text = JSON.stringify(handler.snapshot())
  const items = Array.from({ length: count }, (_, index) => Item({ index, name: `item ${index}` }))
  const plain = JSON.stringify(items)
  const resumed = (): number => {
    let run: { abort(): void } | undefined
    const ms = time(() => {
      run = flow.resume(JSON.parse(text))
    })
    run?.abort()
    return ms
  }
  const found = await compare({
    snapshot: { ms: () => time(() => handler.snapshot()) },
    copied: { ms: () => time(() => structuredClone(items)) },
    toText: { ms: () => time(() => JSON.stringify(handler.snapshot())) },
    stringify: { ms: () => time(() => JSON.stringify(items)) },
    resume: { ms: resumed },
    parse: { ms: () => time(() => JSON.parse(plain)) },
  })
  handler.abort()
  const run = 'a run with 10,000 executions at work'
  return [
    {
      title: `${run}: snapshot(), beside structuredClone of the events`,
      unit: 'us',
      ours: found.snapshot,
      floor: found.copied,
    },
    {
      title: `${run}: snapshot to text, beside JSON of the events`,
      unit: 'us',
      ours: found.toText,
      floor: found.stringify,
    },
    { title: `${run}: text to a resumed run`, unit: 'us', ours: found.resume, floor: found.parse },
    { title: `${run}: length of the text`, unit: 'bytes', ours: sizeOf(text), floor: sizeOf(plain) },
  ]
}

const measured = { values, snapshots, memory, busy }

export type ContextScenario = keyof typeof measured

const wanted = Object.entries(measured).find(([name]) => name === scenario)
if (wanted === undefined) throw new Error(`Expected one of ${Object.keys(measured).join(', ')}, got "${scenario}".`)
console.log(JSON.stringify(await wanted[1]()))
process.exit()
