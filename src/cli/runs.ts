import { type Command, InvalidArgumentError, Option } from 'commander'
import { type Duration, toMs } from '../duration.ts'
import type { RunFilter, RunInfo, RunPage, Store } from '../store.ts'
import { shorten, toPlain } from './shown-value.ts'
import { addStoreCommand, printJson, type StoreOptions, withStore } from './store-command.ts'
import { toTable } from './table.ts'
import type { Terminal } from './terminal.ts'
import { toAgo } from './times.ts'

const statuses = ['running', 'waiting', 'pausing', 'paused', 'completed', 'failed', 'aborted']

interface RunsOptions extends StoreOptions {
  readonly status?: readonly string[]
  readonly workflow?: string
  readonly olderThan?: number
  readonly limit: number
  readonly cursor?: string
  readonly all?: boolean
}

export function addRuns(program: Command, terminal: Terminal): void {
  addStoreCommand(program, 'runs', 'list runs, the last created first')
    .addOption(
      new Option('--status <status>', `only these: ${statuses.join(', ')}; several with commas`).argParser(toStatuses),
    )
    .option('--workflow <name>', 'only runs of this workflow')
    .option('--older-than <duration>', 'only runs to which nothing has happened for so long, as 30m, 1h, 7d', toAge)
    .addOption(new Option('--limit <count>', 'how many, from 1 to 1000').default(50).argParser(toLimit))
    .option('--cursor <cursor>', 'go on where the page before ended')
    .option('--all', 'all pages')
    .action((options: RunsOptions) => listRuns(terminal, options))
}

async function listRuns(terminal: Terminal, options: RunsOptions): Promise<void> {
  const { runs, cursor, others } = await withStore(options, async (store) => {
    const page = await readPages(store, options, toFilter(options, terminal.now))
    const isMissed = page.runs.length === 0 && options.workflow !== undefined && !options.json
    return { ...page, others: isMissed ? await readOthers(store, options.workflow ?? '') : undefined }
  })
  if (options.json) return printJson(terminal, { runs, cursor: cursor ?? null })
  if (runs.length === 0) return terminal.tell(others === undefined ? 'No runs.' : `No runs. ${others}`)
  terminal.print(toRunTable(runs, terminal))
  if (cursor !== undefined) terminal.tell(`There are more: --cursor ${cursor}, or --all`)
}

function toFilter({ status, workflow, olderThan, limit, cursor }: RunsOptions, now: number): RunFilter {
  return {
    limit,
    ...(status === undefined ? {} : { status }),
    ...(workflow === undefined ? {} : { workflow }),
    ...(olderThan === undefined ? {} : { updatedBefore: now - olderThan }),
    ...(cursor === undefined ? {} : { cursor }),
  }
}

async function readPages(store: Store, { all }: RunsOptions, filter: RunFilter): Promise<RunPage> {
  if (!all) return store.list(filter)
  const runs: RunInfo[] = []
  for (let page: RunPage | undefined; page === undefined || page.cursor !== undefined; ) {
    const from: string | undefined = page?.cursor
    page = await store.list({ ...filter, limit: 1_000, ...(from === undefined ? {} : { cursor: from }) })
    runs.push(...page.runs)
  }
  return { runs, cursor: undefined }
}

/** Where no run is of the workflow that was named: which workflows the last runs are of. */
async function readOthers(store: Store, workflow: string): Promise<string | undefined> {
  if ((await store.list({ workflow, limit: 1 })).runs.length > 0) return undefined
  const { runs, cursor } = await store.list({ limit: 1_000 })
  const names = [...new Set(runs.map((run) => run.workflow))].sort()
  const none = `None is of workflow "${toPlain(workflow)}"`
  if (names.length === 0) return 'The store holds none at all.'
  const whose = cursor === undefined ? 'the runs here are of' : `the last ${runs.length} runs are of`
  return `${none}: ${whose} ${names.map((name) => `"${toPlain(name)}"`).join(', ')}.`
}

function toRunTable(runs: readonly RunInfo[], { now, bold }: Terminal): string {
  const rows = runs.map(({ runId, workflow, version, status, seq, createdAt, updatedAt }) => [
    shorten(toPlain(runId), 60),
    shorten(toPlain(version === null ? workflow : `${workflow} ${version}`), 40),
    toPlain(status),
    String(seq),
    toAgo(createdAt, now),
    toAgo(updatedAt, now),
  ])
  return toTable(['RUN', 'WORKFLOW', 'STATUS', 'RECORDS', 'CREATED', 'LAST RECORD'].map(bold), rows)
}

function toStatuses(text: string, before: readonly string[] = []): readonly string[] {
  const given = text.split(',').map((status) => status.trim())
  const unknown = given.find((status) => !statuses.includes(status))
  if (unknown === undefined) return [...before, ...given]
  throw new InvalidArgumentError(`"${unknown}" is no status: expected ${statuses.join(', ')}.`)
}

function toAge(text: string): number {
  try {
    return toMs(text as Duration, '--older-than', Number.MAX_SAFE_INTEGER)
  } catch {
    throw new InvalidArgumentError('Expected a number with its unit: 30s, 10m, 1h or 7d.')
  }
}

export function toLimit(text: string): number {
  const limit = Number(text)
  if (Number.isInteger(limit) && limit >= 1 && limit <= 1_000) return limit
  throw new InvalidArgumentError('Expected a whole number from 1 to 1000.')
}
