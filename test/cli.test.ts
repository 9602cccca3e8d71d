import { existsSync, readFileSync } from 'node:fs'
import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { type AnyWorkflow, createHost, type RunInfo } from 'blazen-xstate'
import { postgresStore } from 'blazen-xstate/postgres'
import { sqliteStore } from 'blazen-xstate/sqlite'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import manifest from '../package.json' with { type: 'json' }
import more, { quick, review, slow } from './cli-flows.ts'
import { type CliProject, createCliProject, outcomeOf, written } from './cli-project.ts'
import { type PostgresServer, startPostgres } from './stores/postgres-server.ts'

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

const [failing] = more.more as [AnyWorkflow]
let project: CliProject
/** A file with a run in every state; each test has its own copy. */
let template: string
let file: string
let env: { BLAZEN_STORE: string }
let made = 0

beforeAll(async () => {
  project = await createCliProject()
  template = join(project.folder, 'template.db')
  await makeRuns(template)
})

afterAll(() => project.remove())

beforeEach(async () => {
  file = join(project.folder, `runs-${++made}.db`)
  await copyFile(template, file)
  env = { BLAZEN_STORE: file }
})

async function makeRuns(path: string): Promise<void> {
  const store = sqliteStore(path)
  const host = createHost({ store, workflows: [review, slow, quick, failing], graceMs: 1 })
  await (await host.run(quick, {}, { runId: 'completed' })).result()
  await (await host.run(failing, {}, { runId: 'failed' })).result().catch(() => {})
  const aborted = await host.run(slow, {}, { runId: 'aborted' })
  await host.abort('aborted', 'nobody wants it')
  await aborted.result().catch(() => {})
  const paused = await host.run(slow, {}, { runId: 'paused' })
  await paused.pause({ inFlight: 'abort' })
  await host.run(slow, {}, { runId: 'interrupted' })
  await host.run(review, { text: 'Short.' }, { runId: 'waiting', idempotencyKey: 'article 1' })
  await vi.waitFor(async () => expect((await store.info('waiting'))?.status).toBe('waiting'))
  await vi.waitFor(async () => expect((await store.info('interrupted'))?.seq).toBe(2))
  await host.close()
  // All of it in the one file.
  await store.close()
}

describe('runs', () => {
  test('lists runs as a table, the last created first', async () => {
    const { code, stdout, stderr } = await project.blazen(['runs', '--store', file])
    expect([code, stderr]).toEqual([0, ''])
    const [head, ...rows] = stdout.trimEnd().split('\n')
    expect(head).toMatch(/^RUN +WORKFLOW +STATUS +RECORDS +CREATED +LAST RECORD$/)
    expect(rows.map((row) => row.split(/ {2,}/).slice(0, 3))).toEqual([
      ['waiting', 'review 2', 'waiting'],
      ['interrupted', 'slow', 'running'],
      ['paused', 'slow', 'paused'],
      ['aborted', 'slow', 'aborted'],
      ['failed', 'failing', 'failed'],
      ['completed', 'quick', 'completed'],
    ])
  })

  test('gives raw values to programs', async () => {
    const { runs, cursor }: { runs: RunInfo[]; cursor: null } = await project.json(['runs'], env)
    expect(cursor).toBeNull()
    expect(runs[0]).toEqual({
      ...{ runId: 'waiting', workflow: 'review', version: '2', idempotencyKey: 'article 1', status: 'waiting', seq: 4 },
      ...{ createdAt: expect.any(Number), updatedAt: expect.any(Number), owner: null, epoch: 1 },
    })
  })

  test('filters by status, workflow and age, and turns pages', async () => {
    const ids = async (...args: string[]) => {
      const { runs }: { runs: RunInfo[] } = await project.json(['runs', ...args], env)
      return runs.map(({ runId }) => runId)
    }
    expect(await ids('--status', 'failed,aborted', '--status', 'paused')).toEqual(['paused', 'aborted', 'failed'])
    expect(await ids('--workflow', 'slow', '--status', 'running')).toEqual(['interrupted'])
    expect(await ids('--older-than', '1h')).toEqual([])
    expect(await ids('--older-than', '0ms', '--limit', '2')).toEqual(['waiting', 'interrupted'])
    const page: { cursor: string } = await project.json(['runs', '--limit', '4'], env)
    expect(await ids('--limit', '4', '--cursor', page.cursor)).toEqual(['failed', 'completed'])
    expect(await ids('--limit', '1', '--all')).toHaveLength(6)
    expect((await project.blazen(['runs', '--limit', '4'], env)).stderr).toBe(
      `There are more: --cursor ${page.cursor}, or --all\n`,
    )
  })
})

