import { type Command, Option } from 'commander'
import { engineClasses } from '../engine-classes.ts'
import type { HistoryRecord } from '../history.ts'
import type { StoredRecord } from '../store.ts'
import { historyOf } from './run-view.ts'
import { toLimit } from './runs.ts'
import { shorten, toErrorLine, toEventLine, toJson, toLine, toPlain } from './shown-value.ts'
import { StandIns } from './stand-ins.ts'
import {
  addStoreCommand,
  addWorkflowsOption,
  knownWorkflows,
  printJson,
  requireRun,
  type StoreOptions,
  type WorkflowOptions,
  withStore,
} from './store-command.ts'
import { toTable } from './table.ts'
import type { Terminal } from './terminal.ts'
import { toLocal } from './times.ts'

interface HistoryOptions extends StoreOptions, WorkflowOptions {
  readonly from: number
  readonly limit?: number
}

export function addHistory(program: Command, terminal: Terminal): void {
  const command = addStoreCommand(program, 'history', 'what has happened to a run, record by record')
    .argument('<id>', 'the run')
    .addOption(new Option('--from <number>', 'begin with this record').default(1).argParser(toNumber))
    .addOption(new Option('--limit <count>', 'how many, from 1 to 1000 (default: all)').argParser(toLimit))
  addWorkflowsOption(command, 'so that values of their classes are read by these').action(
    (runId: string, options: HistoryOptions) => showHistory(terminal, runId, options),
  )
}

async function showHistory(terminal: Terminal, runId: string, options: HistoryOptions): Promise<void> {
  const known = await knownWorkflows(options)
  const records = await withStore(options, async (store) => {
    const info = await requireRun(store, runId)
    const classes = new StandIns(known.of(info)?.blueprint.classes ?? engineClasses())
    const { from, limit } = options
    const stored: readonly StoredRecord[] = await store.records(runId, {
      from,
      ...(limit === undefined ? {} : { limit }),
    })
    return stored.map((record) => historyOf(record, classes))
  })
  if (options.json)
    return printJson(
      terminal,
      records.map((record) => toJson(record)),
    )
  if (records.length === 0) return terminal.tell('No records.')
  terminal.print(toHistoryTable(records, terminal))
}

/** Records as a table, one line each. */
export function toHistoryTable(records: readonly HistoryRecord[], { bold, width }: Terminal): string {
  const rows = records.map((record) => {
    const path = record.kind === 'answered' ? '' : (record.path ?? []).map((step) => `${toPlain(step)} › `).join('')
    const took = record.durationMs === undefined ? '' : `${Math.round(record.durationMs)} ms`
    return [
      String(record.seq),
      toLocal(record.at),
      toPlain(record.kind),
      took,
      shorten(path + summarise(record), Math.max(30, width - 52)),
    ]
  })
  return toTable(['#', 'TIME', 'KIND', 'TOOK', 'WHAT'].map(bold), rows)
}

/** What a record says, on one line. */
function summarise(record: HistoryRecord): string {
  const { kind, step, execution, events = [], writes = [], event, attempt, dueAt, error } = record
  const of = execution === undefined ? '' : ` (execution ${execution})`
  const due = typeof dueAt === 'number' ? `, due ${toLocal(dueAt)}` : ''
  switch (kind) {
    case 'settled': {
      const wrote = writes.length === 0 ? '' : `; wrote ${writes.map(([key]) => toLine(key, 40)).join(', ')}`
      return `${toPlain(step ?? '')}${of} → ${events.map((each) => toEventLine(each, 200)).join(', ') || 'nothing'}${wrote}`
    }
    case 'begun': {
      const branch = record.child === undefined ? '' : `, branch ${toLine(record.child, 60)}`
      return `a run in ${toPlain(step ?? '')}${of}${branch}: ${toEventLine(event, 200)}`
    }
    case 'started':
    case 'event':
    case 'sent':
      return `${toEventLine(event, 200)}${due}`
    case 'retried':
      return `attempt ${attempt}${of}${due} after ${toErrorLine(error)}`
    case 'answered':
      return `${toLine(record.requestId, 60)}: ${toLine(record.response)}`
    case 'waiting':
      return `for ${(record.requests ?? []).map((id) => toLine(id, 60)).join(', ') || 'events from outside'}`
    case 'fired':
      return toPlain(record.timer ?? '')
    case 'failed':
    case 'aborted':
      return error === undefined
        ? toPlain(record.failure ?? '')
        : `${toPlain(record.failure ?? '')}: ${toErrorLine(error)}`
    default:
      return error === undefined ? '' : toErrorLine(error)
  }
}

function toNumber(text: string): number {
  const number = Number(text)
  return Number.isInteger(number) && number >= 1 ? number : 1
}
