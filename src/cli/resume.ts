import { type Command, Option } from 'commander'
import { messageOf } from '../codec-error.ts'
import type { Compiled } from '../compile.ts'
import type { RunStatus, WorkflowHandler } from '../handler.ts'
import { createHost, type Host } from '../host.ts'
import { fromLetter } from '../letter.ts'
import type { RunInfo, Store } from '../store.ts'
import { endedStatuses } from '../store-rules.ts'
import { CommandError } from './command-error.ts'
import { toAnswerHint, toHint } from './hint.ts'
import { toShortMs } from './post.ts'
import { toArgument, toErrorLine, toJson, toPlain, toText } from './shown-value.ts'
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

/** The signals on which the run is handed over, and what a process exits with that ends by them. */
const signals = { SIGINT: 130, SIGTERM: 143 } as const

/** How often is looked whether the run has come to rest. */
const pollMs = 50

/** Where the run was when it was left. */
type Rest = RunStatus | 'handed over'

interface ResumeOptions extends StoreOptions, WorkflowOptions {
  readonly grace: number
}

export function addResume(program: Command, terminal: Terminal): void {
  const command = addStoreCommand(program, 'resume', 'go on with a run that nobody has, in this process')
    .argument('<id>', 'the run')
    .addOption(
      new Option('--grace <duration>', 'on Ctrl-C: how long steps that run have to finish')
        .default(10_000, '"10s"')
        .argParser(toShortMs),
    )
  addWorkflowsOption(command, 'one of which is that of the run').action(
    async (runId: string, options: ResumeOptions) => {
      if (options.workflows === undefined)
        throw new CommandError(
          'Steps are code: name the module that exports the workflow, as in --workflows ./flows.ts',
          2,
        )
      const known = await knownWorkflows(options)
      await withStore(options, async (store) => {
        const info = await requireRun(store, runId)
        const compiled = requireWorkflow(known, info)
        if (endedStatuses.includes(info.status))
          throw new CommandError(
            `Run ${toPlain(runId)} has ended (${toPlain(info.status)}). See ${toHint(`blazen show ${toArgument(runId)}`, options)}`,
          )
        await goOn({ terminal, store, known, compiled, runId, options })
      })
    },
  )
}

interface Going {
  readonly terminal: Terminal
  readonly store: Store
  readonly known: Known
  readonly compiled: Compiled
  readonly runId: string
  readonly options: ResumeOptions
}

async function goOn(going: Going): Promise<void> {
  const { terminal, store, known, runId, options } = going
  const host = createHost({
    ...{ store, workflows: known.workflows, recover: false, graceMs: options.grace },
    onStoreError: (error) => terminal.tell(`blazen: ${messageOf(error)}`),
  })
  let interruptedBy: keyof typeof signals | undefined
  const onSignal = (signal: keyof typeof signals) => {
    // Whoever cannot wait for the steps presses twice.
    if (interruptedBy !== undefined) process.exit(signals[signal])
    interruptedBy = signal
    terminal.tell('Handing the run over: steps that run may finish. Once more to leave at once.')
  }
  for (const signal of Object.keys(signals)) process.on(signal, onSignal)
  try {
    const handler = await take(host, runId)
    terminal.tell(`Run ${toPlain(runId)} goes on here. Ctrl-C hands it over.`)
    let status = await rest(going, handler, () => interruptedBy !== undefined)
    const requests = endedStatuses.includes(status) ? [] : handler.pendingInputs
    // What has happened is stored, and the run is anybody's, before anything is said of it.
    await host.close()
    const { status: stored } = await requireRun(store, runId)
    // The last step may have finished in the time that was left to it.
    if (endedStatuses.includes(stored)) status = stored as RunStatus
    tellRest(going, status, { ...(endedStatuses.includes(status) ? await settle(handler) : {}), requests })
    if (status === 'handed over' && interruptedBy !== undefined) terminal.exitCode = signals[interruptedBy]
    else if (status === 'failed' || status === 'aborted') terminal.exitCode = 1
  } finally {
    await host.close()
    for (const signal of Object.keys(signals)) process.off(signal, onSignal)
  }
}

