import { text as readText } from 'node:stream/consumers'
import type { Command } from 'commander'
import type { InputRequest } from '../../machines/index.ts'
import { messageOf } from '../codec-error.ts'
import { engineClasses } from '../engine-classes.ts'
import type { InputRequestEvent } from '../event.ts'
import { wasAnswered } from '../inbox.ts'
import { checkAnswer } from '../live-run.ts'
import type { RunInfo, Store } from '../store.ts'
import { endedStatuses } from '../store-rules.ts'
import { CommandError } from './command-error.ts'
import { post, waitOption } from './post.ts'
import { readView } from './read-view.ts'
import { toArgument, toPlain } from './shown-value.ts'
import {
  addStoreCommand,
  addWorkflowsOption,
  type Known,
  knownWorkflows,
  printJson,
  requireRun,
  type StoreOptions,
  type WorkflowOptions,
  withStore,
} from './store-command.ts'
import type { Terminal } from './terminal.ts'

interface AnswerOptions extends StoreOptions, WorkflowOptions {
  readonly wait: number
  readonly early?: boolean
}

export function addAnswer(program: Command, terminal: Terminal): void {
  const command = addStoreCommand(program, 'answer', 'answer a request of a run, wherever it is')
    .argument('<id>', 'the run')
    .argument('<requestId>', 'the request, as `show` lists it')
    .argument('<json>', `the answer: '"yes"', '{"approved":true}', or - for standard input`)
    .addOption(waitOption())
    .option('--early', 'also where the run has not asked yet: the answer waits for the question')
  addWorkflowsOption(command, 'whose schemas check the answer before it is given').action(
    async (runId: string, requestId: string, json: string, options: AnswerOptions) => {
      const response = toResponse(json === '-' ? await readText(process.stdin) : json)
      const known = await knownWorkflows(options)
      const answer = { runId, requestId, response, options, known }
      const record = await withStore(options, (store) => giveAnswer(store, answer))
      tellAnswer(terminal, answer, record)
    },
  )
}

interface Answer {
  readonly runId: string
  readonly requestId: string
  readonly response: unknown
  readonly options: AnswerOptions
  readonly known: Known
}

/** The number of the record that the answer has become; `undefined` where it waits in the inbox. */
async function giveAnswer(
  store: Store,
  { runId, requestId, response, options, known }: Answer,
): Promise<number | undefined> {
  const info = await requireRun(store, runId)
  if (endedStatuses.includes(info.status))
    throw new CommandError(`Run ${toPlain(runId)} has ended (${info.status}): nothing can be answered any more.`)
  const { requests } = await readView(store, runId, known)
  const request = requests.find((each) => each.requestId === requestId)
  if (request === undefined) await requireEarly(store, info, requestId, requests, options.early === true)
  const compiled = known.of(info)
  if (request !== undefined && compiled !== undefined)
    checkAnswer(compiled.blueprint, request as InputRequestEvent & InputRequest, response)
  const classes = compiled?.blueprint.classes ?? engineClasses()
  const message = { kind: 'answer', requestId, response, seq: info.seq } as const
  if (!(await post(store, runId, message, classes, options.wait))) return undefined
  const records = await store.records(runId, { from: info.seq + 1 })
  const record = records.find(({ kind, body }) => kind === 'answered' && JSON.parse(body).requestId === requestId)
  if (record !== undefined) return record.seq
  throw new CommandError(
    `The host of run ${toPlain(runId)} has taken the answer to "${toPlain(requestId)}" and refused it: it does not fit the schema of its kind, somebody was quicker, or the run has ended. See blazen show ${toArgument(runId)}`,
  )
}

async function requireEarly(
  store: Store,
  { runId }: RunInfo,
  requestId: string,
  requests: readonly InputRequestEvent[],
  isEarly: boolean,
): Promise<void> {
  const what = `The request "${toPlain(requestId)}" of run ${toPlain(runId)}`
  if (await wasAnswered(store, runId, requestId, 0)) throw new CommandError(`${what} is answered already.`)
  if (isEarly) return
  const open = requests.map((each) => `"${toPlain(each.requestId)}"`).join(', ')
  throw new CommandError(
    `${what} is not open. Open are: ${open || 'none'}. With --early, the answer waits in the inbox until the run asks.`,
  )
}

function tellAnswer(terminal: Terminal, { runId, requestId, options }: Answer, record: number | undefined): void {
  if (options.json) {
    printJson(terminal, { runId, requestId, taken: record !== undefined, record: record ?? null })
  } else if (record !== undefined) {
    terminal.print(`Answered: record ${record} of run ${toPlain(runId)}.`)
  } else {
    terminal.print(`The answer is in the inbox of run ${toPlain(runId)}: its host takes it as soon as it looks.`)
    terminal.tell(
      `If no host is live, go on with the run here: blazen resume ${toArgument(runId)} --workflows <module>`,
    )
  }
}

function toResponse(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch (error) {
    const text = JSON.stringify(json.trim())
    throw new CommandError(
      `The answer is no JSON (${messageOf(error)}). A text needs its own quotes, inside those of the shell: ${toArgument(text)}`,
      2,
    )
  }
}
