import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

export const USAGE = 'Usage: npm start [-- folder] [--out dir] [--concurrency n]'

/** What the command line asks for. Paths are absolute. */
export interface Arguments {
  folder: string
  out: string
  documents: 'all' | 'readmes'
  concurrency: number
  help: boolean
}

/**
 * Reads the arguments after the program's name.
 *
 * @throws Error when one of them is unknown or makes no sense.
 */
export function readArguments(args: string[]): Arguments {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      out: { type: 'string', short: 'o' },
      concurrency: { type: 'string', short: 'c', default: '8' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  const [folder, ...others] = positionals
  const concurrency = Number(values.concurrency)
  if (others.length > 0) throw new Error(`One folder is read, but ${positionals.length} were named.\n${USAGE}`)
  if (!Number.isInteger(concurrency) || concurrency < 1) {
    throw new Error(`--concurrency is a whole number from 1, not "${values.concurrency}".\n${USAGE}`)
  }
  return {
    folder: folder === undefined ? pathFromHere('../../node_modules') : resolve(folder),
    out: values.out === undefined ? pathFromHere('out') : resolve(values.out),
    documents: folder === undefined ? 'readmes' : 'all',
    concurrency,
    help: values.help,
  }
}

function pathFromHere(path: string): string {
  return fileURLToPath(new URL(path, import.meta.url))
}
