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
import { findAnswer, isSameShown } from './find-answer.ts'
import { toHint } from './hint.ts'
import { post, waitOption } from './post.ts'
import { readView } from './read-view.ts'
import { toArgument, toLine, toPlain } from './shown-value.ts'
import { StandIns } from './stand-ins.ts'
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
      tellAnswer(terminal, answer, await withStore(options, (store) => giveAnswer(store, answer)))
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

/** What has become of an answer. */
interface Given {
  /** The number of the record that answers the request; `undefined` where the answer waits in the inbox. */
  readonly record: number | undefined
  /** What that record holds, where it is not what was given. */
  readonly other?: unknown
}

async function giveAnswer(store: Store, answer: Answer): Promise<Given> {
  const { runId, requestId, response, options, known } = answer
  const info = await requireRun(store, runId)
  if (endedStatuses.includes(info.status))
    throw new CommandError(`Run ${toPlain(runId)} has ended (${info.status}): nothing can be answered any more.`)
  const { requests, check } = await readView(store, runId, known)
  const request = requests.find((each) => each.requestId === requestId)
  if (request === undefined) await requireEarly(store, info, requestId, requests, options.early === true)
  const compiled = known.of(info)
  let checked: unknown
  // The schema of a run inside is that of its own workflow, which only a run that was folded has.
  if (check !== undefined) checked = check(requestId, response)
  else if (request !== undefined && compiled !== undefined && !('path' in request))
    checked = checkAnswer(compiled.blueprint, request as InputRequestEvent & InputRequest, response)
  const classes = compiled?.blueprint.classes ?? engineClasses()
  const message = { kind: 'answer', requestId, response, seq: info.seq } as const
  const isTaken = await post(store, runId, message, classes, options.wait)
  const found = isTaken ? await findAnswer(store, runId, requestId, info.seq, new StandIns(classes)) : undefined
  if (found === undefined) {
    await explain(store, answer, isTaken)
    return { record: undefined }
  }
  const { seq, response: counted } = found
  if (isSameShown(counted, response) || isSameShown(counted, checked)) return { record: seq }
  if (checked === undefined) return { record: seq, other: counted }
  throw new CommandError(
    `Somebody was quicker: record ${seq} of run ${toPlain(runId)} answers "${toPlain(requestId)}" with ${toLine(counted)}`,
  )
}

/**
 * Why no record holds an answer.
 *
 * @throws CommandError, or EventValidationError, unless it still waits in the inbox.
 */
async function explain(
  store: Store,
  { runId, requestId, response, options, known }: Answer,
  isTaken: boolean,
): Promise<void> {
  const see = `See ${toHint(`blazen show ${toArgument(runId)}`, options)}`
  const { status } = await requireRun(store, runId)
  if (endedStatuses.includes(status)) {
    throw new CommandError(
      `Run ${toPlain(runId)} has ended (${toPlain(status)}) before the answer to "${toPlain(requestId)}" counted. ${see}`,
    )
  }
  if (!isTaken) return
  const refused = `The host of run ${toPlain(runId)} has taken the answer to "${toPlain(requestId)}" and refused it`
  const { requests, check } = await readView(store, runId, known)
  const request = requests.find((each) => each.requestId === requestId)
  if (request === undefined) {
    throw new CommandError(
      `${refused}: the run does not ask that any more, and nobody has answered: its time may have been over. ${see}`,
    )
  }
  const kind = request.kind === undefined ? '' : ` "${toPlain(request.kind)}"`
  if (check === undefined) {
    throw new CommandError(
      `${refused}: it does not fit the schema of its kind${kind}. With -w <module>, the command says what is expected. ${see}`,
    )
  }
  // What was given early was not checked before.
  check(requestId, response)
  throw new CommandError(
    `${refused}, though it fits the schema of its kind${kind} in the module here: the host has another version of the workflow. ${see}`,
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

function tellAnswer(terminal: Terminal, { runId, requestId, options }: Answer, { record, ...given }: Given): void {
  if (options.json) {
    printJson(terminal, { runId, requestId, taken: record !== undefined, record: record ?? null })
  } else if (record !== undefined) {
    terminal.print(`Answered: record ${record} of run ${toPlain(runId)}.`)
    if ('other' in given) {
      terminal.tell(
        `It holds ${toLine(given.other)}: the schema of its kind has made that of your answer, or somebody was quicker.`,
      )
    }
  } else {
    terminal.print(`The answer is in the inbox of run ${toPlain(runId)}: its host takes it as soon as it looks.`)
    const command = `blazen resume ${toArgument(runId)}${options.workflows === undefined ? ' --workflows <module>' : ''}`
    terminal.tell(`If no host is live, go on with the run here: ${toHint(command, options)}`)
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