async function take(host: Host, runId: string): Promise<WorkflowHandler> {
  const handler = await (await host.get(runId))?.handler()
  if (handler === undefined) {
    throw new CommandError(
      `Run ${toPlain(runId)} goes on in another process. If that is dead, its lease runs out soon (after the host's leaseMs, 30s by default): try again then.`,
    )
  }
  if (handler.status === 'paused' || handler.status === 'pausing') handler.resume()
  return handler
}

/** Waits until the run has ended, only waits for somebody, or is to be left. */
async function rest(going: Going, handler: WorkflowHandler, isInterrupted: () => boolean): Promise<Rest> {
  let hasGoneOn = false
  for (;;) {
    if (isInterrupted()) return endedStatuses.includes(handler.status) ? handler.status : 'handed over'
    const { status } = handler
    // A run that is resumed here is paused until that is stored.
    if (status !== 'paused') hasGoneOn = true
    if (endedStatuses.includes(status) || (status === 'paused' && hasGoneOn)) return status
    if (status === 'waiting' && !(await hasMail(going, handler)) && handler.status === 'waiting') return status
    await new Promise((resolve) => setTimeout(resolve, pollMs))
  }
}

/** Whether something is in the inbox that will move the run on. */
async function hasMail({ store, compiled, runId }: Going, handler: WorkflowHandler): Promise<boolean> {
  const open = new Set(handler.pendingInputs.map(({ requestId }) => requestId))
  return (await store.inbox(runId)).some((letter) => {
    try {
      const message = fromLetter(letter, compiled.blueprint.classes)
      return message.kind !== 'answer' || open.has(message.requestId)
    } catch {
      // One that cannot be read is dropped by the host.
      return false
    }
  })
}

function tellRest(
  { terminal, runId, options }: Going,
  status: Rest,
  { result, error, requests }: { result?: unknown; error?: unknown; requests: WorkflowHandler['pendingInputs'] },
): void {
  if (options.json) {
    printJson(terminal, {
      ...{ runId, status },
      ...(status === 'completed' ? { result: toJson(result) } : {}),
      ...(error === undefined ? {} : { error: toJson(error) }),
      requests: toJson(requests),
    })
    return
  }
  const run = `Run ${toPlain(runId)}`
  if (status === 'completed') terminal.print(`${run} has completed: ${toText(result, { colors: terminal.hasColors })}`)
  else if (error !== undefined)
    terminal.print(`${run} has ${status === 'aborted' ? 'been aborted' : 'failed'}: ${toErrorLine(error)}`)
  else if (status === 'handed over') terminal.print(`${run} is handed over: any host goes on with it.`)
  else if (status === 'paused') terminal.print(`${run} is paused.`)
  else terminal.print(`${run} waits for ${requests.length === 0 ? 'events from outside' : 'answers'}.`)
  for (const { requestId, prompt } of requests) {
    terminal.print(`  ${toPlain(prompt)}\n    ${toAnswerHint(runId, requestId, options)}`)
  }
}

async function settle(handler: WorkflowHandler): Promise<{ result?: unknown; error?: unknown }> {
  try {
    return { result: await handler.result() }
  } catch (error) {
    return { error }
  }
}

/** @throws CommandError if the modules do not have it. */
function requireWorkflow(known: Known, info: RunInfo): Compiled {
  const compiled = known.of(info)
  if (compiled !== undefined) return compiled
  const names = known.names.map((name) => `"${name}"`).join(', ')
  throw new CommandError(
    `Run ${toPlain(info.runId)} is of workflow "${toPlain(info.workflow)}", which the modules do not export. They have: ${names}.`,
  )
}
