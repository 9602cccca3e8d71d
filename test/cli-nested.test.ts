import { readFileSync } from 'node:fs'
import { copyFile, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createHost } from 'blazen-xstate'
import { sqliteStore } from 'blazen-xstate/sqlite'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { office, trade } from './cli-nested-flows.ts'
import { type CliProject, createCliProject, outcomeOf, written } from './cli-project.ts'

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

interface Shown {
  readonly toldBy: string
  readonly requests: readonly { readonly requestId: string; readonly path: readonly string[] }[]
  readonly state: object
  readonly unknown: readonly string[]
  readonly letters: number
}

let project: CliProject
/** A file with runs that wait for answers inside them; each test has its own copy. */
let template: string
let file: string
let env: { BLAZEN_STORE: string }
let made = 0

beforeAll(async () => {
  project = await createCliProject('cli-nested')
  const flows = readFileSync(fileURLToPath(new URL('cli-nested-flows.ts', import.meta.url)), 'utf8')
  await project.write('nested.ts', flows)
  const installed = fileURLToPath(new URL('../node_modules/zod', import.meta.url))
  await symlink(installed, join(project.folder, 'node_modules/zod'))
  template = join(project.folder, 'template.db')
  const store = sqliteStore(template)
  const host = createHost({ store, workflows: [trade, office], graceMs: 1 })
  const isWaiting = (runId: string) =>
    vi.waitFor(async () => expect((await store.info(runId))?.status).toBe('waiting'), { timeout: 30_000 })
  await host.run(office, {}, { runId: 'o-1' })
  await host.run(trade, {}, { runId: 'k-1' })
  const second = await host.run(trade, {}, { runId: 'k-2' })
  await isWaiting('k-2')
  await second.respondToInput('order#1/approve', { ok: true })
  await vi.waitFor(() => expect(second.pendingInputs).toHaveLength(2), { timeout: 30_000 })
  for (const runId of ['o-1', 'k-1', 'k-2']) await isWaiting(runId)
  await host.close()
  await store.close()
})

afterAll(() => project.remove())

beforeEach(async () => {
  file = join(project.folder, `runs-${++made}.db`)
  await copyFile(template, file)
  env = { BLAZEN_STORE: file }
})

const ways = [[], ['-w', 'nested.ts']]

