import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { readArguments } from '../examples/document-digest/arguments.ts'
import {
  type DigestResult,
  DocumentDone,
  DocumentsListed,
  defineDigestWorkflow,
} from '../examples/document-digest/digest-workflow.ts'
import { createLines } from '../examples/document-digest/progress.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
let folder: string

beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'document-digest-')))
})
afterEach(() => rm(folder, { recursive: true }))

async function write(path: string, content: string | Uint8Array): Promise<void> {
  await mkdir(dirname(join(folder, path)), { recursive: true })
  await writeFile(join(folder, path), content)
}

function digest(documents: 'all' | 'readmes' = 'all', from = folder): Promise<DigestResult> {
  return defineDigestWorkflow({ concurrency: 2 })
    .run({ folder: from, out: join(folder, 'out'), documents })
    .result()
}

async function digestedPaths(documents: 'all' | 'readmes' = 'all', from = folder): Promise<string[]> {
  const { summary } = await digest(documents, from)
  return summary.longest.map(({ path }) => path).sort()
}

describe('a run', () => {
  test('writes a report on every document of a folder', async () => {
    await write('a.md', '# A\n\n[b](sub/b.markdown) [gone](gone.md)')
    await write('sub/b.markdown', '[up](../a.md#a) [root](/a.md)\n\n```ts\n```')
    await write('notes.txt', '# no Markdown')
    const { summary, markdownPath, jsonPath } = await digest()
    expect(summary.totals).toMatchObject({ documents: 2, links: 4, brokenLinks: 1, codeBlocks: 1, unreadable: 0 })
    expect(summary.broken).toMatchObject([{ path: 'a.md', links: [{ url: 'gone.md', line: 3 }] }])
    expect(await readFile(markdownPath, 'utf8')).toContain('- line 3: `gone.md` (gone)')
    expect(JSON.parse(await readFile(jsonPath, 'utf8'))).toMatchObject(summary)
  })

  test('gives the same report whatever its concurrency', async () => {
    for (let n = 0; n < 30; n++) await write(`${n}.md`, `# ${n}\n\n[next](${n + 1}.md) ${'word '.repeat(n * 50)}`)
    const run = { folder, out: join(folder, 'out') }
    const one = await defineDigestWorkflow({ concurrency: 1 }).run(run).result()
    const many = await defineDigestWorkflow({ concurrency: 16 }).run(run).result()
    expect(many).toEqual(one)
    expect(many.summary.totals).toMatchObject({ documents: 30, brokenLinks: 1 })
  })

  test('reports each file that it cannot read, and reads the rest', async () => {
    await write('good.md', 'fine')
    await write('latin1.md', Uint8Array.of(0x63, 0x61, 0x66, 0xe9))
    await symlink(join(folder, 'nowhere.md'), join(folder, 'dangling.md'))
    await symlink(folder, join(folder, 'loop.md'))
    const { summary } = await digest()
    expect(summary.totals).toMatchObject({ documents: 1, unreadable: 3 })
    expect(summary.unreadable).toEqual([
      { path: 'dangling.md', reason: 'ENOENT: no such file or directory' },
      { path: 'latin1.md', reason: expect.stringContaining('utf-8') },
      { path: 'loop.md', reason: 'EISDIR: illegal operation on a directory' },
    ])
  })

  test('of an empty folder reports no documents', async () => {
    expect((await digest()).summary.totals.documents).toBe(0)
  })

  test('does not read its own report', async () => {
    await write('a.md', 'a')
    await digest()
    expect(await digestedPaths()).toEqual(['a.md'])
  })

  test('of a missing folder, or of a file, fails and says what it expected', async () => {
    await write('a.md', 'a')
    const causeOf = (from: string): Promise<unknown> =>
      digest('all', from).then(
        () => undefined,
        (error: Error) => error.cause,
      )
    expect(await causeOf(join(folder, 'no'))).toMatchObject({
      message: expect.stringContaining('name one that exists'),
    })
    expect(await causeOf(join(folder, 'a.md'))).toMatchObject({ message: expect.stringContaining('is a file') })
  })

  test('leaves installed packages out, unless they are what it was asked for', async () => {
    await write('README.md', 'mine')
    await write('node_modules/@s/p/readme.md', 'theirs')
    await write('node_modules/p/node_modules/q/README.md', 'nested')
    await write('node_modules/p/CHANGELOG.md', 'long')
    expect(await digestedPaths()).toEqual(['README.md'])
    expect(await digestedPaths('readmes', join(folder, 'node_modules'))).toEqual([
      '@s/p/readme.md',
      'p/node_modules/q/README.md',
    ])
  })

  test('takes absolute links from the root of the package', async () => {
    await write('p/package.json', '{}')
    await write('p/LICENSE', '')
    await write('p/docs/a.md', '[x](/LICENSE) [y](/docs/)')
    await write('p/q/package.json', '{}')
    await write('p/q/b.md', '[x](/LICENSE)')
    expect((await digest()).summary.broken.map(({ path }) => path)).toEqual(['p/q/b.md'])
    expect((await digest('all', join(folder, 'p/docs'))).summary.totals).toMatchObject({
      relativeLinks: 2,
      brokenLinks: 0,
    })
  })

  test('writes to the stream how many documents there are, and each that is done', async () => {
    await write('a.md', 'a')
    await write('b.md', 'b')
    const handler = defineDigestWorkflow().run({ folder, out: join(folder, 'out') })
    const seen: string[] = []
    for await (const event of handler.stream()) {
      if (DocumentsListed.is(event)) seen.push(`${event.total} listed`)
      if (DocumentDone.is(event)) seen.push(`${event.done} of ${event.total}`)
    }
    expect(seen).toEqual(['2 listed', '1 of 2', '2 of 2'])
  })

  test('that is aborted writes no report', async () => {
    for (let n = 0; n < 20; n++) await write(`${n}.md`, '# text\n')
    const abort = new AbortController()
    const out = join(folder, 'out')
    const handler = defineDigestWorkflow({ concurrency: 1 }).run({ folder, out }, { signal: abort.signal })
    let done = 0
    for await (const event of handler.stream()) if (DocumentDone.is(event) && ++done === 3) abort.abort()
    await expect(handler.result()).rejects.toThrow()
    expect(done).toBeLessThan(20)
    await expect(readFile(join(out, 'report.md'))).rejects.toMatchObject({ code: 'ENOENT' })
  })
})

