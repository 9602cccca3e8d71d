import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { createJiti } from 'jiti'
import { messageOf } from '../codec-error.ts'
import { type AnyWorkflow, Workflow } from '../workflow.ts'
import { CommandError } from './command-error.ts'

/**
 * The workflows that modules export: by name, as default, in arrays and in objects. TypeScript needs no build.
 *
 * The modules' `blazen-xstate` has to be the very package that this command belongs to, as it is where both are found in
 * one `node_modules`.
 *
 * @throws CommandError for a module that cannot be loaded, or exports no workflow.
 */
export async function loadWorkflows(paths: readonly string[]): Promise<readonly AnyWorkflow[]> {
  const found = new Set<AnyWorkflow>()
  for (const path of paths) for (const workflow of await loadFrom(path)) found.add(workflow)
  return [...found]
}

async function loadFrom(path: string): Promise<readonly AnyWorkflow[]> {
  const file = resolve(path)
  if (!existsSync(file))
    throw new CommandError(`There is no file ${file}. --workflows takes the module that exports your workflows.`)
  let exported: object
  try {
    exported = await load(file)
  } catch (cause) {
    throw new CommandError(`${path} cannot be loaded: ${describe(cause)}`, 1, { cause })
  }
  const found = new Set<AnyWorkflow>()
  const foreign = new Set<string>()
  collect(exported, found, foreign, 0)
  if (foreign.size > 0) {
    const names = [...foreign].map((name) => `"${name}"`).join(', ')
    throw new CommandError(
      `${path} exports workflows (${names}) that another copy of blazen-xstate has made: run the command of that copy, as with npx blazen in the folder of your project.`,
    )
  }
  if (found.size === 0) {
    const names = Object.keys(exported).join(', ')
    throw new CommandError(
      `${path} exports no workflow: export it, as in export const greeter = workflow('greeter')… It exports: ${names || 'nothing'}.`,
    )
  }
  return [...found]
}

async function load(file: string): Promise<object> {
  // Errors name the lines of the user, not those of what the loader makes of them.
  process.setSourceMapsEnabled(true)
  const jiti = createJiti(pathToFileURL(file).href, { interopDefault: false, tsconfigPaths: true, sourceMaps: true })
  const { argv } = process
  // A module that reads its arguments has none: those of the command are not its.
  process.argv = [argv[0] ?? process.execPath, file]
  try {
    return Object(await jiti.import(file))
  } finally {
    process.argv = argv
  }
}

/** Depth: a module, what it exports, and what is in that. */
const deepest = 2

function collect(value: unknown, found: Set<AnyWorkflow>, foreign: Set<string>, depth: number): void {
  if (value instanceof Workflow) {
    found.add(value)
  } else if (isForeign(value)) {
    foreign.add(value.name)
  } else if (depth <= deepest && isCollection(value)) {
    for (const part of Object.values(value)) collect(part, found, foreign, depth + 1)
  }
}

/** Arrays, plain objects, and modules. */
function isCollection(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return Array.isArray(value) || prototype === null || prototype === Object.prototype
}

function isForeign(value: unknown): value is { readonly name: string } {
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value)?.constructor?.name !== 'Workflow')
    return false
  const { name, step, resume } = value as Record<string, unknown>
  return typeof name === 'string' && typeof step === 'function' && typeof resume === 'function'
}

/** What was thrown, and where in the user's code. */
function describe(thrown: unknown): string {
  const { stack } = Object(thrown) as { stack?: unknown }
  const lines = typeof stack === 'string' ? stack.split('\n').filter((line) => /^\s+at /.test(line)) : []
  const own = lines.filter((line) => !/node:|node_modules|[/\\]dist[/\\]/.test(line)).slice(0, 3)
  return [messageOf(thrown), ...own].join('\n')
}