describe('show', () => {
  test('shows what a run asks, and values of classes that are not here', async () => {
    const { code, stdout } = await project.blazen(['show', 'waiting'], env)
    expect(code).toBe(0)
    expect(stdout).toContain('Status       waiting')
    expect(stdout).toContain("approve: Publish it? { kind: 'approval' }\n    blazen answer waiting approve '…'")
    expect(stdout).toContain("cart    Cart { items: [ 'tea', 'milk' ], total: Money { cents: 450 } }")
    expect(stdout).toContain('price   Money { cents: 1250 }')
    expect(stdout).toContain("secret  Secret('sesame')")
    expect(stdout).toContain("tags    Set(2) { 'a', 'b' }")
    expect(stdout).toContain('cover   Uint8Array(3) [ 1, 2, 3 ]')
    expect(stdout).not.toMatch(/^ +gone /m)
    expect(stdout).not.toContain('Not known')
    expect(stdout).not.toContain('\u001b')
  })

  test('has a shape for programs', async () => {
    expect(await project.json(['show', 'waiting', '--records', '1'], env)).toEqual({
      run: expect.objectContaining({ runId: 'waiting', seq: 4 }),
      toldBy: 'records',
      requests: [{ type: 'blazen::InputRequestEvent', requestId: 'approve', prompt: 'Publish it?', kind: 'approval' }],
      ...{ executions: [], queue: [], delayed: [], collected: {}, letters: 0, unknown: [] },
      state: {
        cart: {
          $type: 'Cart',
          value: { items: ['tea', 'milk'], total: { $type: 'Money', value: { cents: 450 } } },
        },
        price: { $type: 'Money', value: { cents: 1250 } },
        secret: { $type: 'Secret', value: 'sesame' },
        tags: { $type: 'Set', value: ['a', 'b'] },
        cover: { $type: 'Uint8Array', value: 'AQID' },
      },
      records: [{ seq: 4, at: expect.any(Number), kind: 'waiting', requests: ['approve'] }],
    })
  })

  test('says what only the workflow knows, and asks it where it is given', async () => {
    const alone: Shown = await project.json(['show', 'interrupted'], env)
    expect(alone).toMatchObject({ toldBy: 'records', executions: [], state: { prepared: true } })
    expect(alone.unknown).toEqual([expect.stringContaining('Since record 1 one event was routed')])
    const told: Shown = await project.json(['show', 'interrupted', '--workflows', 'flows.ts'], env)
    expect(told).toMatchObject({ toldBy: 'workflow', state: { prepared: true }, unknown: [] })
    expect(told.executions).toEqual([
      { id: 2, step: 'work', event: { type: 'Draft', text: 'ready' }, attempt: 1, dueAt: null },
    ])
    const { stdout } = await project.blazen(['show', 'interrupted', '--workflows', 'flows.ts'], env)
    expect(stdout).toContain("step work: Draft { text: 'ready' }")
  })

  test('says the same with the workflow and without it, but for what is pending', async () => {
    for (const runId of ['waiting', 'paused', 'interrupted', 'failed', 'aborted', 'completed']) {
      const alone: Shown = await project.json(['show', runId], env)
      const told: Shown = await project.json(['show', runId, '-w', 'flows.ts'], env)
      expect(told.toldBy).toBe('workflow')
      expect(told.requests).toEqual(alone.requests)
      expect(told.result).toEqual(alone.result)
      expect(told.failure?.kind).toBe(alone.failure?.kind)
      expect(Object.keys(told.state)).toEqual(Object.keys(alone.state))
    }
  })

  test('shows how a run has ended', async () => {
    const completed: Shown = await project.json(['show', 'completed'], env)
    expect(completed.result).toEqual({ $type: 'Map', value: [['answer', { $type: 'bigint', value: '42' }]] })
    const failed: Shown = await project.json(['show', 'failed'], env)
    expect(failed.failure).toMatchObject({ kind: 'step', error: { $type: 'RangeError' } })
    expect((await project.blazen(['show', 'failed'], env)).stdout).toContain('RangeError: out of paper')
    expect((await project.blazen(['show', 'aborted'], env)).stdout).toContain('nobody wants it')
  })
})

