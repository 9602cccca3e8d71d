import { type Command, Option } from 'commander'
import { engineClasses } from '../engine-classes.ts'
import type { InputRequestEvent } from '../event.ts'
import type { HistoryRecord } from '../history.ts'
import type { RunInfo, Store } from '../store.ts'
import { endedStatuses } from '../store-rules.ts'
import { NoSuchRun } from './command-error.ts'
import { toAnswerHint } from './hint.ts'
import { toHistoryTable } from './history.ts'
import { readView } from './read-view.ts'
import { historyOf, type RunView } from './run-view.ts'
import { toLimit } from './runs.ts'
import { toEventLine, toJson, toKey, toLine, toPlain, toText } from './shown-value.ts'
import { StandIns } from './stand-ins.ts'
import {
  addStoreCommand,
  addWorkflowsOption,
  type Known,
  knownWorkflows,
  printJson,
  type StoreOptions,
  type WorkflowOptions,
  withStore,
} from './store-command.ts'
import { toPairs } from './table.ts'
import type { Terminal } from './terminal.ts'
import { toAgo, toLocal } from './times.ts'

interface ShowOptions extends StoreOptions, WorkflowOptions {
  readonly records: number
}

interface Shown {
  readonly view: RunView
  readonly records: readonly HistoryRecord[]
  /** How many letters wait in the run's inbox. */
  readonly letters: number
}

export function addShow(program: Command, terminal: Terminal): void {
  const command = addStoreCommand(program, 'show', 'where a run stands: status, what is pending, state, last records')
    .argument('<id>', 'the run')
    .addOption(new Option('--records <count>', 'how many of the last records').default(10).argParser(toLimit))
  addWorkflowsOption(command, 'which tell what the records alone do not').action(
    (runId: string, options: ShowOptions) => showRun(terminal, runId, options),
  )
}

async function showRun(terminal: Terminal, runId: string, options: ShowOptions): Promise<void> {
  const known = await knownWorkflows(options)
  const shown = await withStore(options, (store) => readShown(store, runId, known, options.records))
  if (options.json) printJson(terminal, toShownJson(shown))
  else terminal.print(toSections(shown, terminal, options).join('\n\n'))
}

async function readShown(store: Store, runId: string, known: Known, count: number): Promise<Shown> {
  const stored = await store.load(runId)
  if (stored === undefined) throw new NoSuchRun(runId)
  const classes = new StandIns(known.of(stored.info)?.blueprint.classes ?? engineClasses())
  const last = await store.records(runId, { from: Math.max(1, stored.info.seq - count + 1), limit: count })
  return {
    view: await readView(store, runId, known),
    records: last.map((record) => historyOf(record, classes)),
    letters: (await store.inbox(runId)).length,
  }
}

function toShownJson({ view, records, letters }: Shown): object {
  const { info, toldBy, requests, executions, queue, delayed, collected, state, failure, unknown } = view
  return {
    run: info,
    toldBy,
    requests: toJson(requests),
    executions: toJson(executions),
    queue: toJson(queue),
    delayed: toJson(delayed),
    collected: toJson(collected),
    state: Object.fromEntries(Array.from(state, ([key, value]) => [key, toJson(value)])),
    ...('result' in view ? { result: toJson(view.result) } : {}),
    ...(failure === undefined ? {} : { failure: { kind: failure.kind, error: toJson(failure.error) } }),
    letters,
    records: records.map((record) => toJson(record)),
    unknown,
  }
}

function toSections({ view, records, letters }: Shown, terminal: Terminal, options: ShowOptions): string[] {
  const { bold, dim, now, width, hasColors: colors } = terminal
  const sections: string[] = [toPairs(toHead(view, now, letters))]
  const add = (title: string, body: string) => {
    if (body !== '') sections.push(`${bold(title)}\n${body}`)
  }
  const value = (each: unknown) => toText(each, { width: width - 20, colors })
  if ('result' in view) add('Result', indent(value(view.result)))
  const { failure } = view
  if (failure !== undefined) add('Failure', indent(failure.error === undefined ? failure.kind : value(failure.error)))
  add('Requests', toRequests(view, terminal, options))
  add('Pending', toPending(view, terminal))
  add(
    'Collected',
    toLines(
      Object.entries(view.collected),
      ([type, all]) => `${toPlain(type)}: ${all.map((event) => toEventLine(event)).join(', ')}`,
    ),
  )
  add(
    'State',
    toPairs(
      Array.from(view.state, ([key, each]) => [toKey(key), value(each)] as const),
      '  ',
    ),
  )
  if (view.unknown.length > 0) add('Not known', view.unknown.map((each) => indent(dim(toPlain(each)))).join('\n'))
  if (records.length > 0) add(`Records (${records.length} of ${view.info.seq})`, toHistoryTable(records, terminal))
  return sections
}

function toHead({ info }: RunView, now: number, letters: number): [string, string][] {
  const time = (at: number) => `${toLocal(at)} (${toAgo(at, now)})`
  const pairs: [string, string][] = [
    ['Run', toPlain(info.runId)],
    ['Workflow', toPlain(info.version === null ? info.workflow : `${info.workflow}, version ${info.version}`)],
    ['Status', toPlain(info.status)],
    ['Created', time(info.createdAt)],
    ['Last record', `${time(info.updatedAt)}, number ${info.seq}`],
  ]
  if (info.idempotencyKey !== null) pairs.push(['Key', toPlain(info.idempotencyKey)])
  if (!endedStatuses.includes(info.status)) pairs.push(['Owner', toOwner(info)])
  if (letters > 0) pairs.push(['Inbox', `${letters} ${letters === 1 ? 'letter waits' : 'letters wait'} for a host`])
  return pairs
}

function toOwner({ owner, epoch }: RunInfo): string {
  return owner === null ? 'nobody' : `${toPlain(owner)}, epoch ${epoch}, unless its lease has run out`
}

function toRequests({ requests, info }: RunView, { dim }: Terminal, options: ShowOptions): string {
  return toLines(
    requests,
    ({ type: _, requestId, prompt, path: __, ...rest }: InputRequestEvent & { readonly path?: readonly string[] }) => {
      const more = Object.keys(rest).length === 0 ? '' : ` ${toLine(rest)}`
      return `${toKey(requestId)}: ${toPlain(prompt)}${more}\n    ${dim(toAnswerHint(info.runId, requestId, options))}`
    },
  )
}

function toPending({ executions, queue, delayed }: RunView, { now }: Terminal): string {
  const due = (dueAt: number | null) => (dueAt === null ? '' : `, due ${toAgo(dueAt, now)}`)
  return [
    ...executions.map(({ step, event, attempt, dueAt }) => {
      return `  step ${toPlain(step)}: ${toEventLine(event)}${attempt > 1 ? `, attempt ${attempt}` : ''}${due(dueAt)}`
    }),
    ...queue.map((event) => `  queued: ${toEventLine(event)}`),
    ...delayed.map(({ event, dueAt }) => `  delayed: ${toEventLine(event)}${due(dueAt)}`),
  ].join('\n')
}

function toLines<Item>(items: readonly Item[], line: (item: Item) => string): string {
  return items.map((item) => `  ${line(item)}`).join('\n')
}

function indent(text: string): string {
  return text.replace(/^/gm, '  ')
}
