import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'tsup'
import { onTestFinished } from 'vitest'
import type { Work } from './worker.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** A process that hosts runs of the ledger. */
export interface Worker {
  readonly child: ChildProcess
  /** What it said of errors so far. */
  readonly said: () => string
  /** Has it create its host; resolves when it has. */
  begin(): Promise<void>
  /** Ends it as `kill -9` does; resolves when it is gone. */
  kill(): Promise<void>
}

/** Bundles the worker once, so that processes start as quickly as Node does; gives its file. */
export async function buildWorker(): Promise<string> {
  const outDir = mkdtempSync(join(tmpdir(), 'blazen-proof-'))
  // What is not bundled is found here.
  symlinkSync(join(root, 'node_modules'), join(outDir, 'node_modules'), 'junction')
  await build({
    ...{
      config: false,
      silent: true,
      entry: [join(root, 'test/proof/worker.ts')],
      outDir,
      format: 'esm',
      target: 'es2022',
    },
    ...{
      platform: 'node',
      noExternal: [/^(xstate|immer|devalue|blazen-xstate)/],
      outExtension: () => ({ js: '.mjs' }),
    },
  })
  return join(outDir, 'worker.mjs')
}

/** Starts a process that has everything loaded, and waits until it is to begin. */
export async function startWorker(file: string, work: Work): Promise<Worker> {
  const child = spawn(process.execPath, [file, JSON.stringify(work)], { stdio: ['pipe', 'pipe', 'pipe'] })
  // A test that fails leaves nothing behind.
  onTestFinished(() => void child.kill('SIGKILL'))
  let [output, errors] = ['', '']
  child.stdout.on('data', (text) => {
    output += text
  })
  child.stderr.on('data', (text) => {
    errors += text
  })
  const gone = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const said = (word: string) =>
    new Promise<void>((resolve, reject) => {
      const look = () => output.includes(word) && resolve()
      child.stdout.on('data', look)
      gone.then(() => reject(new Error(`The process ended before it was ${word}:\n${errors}`)))
      look()
    })
  await said('ready')
  return {
    child,
    said: () => errors,
    begin() {
      child.stdin.write('begin\n')
      return said('begun')
    },
    async kill() {
      child.kill('SIGKILL')
      await gone
    },
  }
}