interface Shown {
  readonly toldBy: string
  readonly requests: readonly unknown[]
  readonly executions: readonly unknown[]
  readonly state: Readonly<Record<string, unknown>>
  readonly result?: unknown
  readonly failure?: { readonly kind: string }
  readonly unknown: readonly string[]
}

describe('history', () => {
  test('tells record by record what has happened', async () => {
    const { code, stdout } = await project.blazen(['history', 'waiting'], env)
    expect(code).toBe(0)
    const rows = stdout.trimEnd().split('\n')
    expect(rows[0]).toMatch(/^# +TIME +KIND +TOOK +WHAT$/)
    expect(rows[1]).toMatch(/^1 +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d +started +StartEvent \{ text: 'Short\.' \}$/)
    expect(rows[2]).toMatch(/settled +\d+ ms +draft \(execution 1\) → Draft \{ text: 'Short\.' \}; wrote/)
    expect(rows[4]).toMatch(/^4 .* waiting +for 'approve'$/)
  })

  test('is JSON for programs', async () => {
    const records: { seq: number; kind: string }[] = await project.json(['history', 'aborted', '--from', '2'], env)
    expect(records.at(-1)).toMatchObject({ kind: 'aborted', failure: 'aborted', error: 'nobody wants it' })
    expect(records[0]?.seq).toBe(2)
    expect(await project.json(['history', 'waiting', '--limit', '1'], env)).toHaveLength(1)
  })
})

describe('answer', () => {
  const hostFile = `
    import { createHost } from 'blazen-xstate'
    import { sqliteStore } from 'blazen-xstate/sqlite'
    import { review, slow } from './flows.ts'
    const store = sqliteStore(process.argv[2])
    const host = createHost({ store, workflows: [review, slow], recover: false, leaseMs: process.argv[3] ?? '30s' })
    const runId = process.argv[4] ?? 'live'
    // A server would keep the process alive; a host alone does not.
    const alive = setInterval(() => {}, 1_000)
    const handler = await host.run(runId.startsWith('slow') ? slow : review, { text: 'Live' }, { runId })
    for (;;) {
      const { status, seq } = await store.info(runId)
      if (status === 'waiting' || (status === 'running' && seq > 1)) break
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    process.stdout.write('at rest')
    process.stdout.write(JSON.stringify(await handler.result().catch((error) => error.message)))
    clearInterval(alive)
    await host.close()
    await store.close()
  `

  test('wakes a live host in another process, which checks it', async () => {
    await project.write('host.ts', hostFile)
    const child = project.startFile('host.ts', file)
    const ended = outcomeOf(child)
    await written(child, 'at rest')
    const refused = await project.blazen(['answer', 'live', 'approve', '"perhaps"', '--wait', '30s'], env)
    expect(refused.code).toBe(1)
    expect(refused.stderr).toContain('refused it: it does not fit the schema of its kind "approval".')
    expect(await project.blazen(['answer', 'live', 'approve', '"yes"', '--wait', '30s'], env)).toEqual({
      ...{ code: 0, stdout: 'Answered: record 5 of run live.\n', stderr: '' },
    })
    expect((await ended).stdout).toBe('at rest{"published":true}')
    const again = await project.blazen(['answer', 'live', 'approve', '"no"'], env)
    expect([again.code, again.stderr]).toEqual([1, expect.stringContaining('has ended (completed)')])
  })

  test('waits in the inbox where nobody is live', async () => {
    const args = ['answer', 'waiting', 'approve', '"no"', '--wait', '0']
    const { code, stdout, stderr } = await project.blazen(args, env)
    expect([code, stdout]).toEqual([0, expect.stringContaining('is in the inbox of run waiting')])
    expect(stderr).toContain('blazen resume waiting --workflows')
    expect(await project.json(['show', 'waiting'], env)).toMatchObject({ letters: 1 })
    expect(await project.json(['resume', 'waiting', '-w', 'flows.ts'], env)).toEqual({
      ...{ runId: 'waiting', status: 'completed', result: { published: false }, requests: [] },
    })
  })

  test('is refused where it cannot be right', async () => {
    const cases: [args: string[], code: number, says: string][] = [
      [['waiting', 'approve', 'yes'], 2, `A text needs its own quotes, inside those of the shell: '"yes"'`],
      [['waiting', 'approve'], 2, "missing required argument 'json'"],
      [['waiting', 'nope', '"yes"'], 1, 'is not open. Open are: "approve". With --early'],
      [['waiting', 'approve', '"perhaps"', '-w', 'flows.ts'], 1, 'does not fit the schema of its kind "approval"'],
      [['unknown', 'approve', '"yes"'], 1, 'The store has no run "unknown"'],
      [['completed', 'approve', '"yes"'], 1, 'has ended (completed)'],
    ]
    for (const [args, code, says] of cases) {
      const outcome = await project.blazen(['answer', ...args], env)
      expect([outcome.code, outcome.stderr]).toEqual([code, expect.stringContaining(says)])
    }
    expect(await project.json(['show', 'waiting'], env)).toMatchObject({ letters: 0 })
    const early: object = await project.json(['answer', 'waiting', 'later', '-5', '--early', '--wait', '0'], env)
    expect(early).toEqual({ runId: 'waiting', requestId: 'later', taken: false, record: null })
  })

  test('a run whose process was killed is finished by resume once its lease has run out', async () => {
    await project.write('host.ts', hostFile)
    const child = project.startFile('host.ts', file, '1500ms', 'slow-killed')
    const ended = outcomeOf(child)
    await written(child, 'at rest')
    const elsewhere = await project.blazen(['resume', 'slow-killed', '-w', 'flows.ts'], env)
    expect([elsewhere.code, elsewhere.stderr]).toEqual([1, expect.stringContaining('goes on in another process')])
    child.kill('SIGKILL')
    await ended
    await vi.waitFor(
      async () => {
        const args = ['resume', 'slow-killed', '-w', 'flows.ts']
        expect(await project.blazen(args, { ...env, BLAZEN_TEST_GO: '1' })).toMatchObject({
          ...{ code: 0, stdout: "Run slow-killed has completed: 'done with ready'\n" },
        })
      },
      { timeout: 60_000, interval: 500 },
    )
  })

  test('an abort reaches a live host in another process', async () => {
    await project.write('host.ts', hostFile)
    const child = project.startFile('host.ts', file, '30s', 'slow-live')
    const ended = outcomeOf(child)
    await written(child, 'at rest')
    const { code, stdout } = await project.blazen(['abort', 'slow-live', 'too slow', '--wait', '30s'], env)
    expect([code, stdout]).toEqual([0, 'Run slow-live is aborted.\n'])
    expect((await ended).stdout).toContain('too slow')
  })
})

describe('resume', () => {
  const go = () => ({ ...env, BLAZEN_TEST_GO: '1' })

  test('finishes a run that was interrupted, and one that was paused', async () => {
    for (const runId of ['interrupted', 'paused']) {
      expect(await project.blazen(['resume', runId, '--workflows', 'flows.ts'], go())).toEqual({
        code: 0,
        stdout: `Run ${runId} has completed: 'done with ready'\n`,
        stderr: `Run ${runId} goes on here. Ctrl-C hands it over.\n`,
      })
    }
  })

  test('leaves a run that waits', async () => {
    const { code, stdout } = await project.blazen(['resume', 'waiting', '-w', 'flows.ts'], env)
    expect(code).toBe(0)
    expect(stdout).toBe(
      "Run waiting waits for answers.\n  Publish it?\n    blazen answer waiting approve '…' -w flows.ts\n",
    )
    expect(await project.json(['show', 'waiting'], env)).toMatchObject({ run: { owner: null, status: 'waiting' } })
  })

  test.each(['SIGINT', 'SIGTERM'] as const)('%s hands the run over', async (signal) => {
    const child = project.start(['resume', 'interrupted', '-w', 'flows.ts', '--grace', '100ms'], env)
    const ended = outcomeOf(child)
    await written(child, 'goes on here')
    child.kill(signal)
    await written(child, 'Handing the run over')
    const { code, stdout } = await ended
    expect([code, stdout]).toEqual([
      signal === 'SIGINT' ? 130 : 143,
      'Run interrupted is handed over: any host goes on with it.\n',
    ])
    expect(await project.json(['show', 'interrupted'], env)).toMatchObject({ run: { owner: null, status: 'running' } })
    expect((await project.blazen(['resume', 'interrupted', '-w', 'flows.ts'], go())).code).toBe(0)
  })

  test('exits with 1 where the run fails', async () => {
    await project.write(
      'breaks.mjs',
      `import { StartEvent, StopEvent, workflow } from 'blazen-xstate'
       const flow = workflow('slow')
       export default [flow
         .step('prepare', { accepts: StartEvent }, () => { throw new Error('never') })
         .step('work', { accepts: { type: 'Draft', schema: undefined, is: () => true } }, () => { throw new TypeError('broken') })
         .step('end', { accepts: { type: 'End', schema: undefined, is: () => true } }, () => StopEvent())]`,
    )
    const { code, stdout } = await project.blazen(['resume', 'interrupted', '-w', 'breaks.mjs'], env)
    expect([code, stdout]).toEqual([
      1,
      expect.stringContaining('Run interrupted has failed: StepFailedError: Step "work"'),
    ])
  })

  test('takes workflows from any export of TypeScript and JavaScript, and says where there is none', async () => {
    await project.write('empty.ts', 'export const answer: number = 42')
    await project.write('throws.ts', '\n\nthrow new Error("no such key")')
    await project.write(
      'other.mjs',
      "import { workflow } from 'blazen-xstate'\nexport const other = [workflow('other')]",
    )
    await project.write(
      'foreign.mjs',
      "class Workflow { name = 'strange'; step() {} resume() {} }\nexport const strange = new Workflow()",
    )
    const cases: [module: string | undefined, code: number, says: string][] = [
      [undefined, 2, 'Steps are code: name the module'],
      ['absent.ts', 1, 'There is no file'],
      ['empty.ts', 1, 'exports no workflow'],
      ['throws.ts', 1, 'throws.ts cannot be loaded: no such key\n    at'],
      ['other.mjs', 1, 'is of workflow "slow", which the modules do not export. They have: "other".'],
      ['foreign.mjs', 1, '("strange") that another copy of blazen-xstate has made'],
    ]
    for (const [module, code, says] of cases) {
      const args = module === undefined ? [] : ['-w', module]
      const outcome = await project.blazen(['resume', 'interrupted', ...args], env)
      expect([outcome.code, outcome.stderr]).toEqual([code, expect.stringContaining(says)])
    }
    const ended = await project.blazen(['resume', 'failed', '-w', 'flows.ts'], env)
    expect([ended.code, ended.stderr]).toEqual([1, expect.stringContaining('Run failed has ended (failed)')])
  })
})

describe('abort and delete', () => {
  test('runs that nobody has are aborted at once, also paused ones', async () => {
    for (const runId of ['interrupted', 'paused', 'waiting']) {
      const { code, stdout } = await project.blazen(['abort', runId, 'not needed'], env)
      expect([code, stdout]).toEqual([0, `Run ${runId} is aborted.\n`])
      const told: Shown = await project.json(['show', runId, '-w', 'flows.ts'], env)
      expect(told).toMatchObject({ toldBy: 'workflow', failure: { kind: 'aborted', error: 'not needed' } })
    }
    expect(await project.json(['abort', 'paused'], env)).toEqual({ runId: 'paused', status: 'aborted', aborted: false })
    expect((await project.blazen(['abort', 'completed'], env)).stdout).toContain('had ended already (completed)')
  })

  test('a run that goes on is deleted only by force', async () => {
    const refused = await project.blazen(['delete', 'paused'], env)
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('has not ended (paused)')])
    expect((await project.blazen(['delete', 'paused', '--force'], env)).code).toBe(0)
    expect(await project.json(['delete', 'failed'], env)).toEqual({ runId: 'failed', deleted: true })
    const { runs }: { runs: RunInfo[] } = await project.json(['runs'], env)
    expect(runs.map(({ runId }) => runId)).toEqual(['waiting', 'interrupted', 'aborted', 'completed'])
  })
})

