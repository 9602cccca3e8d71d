import { type ChildProcess, spawn } from 'node:child_process'
import { copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'tsup'
import config from '../tsup.config.ts'

const root = fileURLToPath(new URL('..', import.meta.url))

export interface Outcome {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** A project of a user, elsewhere on the disk, with the built package in its `node_modules`. */
export interface CliProject {
  readonly folder: string
  readonly cli: string
  /** The command, run to its end. */
  blazen(args: readonly string[], env?: Record<string, string>): Promise<Outcome>
  /** What it prints with `--json`. Throws where it exits with another code than 0. */
  json(args: readonly string[], env?: Record<string, string>): Promise<never>
  /** Starts the command, or a TypeScript file of the project. */
  start(args: readonly string[], env?: Record<string, string>): ChildProcess
  startFile(name: string, ...args: readonly string[]): ChildProcess
  write(name: string, text: string): Promise<string>
  remove(): Promise<void>
}

export async function createCliProject(name = 'cli'): Promise<CliProject> {
  // Inside the repository, where the built package finds its dependencies.
  const installed = join(root, 'test/.blocks', name)
  await rm(installed, { recursive: true, force: true })
  await mkdir(installed, { recursive: true })
  await build({ ...config, config: false, outDir: join(installed, 'dist'), dts: false, silent: true })
  await copyFile(join(root, 'package.json'), join(installed, 'package.json'))
  const folder = await mkdtemp(join(tmpdir(), 'blazen-cli-'))
  await mkdir(join(folder, 'node_modules'))
  await symlink(installed, join(folder, 'node_modules/blazen-xstate'))
  await copyFile(join(root, 'test/cli-flows.ts'), join(folder, 'flows.ts'))
  const cli = join(folder, 'node_modules/blazen-xstate/dist/cli.js')
  const jiti = join(root, 'node_modules/jiti/lib/jiti-cli.mjs')
  const start = (file: string, args: readonly string[], env: Record<string, string> = {}) => {
    const { BLAZEN_STORE: _, ...rest } = process.env
    return spawn(process.execPath, [file, ...args], { cwd: folder, env: { ...rest, TZ: 'UTC', ...env } })
  }
  const blazen = (args: readonly string[], env?: Record<string, string>) => outcomeOf(start(cli, args, env))
  return {
    ...{ folder, cli, blazen },
    async json(args, env) {
      const { code, stdout, stderr } = await blazen([...args, '--json'], env)
      if (code !== 0) throw new Error(`blazen ${args.join(' ')} exits with ${code}: ${stderr}`)
      return JSON.parse(stdout) as never
    },
    start: (args, env) => start(cli, args, env),
    startFile: (name, ...args) => start(jiti, [name, ...args]),
    async write(name, text) {
      await writeFile(join(folder, name), text)
      return join(folder, name)
    },
    async remove() {
      await rm(folder, { recursive: true, force: true })
      await rm(installed, { recursive: true, force: true })
    },
  }
}

/** What a process has written when it has ended. */
export function outcomeOf(child: ChildProcess): Promise<Outcome> {
  let stdout = ''
  let stderr = ''
  child.stdout?.on('data', (chunk) => {
    stdout += chunk
  })
  child.stderr?.on('data', (chunk) => {
    stderr += chunk
  })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, stdout, stderr }))
  })
}

/** Waits until a process has written a text. */
export function written(child: ChildProcess, text: string): Promise<void> {
  let all = ''
  return new Promise((resolve, reject) => {
    const look = (chunk: Buffer) => {
      all += chunk
      if (all.includes(text)) resolve()
    }
    child.stdout?.on('data', look)
    child.stderr?.on('data', look)
    child.on('close', () => reject(new Error(`The process has ended without "${text}": ${all}`)))
  })
}
