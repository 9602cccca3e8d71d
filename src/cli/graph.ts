import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { delimiter, dirname, join, resolve } from 'node:path'
import { type Command, Option } from 'commander'
import { messageOf } from '../codec-error.ts'
import { engineClasses } from '../engine-classes.ts'
import { type MermaidOptions, toMermaid } from '../inspect/mermaid.ts'
import { toStateChart } from '../inspect/state-chart.ts'
import type { StoredRecord } from '../store.ts'
import type { AnyWorkflow } from '../workflow.ts'
import { CommandError } from './command-error.ts'
import { loadWorkflows } from './load-workflows.ts'
import { historyOf } from './run-view.ts'
import { StandIns } from './stand-ins.ts'
import { addStoreCommand, printJson, requireRun, type StoreOptions, withStore } from './store-command.ts'
import type { Terminal } from './terminal.ts'

interface GraphOptions extends StoreOptions {
  readonly workflow?: string
  readonly run?: string
  readonly direction: 'TD' | 'LR'
  readonly svg?: string
  readonly png?: string
}

export function addGraph(program: Command, terminal: Terminal): void {
  addStoreCommand(program, 'graph', 'draw a workflow, or a run of it, as a Mermaid flowchart (--json: a statechart)')
    .argument('<module>', 'the module that exports the workflow')
    .option('--workflow <name>', 'which one, where the module exports several')
    .option('--run <id>', 'a run in the store: how often, how long, and what failed is drawn too')
    .addOption(new Option('--direction <way>', 'down, or to the right').choices(['TD', 'LR']).default('TD'))
    .option('--svg <file>', 'write a picture, by the mmdc of @mermaid-js/mermaid-cli')
    .option('--png <file>', 'the same, as PNG')
    .action((path: string, options: GraphOptions) => drawGraph(terminal, path, options))
}

async function drawGraph(terminal: Terminal, path: string, options: GraphOptions): Promise<void> {
  const workflows = await loadWorkflows([path])
  const drawn = options.run === undefined ? undefined : await readRun(options, options.run, workflows)
  const workflow = drawn?.workflow ?? choose(workflows, options.workflow, path)
  if (options.json) return printJson(terminal, toStateChart(workflow))
  const { direction } = options
  const mermaid: MermaidOptions = drawn === undefined ? { direction } : { direction, history: drawn.history }
  const text = toMermaid(workflow, mermaid)
  const { svg, png } = options
  for (const file of [svg, png]) if (file !== undefined) await render(text, resolve(file), file === svg ? 'svg' : 'png')
  if (svg === undefined && png === undefined) terminal.print(text)
}

/** The records of a run, and the workflow that it is of. */
async function readRun(
  options: GraphOptions,
  runId: string,
  workflows: readonly AnyWorkflow[],
): Promise<{ workflow: AnyWorkflow; history: NonNullable<MermaidOptions['history']> }> {
  return withStore(options, async (store) => {
    const info = await requireRun(store, runId)
    const classes = new StandIns(engineClasses())
    const records: StoredRecord[] = []
    for (let from = 1; from <= info.seq; ) {
      const page = await store.records(runId, { from, limit: 1_000 })
      const last = page.at(-1)
      if (last === undefined) break
      records.push(...page)
      from = last.seq + 1
    }
    const workflow = choose(workflows, options.workflow ?? info.workflow, 'The module')
    return { workflow, history: records.map((record) => historyOf(record, classes)) }
  })
}

/** @throws CommandError where it is not clear which is meant. */
function choose(workflows: readonly AnyWorkflow[], name: string | undefined, path: string): AnyWorkflow {
  const [first, second] = name === undefined ? workflows : workflows.filter((each) => each.name === name)
  if (first !== undefined && second === undefined) return first
  const names = workflows.map((each) => `"${each.name}"`).join(', ')
  throw name === undefined
    ? new CommandError(`${path} exports several workflows: name one with --workflow. It exports: ${names}.`, 2)
    : new CommandError(`${path} has no workflow "${name}". It has: ${names}.`)
}

/** @throws CommandError where there is no renderer, or it fails. */
async function render(text: string, file: string, format: 'svg' | 'png'): Promise<void> {
  const child = spawn('mmdc', ['--input', '-', '--output', file, '--outputFormat', format, '--quiet'], {
    env: { ...process.env, PATH: toSearchPath(process.cwd(), process.env.PATH) },
    stdio: ['pipe', 'ignore', 'pipe'],
  })
  // A renderer that ends before it has read all tells of it by its exit code.
  child.stdin.on('error', () => {})
  child.stdin.end(text)
  let complaint = ''
  child.stderr.on('data', (chunk) => {
    complaint += chunk
  })
  let code: unknown
  try {
    ;[code] = await once(child, 'close')
  } catch (cause) {
    const isMissing = cause instanceof Error && 'code' in cause && cause.code === 'ENOENT'
    throw new CommandError(
      isMissing
        ? 'A picture needs mmdc, which is not installed: npm install --save-dev @mermaid-js/mermaid-cli. Without --svg and --png, the text of the diagram is printed.'
        : `mmdc cannot be started: ${messageOf(cause)}`,
      1,
      { cause },
    )
  }
  if (code !== 0) throw new CommandError(`mmdc has drawn nothing: ${complaint.trim() || `it exited with ${code}`}`)
}

/** Where commands are found from a folder on: in the `node_modules` above it first. */
function toSearchPath(folder: string, path = ''): string {
  const above = [folder]
  for (let at = folder; dirname(at) !== at; ) {
    at = dirname(at)
    above.push(at)
  }
  return [...above.map((each) => join(each, 'node_modules/.bin')), path].join(delimiter)
}