describe('the store', () => {
  test('has to be there: nothing is made, and nobody else’s database is touched', async () => {
    const notes = await project.write('notes.txt', 'These are notes.\n'.repeat(100))
    const empty = await project.write('empty.db', '')
    const theirs = join(project.folder, 'theirs.db')
    new Database(theirs).exec('CREATE TABLE cats (name TEXT)').close()
    const newer = new Database(file)
    newer.exec('UPDATE blazen_schema SET version = 99')
    newer.close()
    const cases: [store: string, code: number, says: string][] = [
      ['absent.db', 1, `There is no file ${join(project.folder, 'absent.db')}`],
      [project.folder, 1, 'is a folder'],
      [notes, 1, 'The file is no SQLite database'],
      [empty, 1, 'is a database without runs'],
      [theirs, 1, 'is a database without runs'],
      [file, 1, `${file} has tables of version 99`],
      ['mongodb://localhost', 2, '--store knows no mongodb: URLs'],
      ['postgres://me:secret@127.0.0.1:1/app', 1, 'postgres://me@127.0.0.1:1/app: PostgreSQL cannot be reached'],
    ]
    for (const [store, code, says] of cases) {
      const outcome = await project.blazen(['runs', '--store', store])
      expect([outcome.code, outcome.stderr]).toEqual([code, expect.stringContaining(says)])
      expect(outcome.stderr).not.toMatch(/secret|^ +at /m)
    }
    expect(existsSync(join(project.folder, 'absent.db'))).toBe(false)
    expect(readFileSync(empty)).toHaveLength(0)
    expect(new Database(theirs).prepare('SELECT name FROM sqlite_schema').all()).toEqual([{ name: 'cats' }])
    expect(await project.blazen(['runs'])).toMatchObject({ code: 2, stderr: expect.stringContaining('BLAZEN_STORE') })
  })

  test('that has no such run says so', async () => {
    for (const command of ['show', 'history', 'abort', 'delete']) {
      const { code, stdout, stderr } = await project.blazen([command, 'nope'], env)
      expect([code, stdout]).toEqual([1, ''])
      expect(stderr).toBe('blazen: The store has no run "nope". List what it has: blazen runs\n')
    }
  })
})

