import type { Command } from 'commander'
import { messageOf } from '../codec-error.ts'
import type { Compiled } from '../compile.ts'
import { BlazenError } from '../errors.ts'
import type { RunStatus, WorkflowHandler } from '../handler.ts'
import { createHost } from '../host.ts'
import { fromLetter } from '../letter.ts'
import type { RunInfo, Store } from '../store.ts'
import { endedStatuses } from '../store-rules.ts'
import { CommandError } from './command-error.ts'
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
interface Rest {
  readonly status: RunStatus | 'handed over'
  readonly handler: WorkflowHandler
}

export function addResume(program: Command, terminal: Terminal): void {
  const command = addStoreCommand(program, 'resume', 'go on with a run that nobody has, in this process').argument(
    '<id>',
    'the run',
  )
  addWorkflowsOption(command, 'one of which is that of the run').action(
    async (runId: string, options: StoreOptions & WorkflowOptions) => {
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
            `Run ${toPlain(runId)} has ended (${toPlain(info.status)}). See blazen show ${toArgument(runId)}`,
          )
        await goOn({ terminal, store, known, compiled, runId, json: options.json === true })
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
  readonly json: boolean
}

async function goOn(going: Going): Promise<void> {
  const { terminal, store, known, runId } = going
  const host = createHost({
    ...{ store, workflows: known.workflows, recover: false },
    onStoreError: (error) => terminal.tell(`blazen: ${messageOf(error)}`),
  })
  let isInterrupted: keyof typeof signals | undefined
  const onSignal = (signal: keyof typeof signals) => {
    // Whoever cannot wait for the steps presses twice.
    if (isInterrupted !== undefined) process.exit(signals[signal])
    isInterrupted = signal
    terminal.tell('Handing the run over: steps that run have 10s to finish. Once more to leave at once.')
  }
  for (const signal of Object.keys(signals)) process.on(signal, onSignal)
  try {
    const handler = await take(host, runId)
    terminal.tell(`Run ${toPlain(runId)} goes on here. Ctrl-C hands it over.`)
    const status = await rest(going, handler, () => isInterrupted !== undefined)
    // What has happened is stored, and the run is anybody's, before anything is said of it.
    const isOver = endedStatuses.includes(status)
    const requests = handler.pendingInputs
    const settled = isOver ? await settle(handler) : {}
    await host.close()
    tellRest(going, { status, handler }, { ...settled, requests: isOver ? [] : requests })
    if (isInterrupted !== undefined && status === 'handed over') terminal.exitCode = signals[isInterrupted]
    else if (status === 'failed' || status === 'aborted') terminal.exitCode = 1
  } finally {
    await host.close()
    for (const signal of Object.keys(signals)) process.off(signal, onSignal)
  }
}

async function take(host: ReturnType<typeof createHost>, runId: string): Promise<WorkflowHandler> {
  try {
    const handle = await host.get(runId)
    await handle?.resume()
    const handler = await handle?.handler()
    if (handler !== undefined) return handler
  } catch (error) {
    if (!(error instanceof BlazenError) || error.code !== 'run_elsewhere') throw error
  }
  throw new CommandError(
    `Run ${toPlain(runId)} goes on in another process. If that is dead, its lease runs out soon (after the host's leaseMs, 30s by default): try again then.`,
  )
}

/** Waits until the run has ended, only waits for somebody, or is to be left. */
async function rest(going: Going, handler: WorkflowHandler, isInterrupted: () => boolean): Promise<Rest['status']> {
  for (;;) {
    if (isInterrupted()) return endedStatuses.includes(handler.status) ? handler.status : 'handed over'
    const { status } = handler
    if (endedStatuses.includes(status) || status === 'paused') return status
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
  { terminal, runId, json }: Going,
  { status }: Rest,
  { result, error, requests }: { result?: unknown; error?: unknown; requests: WorkflowHandler['pendingInputs'] },
): void {
  if (json) {
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
    terminal.print(`  ${toPlain(prompt)}\n    blazen answer ${toArgument(runId)} ${toArgument(requestId)} '…'`)
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
