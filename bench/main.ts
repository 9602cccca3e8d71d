import { existsSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { measureColdStart } from './cold-start.ts'
import { measureComposition, toCompositionMarkdown } from './composition.ts'
import { measureContext, toContextMarkdown } from './context.ts'
import { measureDurable } from './durable.ts'
import { toDurableMarkdown } from './durable-report.ts'
import { measureScenario, type Row, type Settings } from './measure.ts'
import { describeMachine, type Report, toMarkdown } from './report.ts'
import { scenarios } from './scenarios.ts'

const everyScenario = [...scenarios.map(({ id }) => id), 'cold-start', 'context', 'composition', 'durable']
const everyAdapter = ['loop', 'blazen', 'effect', 'mastra', 'llamaindex', 'langgraph', 'xstate-spawn']

const usage = `npm run bench -- [options]
  --only <scenario>      one of: ${everyScenario.join(', ')} (may be given several times)
  --adapters <a,b,…>     of: ${everyAdapter.join(', ')}; the loop always runs
  --quick                fewer rounds, and no sizes above 1,000 but the smallest
  --json                 the numbers instead of the table`

const { values: options } = parseArgs({
  options: {
    only: { type: 'string', multiple: true },
    adapters: { type: 'string' },
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

const full: Settings = {
  adapters: everyAdapter,
  rounds: 15,
  rowBudgetMs: 700,
  limitMs: 10_000,
  warmUpMs: 500,
  sampleMs: 10,
}
const quick: Settings = { ...full, rounds: 3, rowBudgetMs: 150, limitMs: 5_000, warmUpMs: 200, sampleMs: 5 }

async function main(): Promise<void> {
  if (options.help) return console.log(usage)
  const wanted = options.adapters?.split(',') ?? everyAdapter
  const only = options.only ?? everyScenario
  expectKnown('adapter', wanted, everyAdapter)
  expectKnown('scenario', only, everyScenario)
  const adapters = everyAdapter.filter((name) => name === 'loop' || wanted.includes(name))
  if (
    (adapters.includes('blazen') || ['context', 'composition', 'durable'].some((each) => only.includes(each))) &&
    !existsSync(new URL('../dist/index.js', import.meta.url))
  ) {
    throw new Error('Expected the built package in dist/: run `npm run build` first.')
  }
  const settings: Settings = { ...(options.quick ? quick : full), adapters }

  const started = performance.now()
  const rows: Row[] = []
  const versions = new Map(adapters.map((name) => [name, name]))
  for (const scenario of scenarios.filter(({ id }) => only.includes(id))) {
    const sizes = options.quick ? scenario.sizes.filter((size, index) => index === 0 || size <= 1_000) : scenario.sizes
    const found = await measureScenario({ ...scenario, sizes }, settings, (row) => {
      rows.push(row)
      tell(row, started)
    })
    for (const [name, version] of found) versions.set(name, version)
  }
  if (only.includes('cold-start')) rows.push(await measureColdStart({ ...settings, rounds: options.quick ? 2 : 7 }))

  const report: Report = {
    machine: describeMachine(),
    node: process.version,
    versions: Object.fromEntries(versions),
    note: noteOf(settings),
    rows,
  }
  const context = only.includes('context')
    ? await measureContext(options.quick, (name) => tell({ scenario: 'context', size: name }, started))
    : []
  const composition = only.includes('composition') ? await measureComposition(options.quick) : []
  if (composition.length > 0) tell({ scenario: 'composition', size: 'all' }, started)
  const durable = only.includes('durable')
    ? await measureDurable(options.quick, (name) => tell({ scenario: 'durable', size: name }, started))
    : undefined
  if (options.json) return console.log(JSON.stringify({ ...report, context, composition, durable }, null, 2))
  if (rows.length > 0) console.log(`\n${toMarkdown(report)}`)
  if (context.length > 0) console.log(`\n${toContextMarkdown(context)}`)
  if (composition.length > 0) console.log(`\n${toCompositionMarkdown(composition)}`)
  if (durable !== undefined) console.log(`\n${toDurableMarkdown(durable)}`)
}

function noteOf({ rounds, rowBudgetMs, limitMs }: Settings): string {
  const quickly = options.quick ? 'A quick run: few rounds, short warm-ups, large sizes left out. ' : ''
  return `${quickly}Each engine in a process of its own, taking turns for ${rounds} rounds, or until it has measured for ${rowBudgetMs} ms in a row of the table; "> ${limitMs / 1_000} s" was stopped there.`
}

function expectKnown(what: string, names: string[], known: string[]): void {
  const unknown = names.filter((name) => !known.includes(name))
  if (unknown.length > 0)
    throw new Error(`Unknown ${what} "${unknown.join('", "')}": expected one of ${known.join(', ')}.`)
}

/** Progress, on the error stream, so that the table can be piped. */
function tell({ scenario, size }: { scenario: string; size: number | string }, started: number): void {
  if (!process.stderr.isTTY && options.json) return
  process.stderr.write(`${((performance.now() - started) / 1_000).toFixed(0).padStart(4)} s  ${scenario} ${size}\n`)
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
})