describe('runs inside a run', () => {
  test('ask by the ids that the host lists, with the workflow and without it', async () => {
    for (const way of ways) {
      const order: Shown = await project.json(['show', 'k-1', ...way], env)
      expect(order).toMatchObject({
        requests: [{ requestId: 'order#1/approve', kind: 'approval', path: ['order'] }],
        ...{ state: { notes: ['asked'] }, unknown: [] },
      })
      expect(order.state).not.toHaveProperty('mine')
      const check: Shown = await project.json(['show', 'k-2', ...way], env)
      expect(check.requests.map(({ requestId, path }) => [requestId, path])).toEqual([
        ['check#2/law/approve', ['check', 'law']],
        ['check#2/tax/approve', ['check', 'tax']],
      ])
      expect(check.unknown).toEqual([])
      const one: Shown = await project.json(['show', 'o-1', ...way], env)
      expect(one).toMatchObject({ requests: [{ requestId: 'order#1/approve' }], state: {} })
      expect(one.state).toEqual({})
    }
  })

  test('are answered in the inbox, and by resume', async () => {
    for (const way of ways) {
      const args = ['answer', 'o-1', 'order#1/approve', '{"ok":true}', '--wait', '0', ...way]
      expect(await project.blazen(args, env)).toMatchObject({
        code: 0,
        stdout: expect.stringContaining('in the inbox'),
      })
    }
    expect(await project.json(['resume', 'o-1', '-w', 'nested.ts'], env)).toMatchObject({
      ...{ status: 'completed', result: { ok: true } },
    })
    const again = await project.blazen(['answer', 'k-2', 'order#1/approve', '{"ok":true}', '--early'], env)
    expect([again.code, again.stderr]).toEqual([1, expect.stringContaining('is answered already')])
  })

  test('check their answers by the schema of their own kind', async () => {
    const args = ['answer', 'k-2', 'check#2/tax/approve', '{"ok":"perhaps"}', '-w', 'nested.ts']
    const { code, stderr } = await project.blazen(args, env)
    expect([code, stderr]).toEqual([1, expect.stringContaining('does not fit the schema of its kind "approval"')])
    expect(await project.json(['show', 'k-2'], env)).toMatchObject({ letters: 0 })
  })

  test('get their answers from a live host, which says what is wrong with one', async () => {
    await project.write(
      'nested-host.ts',
      `import { createHost } from 'blazen-xstate'
       import { sqliteStore } from 'blazen-xstate/sqlite'
       import { office, trade } from './nested.ts'
       const store = sqliteStore(process.argv[2])
       const host = createHost({ store, workflows: [office, trade], recover: false, evictAfterMs: false })
       const alive = setInterval(() => {}, 1_000)
       const handler = await host.run(office, {}, { runId: 'live' })
       while ((await store.info('live')).status !== 'waiting') await new Promise((resolve) => setTimeout(resolve, 10))
       process.stdout.write('at rest')
       process.stdout.write(JSON.stringify(await handler.result()))
       clearInterval(alive)
       await host.close()
       await store.close()`,
    )
    const child = project.startFile('nested-host.ts', file)
    const ended = outcomeOf(child)
    await written(child, 'at rest')
    const answer = (json: string) =>
      project.blazen(['answer', 'live', 'order#1/approve', json, '--early', '--wait', '30s'], env)
    const refused = await answer('{"ok":"perhaps"}')
    expect([refused.code, refused.stderr]).toEqual([
      1,
      expect.stringContaining('refused it: it does not fit the schema of its kind "approval".'),
    ])
    expect(await answer('{"ok":true}')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^Answered: record \d+/),
    })
    expect((await ended).stdout).toBe('at rest{"ok":true}')
  })

  test('have their path in the history, and say how they began', async () => {
    const { stdout } = await project.blazen(['history', 'k-2'], env)
    expect(stdout).toMatch(/begun +a run in order \(execution 1\): StartEvent/)
    expect(stdout).toMatch(/settled +\d+ ms +order › ask \(execution 1\) → InputRequestEvent/)
    expect(stdout).toMatch(/answered +'order#1\/approve': \{ ok: true \}/)
    expect(stdout).toMatch(/begun +a run in check \(execution 2\), branch 'law': StartEvent/)
    expect(stdout).toMatch(/check › tax › ask \(execution 1\)/)
  })
})

describe('hints', () => {
  test('name the store and the modules as they were given', async () => {
    const given = ['--store', file, '-w', 'nested.ts']
    const { stdout } = await project.blazen(['show', 'o-1', ...given])
    expect(stdout).toContain(`blazen answer o-1 'order#1/approve' '…' --store ${file} -w nested.ts`)
    const posted = await project.blazen(['answer', 'o-1', 'order#1/approve', '{"ok":true}', '--wait', '0', ...given])
    expect(posted.stderr).toContain(`blazen resume o-1 --store ${file} -w nested.ts`)
    const absent = await project.blazen(['show', 'nope', '--store', file])
    expect(absent.stderr).toContain(`List what it has: blazen runs --store ${file}`)
  })

  test('runs of a workflow that has none: which ones there are', async () => {
    const { code, stderr } = await project.blazen(['runs', '--workflow', 'ofice'], env)
    expect([code, stderr]).toEqual([
      0,
      'No runs. None is of workflow "ofice": the runs here are of "office", "trade".\n',
    ])
    const none = await project.blazen(['runs', '--workflow', 'office', '--status', 'failed'], env)
    expect(none.stderr).toBe('No runs.\n')
  })

  test('a module of workflows does not get the arguments of the command', async () => {
    const { code, stderr } = await project.blazen(['show', 'o-1', '-w', 'nested.ts'], { ...env, BLAZEN_TEST_ARGV: '1' })
    expect([code, stderr]).toEqual([0, ''])
  })
})