describe('progress in lines', () => {
  function linesOf(total: number, before = 0): string[] {
    const lines: string[] = []
    const progress = createLines((line) => lines.push(line))
    progress.start(total, before)
    for (let n = before; n < total; n++) progress.advance()
    progress.stop()
    return lines
  }

  test('has at most one line for each tenth of the way', () => {
    expect(linesOf(1000)).toHaveLength(11)
    expect(linesOf(3)).toEqual(['Reading 3 documents', '33 % (1 of 3)', '66 % (2 of 3)', '100 % (3 of 3)'])
    expect(linesOf(0)).toEqual(['Reading 0 documents'])
  })

  test('says where it goes on, after a process that did not get to the end', () => {
    expect(linesOf(4, 2)).toEqual(['Going on after 2 of 4 documents', '75 % (3 of 4)', '100 % (4 of 4)'])
  })
})

describe('the command line', () => {
  async function start(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
    const child = spawn(process.execPath, ['--import', 'tsx', 'examples/document-digest/main.ts', ...args], {
      cwd: root,
    })
    const exited = new Promise<number | null>((resolve) => child.on('close', resolve))
    const [code, stdout, stderr] = await Promise.all([exited, text(child.stdout), text(child.stderr)])
    return { code, stdout, stderr }
  }

  test('writes the report and says where it is', { timeout: 30_000 }, async () => {
    await write('a.md', '# A\n\n[gone](gone.md)')
    const out = join(folder, 'deep/out')
    const { code, stdout, stderr } = await start(folder, '--out', out, '--concurrency', '1')
    expect(stderr).toBe('Reading 1 document\n100 % (1 of 1)\n')
    expect(stdout).toContain('1 broken relative links in 1 of them\n')
    expect(stdout).toContain(join(out, 'report.md'))
    expect(code).toBe(0)
    expect(await readFile(join(out, 'report.md'), 'utf8')).toContain('`gone.md`')
  })

  test('ends with exit code 1 where there is no folder', { timeout: 30_000 }, async () => {
    const { code, stdout, stderr } = await start(join(folder, 'no'))
    expect(stderr).toBe(
      `The folder ${join(folder, 'no')} cannot be read (ENOENT: no such file or directory): name one that exists.\n`,
    )
    expect(stdout).toBe('')
    expect(code).toBe(1)
  })
})

describe('the arguments', () => {
  test('name the READMEs of the installed packages by default', () => {
    expect(readArguments([])).toEqual({
      folder: join(root, 'node_modules'),
      out: join(root, 'examples/document-digest/out'),
      documents: 'readmes',
      concurrency: 8,
      help: false,
    })
  })

  test('name all documents of a folder, from the working folder', () => {
    expect(readArguments(['docs/', '--out=a b', '-c', '3'])).toMatchObject({
      folder: join(process.cwd(), 'docs'),
      out: join(process.cwd(), 'a b'),
      documents: 'all',
      concurrency: 3,
    })
  })

  test.each([
    [['a', 'b'], 'One folder is read, but 2 were named'],
    [['--concurrency', '0'], '--concurrency is a whole number from 1, not "0"'],
    [['--concurrency', 'many'], '--concurrency is a whole number from 1, not "many"'],
    [['--frob'], "Unknown option '--frob'"],
    [['--out'], 'argument missing'],
  ])('refuse %j', (args, message) => {
    expect(() => readArguments(args)).toThrow(message)
  })
})
