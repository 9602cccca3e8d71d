import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createHost } from 'blazen-xstate'
import { sqliteStore } from 'blazen-xstate/sqlite'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { createMachine } from 'xstate'
import { quick } from './cli-flows.ts'
import { type CliProject, createCliProject } from './cli-project.ts'

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

let project: CliProject
let store: string

beforeAll(async () => {
  project = await createCliProject('cli-graph')
  store = join(project.folder, 'runs.db')
  const open = sqliteStore(store)
  const host = createHost({ store: open, workflows: [quick] })
  await (await host.run(quick, {}, { runId: 'one' })).result()
  await host.close()
  await open.close()
})

afterAll(() => project.remove())

test('draws a workflow as a Mermaid flowchart', async () => {
  const { code, stdout } = await project.blazen(['graph', 'flows.ts', '--workflow', 'quick', '--direction', 'LR'])
  expect(code).toBe(0)
  expect(stdout).toMatch(/^flowchart LR\n/)
  expect(stdout).toContain('at_start -->|"StartEvent"| step1')
})

test('gives programs a statechart', async () => {
  const chart: object = await project.json(['graph', 'flows.ts', '--workflow', 'quick'])
  expect(createMachine(chart).states).toHaveProperty('Start')
})

test('draws a run with how often and how long, and finds its workflow by itself', async () => {
  const { code, stdout } = await project.blazen(['graph', 'flows.ts', '--run', 'one', '--store', store])
  expect(code).toBe(0)
  expect(stdout).toMatch(/<br\/>1 ×, \d+ ms"\]/)
})

test('says what it does not know', async () => {
  const several = await project.blazen(['graph', 'flows.ts'])
  expect([several.code, several.stderr]).toEqual([2, expect.stringContaining('name one with --workflow')])
  const none = await project.blazen(['graph', 'flows.ts', '--workflow', 'nothing'])
  expect([none.code, none.stderr]).toEqual([1, expect.stringContaining('no workflow "nothing"')])
})

test('writes a picture with the renderer of the project, and says how to get one', async () => {
  const args = ['graph', 'flows.ts', '--workflow', 'quick', '--svg', 'flow.svg']
  const without = await project.blazen(args)
  expect([without.code, without.stderr]).toEqual([1, expect.stringContaining('@mermaid-js/mermaid-cli')])

  // In the place of the real one, which brings a browser: it writes what it was given.
  const bin = join(project.folder, 'node_modules/.bin')
  await mkdir(bin, { recursive: true })
  await writeFile(
    join(bin, 'mmdc'),
    `#!${process.execPath}
const at = (name) => process.argv[process.argv.indexOf(name) + 1]
require('node:fs').writeFileSync(at('--output'), at('--outputFormat') + ' ' + require('node:fs').readFileSync(0, 'utf8'))
`,
  )
  await chmod(join(bin, 'mmdc'), 0o755)
  const { code, stdout } = await project.blazen(args)
  expect([code, stdout]).toEqual([0, ''])
  expect(await readFile(join(project.folder, 'flow.svg'), 'utf8')).toMatch(/^svg flowchart TD\n/)
})
