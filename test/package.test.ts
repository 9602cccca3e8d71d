import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { build } from 'tsup'
import ts from 'typescript'
import { afterAll, beforeAll, expect, test } from 'vitest'
import manifest from '../package.json' with { type: 'json' }
import config from '../tsup.config.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
/** Inside the repository, where the build finds its dependencies; `dist` is left as it is. */
const dist = join(root, 'test/.blocks/dist')
const entries = Object.values(manifest.exports).flatMap((entry) => (typeof entry === 'string' ? [] : entry))

beforeAll(async () => {
  // The declarations take long, and `npm run package` looks at them.
  await build({ ...config, config: false, outDir: dist, dts: false, silent: true })
}, 60_000)

afterAll(() => rm(dist, { recursive: true, force: true }))

test('every entry of the package is built, and nothing else', async () => {
  const built = (await readdir(dist)).filter((file) => file.endsWith('.js') && !file.startsWith('chunk-'))
  const named = [...entries.map((entry) => entry.default), ...Object.values(manifest.bin)]
  expect(named.map((file) => basename(file)).sort()).toEqual(built.sort())
  for (const entry of entries) expect(entry.types).toBe(entry.default.replace(/\.js$/, '.d.ts'))
})

test('every entry exports what its source does', async () => {
  for (const [name, source] of [
    ['index', await import('../src/index.ts')],
    ['machines', await import('../machines/index.ts')],
    ['inspect', await import('../src/inspect/index.ts')],
    ['sqlite', await import('../src/sqlite/index.ts')],
    ['postgres', await import('../src/postgres/index.ts')],
    ['testing', await import('../src/testing/index.ts')],
    ['react', await import('../src/react/index.ts')],
  ] as const) {
    const built = await import(join(dist, `${name}.js`))
    expect(Object.keys(built).sort()).toEqual(Object.keys(source).sort())
  }
})

test('what is built imports nothing but the declared dependencies', async () => {
  const declared = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies })
  const imports = new Map<string, string[]>()
  for (const file of (await readdir(dist)).filter((file) => file.endsWith('.js'))) {
    const { importedFiles } = ts.preProcessFile(await readFile(join(dist, file), 'utf8'), true, true)
    imports.set(
      file,
      importedFiles.map(({ fileName }) => fileName),
    )
  }
  // The store for SQLite finds its driver by Node's own means, and the command is a program for Node.
  const anywhere = new Set([...imports.keys()].filter((file) => !/^(sqlite|cli|chunk-.*)\.js$/.test(file)))
  for (const file of anywhere)
    for (const name of imports.get(file) ?? []) if (name.startsWith('.')) anywhere.add(basename(name))
  for (const [file, all] of imports) {
    const packages = all.filter((name) => !name.startsWith('.'))
    const isAllowed = (name: string) => declared.includes(name) || (!anywhere.has(file) && name.startsWith('node:'))
    expect([file, packages.filter((name) => !isAllowed(name))]).toEqual([file, []])
  }
})

test('what is built runs in plain Node', async () => {
  const program = join(dist, 'program.mjs')
  await writeFile(
    program,
    `import { StartEvent, StopEvent, workflow } from './index.js'
     const answer = workflow('answer').step('say', { accepts: StartEvent, emits: StopEvent }, () => StopEvent({ result: 42 }))
     console.log(await answer.run().result())`,
  )
  const { stdout } = await promisify(execFile)(process.execPath, [program])
  expect(stdout).toBe('42\n')
})

test('every file that the package names is here', () => {
  const files = manifest.files.filter((file) => file !== 'dist')
  expect(files.filter((file) => !existsSync(join(root, file)))).toEqual([])
})
