import { type Command, Option } from 'commander'
import type { Compiled } from '../compile.ts'
import type { RunInfo, Store } from '../store.ts'
import { type AnyWorkflow, compiledOf } from '../workflow.ts'
import { CommandError, NoSuchRun } from './command-error.ts'
import { toHint } from './hint.ts'
import { loadWorkflows } from './load-workflows.ts'
import { openStore } from './open-store.ts'
import type { Terminal } from './terminal.ts'

/** What every command takes. */
export interface StoreOptions {
  readonly store?: string
  readonly schema?: string
  readonly json?: boolean
}

export interface WorkflowOptions {
  readonly workflows?: readonly string[]
}

/** Adds a command that works on a store. */
export function addStoreCommand(program: Command, name: string, description: string): Command {
  return program
    .command(name)
    .description(description)
    .addOption(new Option('-s, --store <where>', 'a SQLite file, or a postgres:// URL').env('BLAZEN_STORE'))
    .option('--schema <name>', 'PostgreSQL: the schema of the tables (default: "blazen")')
    .option('--json', 'print JSON, for programs')
}

/** Adds `--workflows`. */
export function addWorkflowsOption(command: Command, why: string): Command {
  const add = (path: string, paths: readonly string[] = []) => [...paths, path]
  return command.addOption(
    new Option('-w, --workflows <module>', `a module that exports the workflows, ${why}; may be repeated`).argParser(
      add,
    ),
  )
}

/** Does something with the store, and closes it. */
export async function withStore<Result>(options: StoreOptions, fn: (store: Store) => Promise<Result>): Promise<Result> {
  const store = await openStore(options.store, options.schema)
  try {
    return await fn(store)
  } catch (error) {
    if (!(error instanceof NoSuchRun)) throw error
    const { store: where, schema } = options
    throw new CommandError(`${error.message} List what it has: ${toHint('blazen runs', { store: where, schema })}`)
  } finally {
    await store.close()
  }
}

/** @throws CommandError where there is none. */
export async function requireRun(store: Store, runId: string): Promise<RunInfo> {
  const info = await store.info(runId)
  if (info === undefined) throw new NoSuchRun(runId)
  return info
}

export interface Known {
  readonly workflows: readonly AnyWorkflow[]
  /** The workflow of a run, compiled; `undefined` if no module has it. */
  readonly of: (info: RunInfo) => Compiled | undefined
  readonly names: readonly string[]
}

/** The workflows of the modules that were named. */
export async function knownWorkflows({ workflows: paths = [] }: WorkflowOptions): Promise<Known> {
  const workflows = await loadWorkflows(paths)
  return {
    workflows,
    of: ({ workflow }) => {
      const found = workflows.find(({ name }) => name === workflow)
      return found && compiledOf(found)
    },
    names: workflows.map(({ name }) => name),
  }
}

/** Prints a value as JSON. */
export function printJson(terminal: Terminal, value: unknown): void {
  terminal.print(JSON.stringify(value, null, 2))
}
