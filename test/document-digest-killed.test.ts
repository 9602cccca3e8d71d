import { type ChildProcess, spawn } from 'node:child_process'
import { mkdir, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { createHost } from 'blazen-xstate'
import { sqliteStore } from 'blazen-xstate/sqlite'
import { beforeAll, beforeEach, expect, test } from 'vitest'
import { DocumentDigested, defineDigestWorkflow } from '../examples/document-digest/digest-workflow.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const documents = 30
let folder: string
let out: string
/** The report of a digest that nobody disturbed. */
let expected: string[]

beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'digest-killed-')))
  await mkdir(join(folder, 'docs'))
  for (let n = 0; n < documents; n++) {
    const markdown = `# Document ${n}\n\n[next](${n + 1}.md)\n\n${`- some words, and [a link](#${n})\n`.repeat(n + 5)}`
    await writeFile(join(folder, 'docs', `${n}.md`), markdown)
  }
  out = join(folder, 'undisturbed')
  expect(await start()).toMatchObject({ code: 0, stderr: expect.stringContaining('100 %') })
  expected = await reports()
  return () => rm(folder, { recursive: true })
}, 60_000)

let outs = 0
beforeEach(() => {
  out = join(folder, `out-${++outs}`)
})

/** In the child, before its program: notes each document that is read, and kills the process at a moment. */
const watched = `
import fs, { appendFileSync } from 'node:fs'
import { basename } from 'node:path'
import { syncBuiltinESMExports } from 'node:module'
const { READS, KILL_AT } = process.env
const { readFile, writeFile } = fs.promises
let reads = 0
fs.promises.readFile = async (path, ...rest) => {
  if (String(path).endsWith('.md')) {
    appendFileSync(READS, basename(path) + '\\n')
    if (String(++reads) === KILL_AT) process.kill(process.pid, 'SIGKILL')
  }
  return readFile(path, ...rest)
}
fs.promises.writeFile = async (path, ...rest) => {
  if (basename(path) === KILL_AT) process.kill(process.pid, 'SIGKILL')
  return writeFile(path, ...rest)
}
syncBuiltinESMExports()
`

interface Ended {
  code: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
  /** The names of the documents that this process has read. */
  reads: string[]
}

/** @param killAt the number of a read, or the name of a file that is to be written. */
async function start({ killAt = '', onBegun = (_child: ChildProcess) => {} } = {}): Promise<Ended> {
  const log = join(folder, `reads-${crypto.randomUUID()}`)
  await writeFile(log, '')
  const preload = `data:text/javascript,${encodeURIComponent(watched)}`
  const program = ['--import', 'tsx', '--import', preload, 'examples/document-digest/main.ts']
  const child = spawn(process.execPath, [...program, join(folder, 'docs'), '--out', out, '--concurrency', '3'], {
    cwd: root,
    env: { ...process.env, READS: log, KILL_AT: killAt },
  })
  const exited = new Promise<[number | null, NodeJS.Signals | null]>((resolve) => {
    child.on('close', (code, signal) => resolve([code, signal]))
  })
  let isBegun = false
  child.stderr.on('data', (chunk) => {
    if (isBegun || !String(chunk).includes('%')) return
    isBegun = true
    onBegun(child)
  })
  const [[code, signal], stdout, stderr] = await Promise.all([exited, text(child.stdout), text(child.stderr)])
  const reads = (await readFile(log, 'utf8')).split('\n').filter(Boolean)
  return { code, signal, stdout, stderr, reads }
}

/** The names of the documents whose digest is stored, one for each record. */
async function storedDigests(): Promise<string[]> {
  const store = sqliteStore(join(out, 'digest.db'))
  const host = createHost({ store, workflows: [defineDigestWorkflow()], recover: false })
  try {
    const { runs } = await host.list()
    expect(runs).toHaveLength(1)
    const history = await host.history(runs[0]?.runId ?? '')
    const settled = history.filter(({ kind, step }) => kind === 'settled' && step === 'digest')
    return settled.flatMap(({ events = [] }) =>
      events.flatMap((event) => (DocumentDigested.is(event) ? event.entry.path : [])),
    )
  } finally {
    await host.close()
    await store.close()
  }
}

async function reports(): Promise<string[]> {
  return Promise.all(['report.md', 'report.json'].map((name) => readFile(join(out, name), 'utf8')))
}

test.each([
  ['at its first document', ['1']],
  ['in the middle', ['15']],
  ['at its last document', [String(documents)]],
  ['as it writes the report', ['report.md']],
  ['between the two files of the report', ['report.json']],
  ['again and again', ['4', '1', '9', '2', 'report.json']],
])(
  'a digest that is killed %s goes on where it was, to the same report',
  { timeout: 120_000 },
  async (_when, kills) => {
    const stored = new Set<string>()
    const read = new Set<string>()
    const goOn = async (killAt?: string): Promise<Ended> => {
      const ended = await start({ killAt })
      // Nothing is read twice that was stored.
      expect(ended.reads.filter((name) => stored.has(name))).toEqual([])
      for (const name of ended.reads) read.add(name)
      for (const name of await storedDigests()) stored.add(name)
      return ended
    }
    for (const killAt of kills) expect(await goOn(killAt)).toMatchObject({ signal: 'SIGKILL', stdout: '' })
    const storedBefore = stored.size
    const { code, stdout, stderr } = await goOn()
    expect(stderr).toContain(storedBefore === 0 ? 'Reading' : 'Going on after')
    expect(stdout).toContain(`${documents} documents`)
    expect(code).toBe(0)
    expect(await reports()).toEqual(expected)
    expect(read.size).toBe(documents)
    // One record for each document, whoever wrote it.
    const digests = await storedDigests()
    expect([digests.length, new Set(digests).size]).toEqual([documents, documents])
  },
)

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)(
  '%s hands a digest over, and the next process has it at once',
  { timeout: 60_000 },
  async (signal, code) => {
    const first = await start({ onBegun: (child) => child.kill(signal) })
    expect(first).toMatchObject({ code, signal: null, stdout: '' })
    expect(first.stderr).toContain('the same command goes on from here.')
    const before = await storedDigests()
    // What was at work was let finish.
    expect(before.sort()).toEqual(first.reads.sort())
    const second = await start()
    expect(second).toMatchObject({ code: 0 })
    expect(second.stderr).not.toContain('waiting')
    expect(second.reads.filter((name) => before.includes(name))).toEqual([])
    expect(await reports()).toEqual(expected)
  },
)

test('a digest that has ended begins anew, with what the folder holds by now', { timeout: 60_000 }, async () => {
  expect(await start()).toMatchObject({ code: 0 })
  await writeFile(join(folder, 'docs', 'new.md'), '# New')
  const { code, stdout, stderr, reads } = await start()
  expect([code, reads.length]).toEqual([0, documents + 1])
  expect(stderr).toContain(`Reading ${documents + 1} documents`)
  expect(stdout).toContain(`${documents + 1} documents`)
  expect(await storedDigests()).toHaveLength(documents + 1)
})