describe('the command', () => {
  test('is that of the package, and tells how it is used', async () => {
    expect(manifest.bin).toEqual({ blazen: './dist/cli.js' })
    expect((await project.blazen(['--version'])).stdout).toBe(`${manifest.version}\n`)
    expect(await project.blazen(['--help'])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('answer [options]'),
    })
    expect(await project.blazen(['nope'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('unknown command'),
    })
    expect((await project.blazen(['runs', '--status', 'done'], env)).code).toBe(2)
    expect((await project.blazen(['runs', '--limit', '0'], env)).code).toBe(2)
  })

  test('does not mind that nobody reads on', async () => {
    const child = project.start(['history', 'waiting', '--json'], env)
    child.stdout?.destroy()
    expect(await outcomeOf(child)).toEqual({ code: 0, stdout: '', stderr: '' })
  })
})

describe('on PostgreSQL', () => {
  let server: PostgresServer

  beforeAll(async () => {
    server = await startPostgres()
  })

  afterAll(() => server.stop())

  test('does the same', async () => {
    const absent = await project.blazen(['runs', '--store', server.url])
    expect([absent.code, absent.stderr]).toEqual([1, expect.stringContaining('has no schema "blazen" with runs')])
    const store = postgresStore(server.url, { schema: 'theirs' })
    const host = createHost({ store, workflows: [review] })
    const handler = await host.run(review, { text: 'Short.' }, { runId: 'article' })
    await vi.waitFor(async () => expect((await store.info('article'))?.status).toBe('waiting'), { timeout: 30_000 })
    const args = ['--store', server.url, '--schema', 'theirs']
    expect((await project.blazen(['runs', ...args])).stdout).toMatch(/^article +review 2 +waiting/m)
    expect(await project.json(['show', 'article', ...args])).toMatchObject({ state: { cover: { value: 'AQID' } } })
    expect(await project.json(['answer', 'article', 'approve', '"yes"', '--wait', '30s', ...args])).toMatchObject({
      taken: true,
    })
    expect(await handler.result()).toEqual({ published: true })
    expect((await project.blazen(['delete', 'article', ...args])).code).toBe(0)
    await host.close()
    await store.close()
  })
})
