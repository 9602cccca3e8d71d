import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import ts from 'typescript'
import { beforeAll, describe, expect, test } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))
const execute = promisify(execFile)

/** A `ts` or `tsx` block of a Markdown file. */
export interface CodeBlock {
  /** Where it stands, as in `README.md:12`. */
  readonly place: string
  readonly language: 'ts' | 'tsx'
  /** The file that its first line names, as in `// flows.ts`: the blocks of the same document may import it. */
  readonly file?: string
  /** The program, at the lines where it stands in the Markdown, so that errors name those. */
  readonly program: string
  /** What its `// prints …` comments say, in their order; empty where there are none. */
  readonly prints: readonly string[]
}

/**
 * Tests documents of this repository: every `ts` or `tsx` block is a whole program that type-checks and runs to its end.
 * If it has comments `// prints …`, their texts are the lines that it prints, all of them.
 * A block whose first line is a comment with the name of a file, as `// flows.ts`, is that file for the others of its document.
 * The default export of a `tsx` block is rendered in a page, where comments `// click …` (the name of a button) and
 * `// shows …` (a text that is there in the end) are done in their order.
 * Links inside the repository lead to files that exist, and to headings there; `npm run` commands to scripts.
 *
 * @param documents paths from the root of the repository.
 */
export function testDocuments(documents: readonly string[]): void {
  const files = documents.map((document) => ({ document, markdown: readFileSync(join(root, document), 'utf8') }))
  const blocks = files.flatMap(({ document, markdown }) => findBlocks(document, markdown))
  const pathOf = new Map(blocks.map((block) => [block, toPath(block)]))

  beforeAll(() => {
    for (const document of documents) rmSync(folderOf(document), { recursive: true, force: true })
    for (const [{ program }, path] of pathOf) {
      mkdirSync(dirname(path), { recursive: true })
      writeFileSync(path, program)
    }
    return () => {
      for (const document of documents) rmSync(folderOf(document), { recursive: true, force: true })
    }
  })

  test('every code block type-checks', { timeout: 180_000 }, () => {
    expect(findTypeErrors([...pathOf.values()])).toEqual([])
  })

  describe.concurrent('every code block runs', () => {
    for (const [block, path] of pathOf) {
      test(block.place, { timeout: 60_000 }, async ({ expect }) => {
        const program = block.language === 'tsx' ? [join(root, 'test/page-block.ts'), path, toActs(block)] : [path]
        const { stdout } = await execute(process.execPath, ['--import', 'tsx', ...program], { cwd: root })
        if (block.prints.length > 0) expect(stdout.trimEnd().split('\n')).toEqual(block.prints)
      })
    }
  })

  test.each(files)(
    '$document: every link inside the repository leads to a file, and to a heading there',
    ({ document, markdown }) => {
      const links = [...withoutCode(markdown).matchAll(/\]\((?!https?:|mailto:)([^)\s]+)[^)]*\)/g)].map(
        ([, to = '']) => to,
      )
      const leadsNowhere = (to: string): boolean => {
        const [file = '', heading] = to.split('#')
        const path = file === '' ? join(root, document) : resolve(root, dirname(document), file)
        return !existsSync(path) || (heading !== undefined && !findAnchors(readFileSync(path, 'utf8')).has(heading))
      }
      expect(links.filter(leadsNowhere)).toEqual([])
    },
  )

  test.each(files)('$document: every npm command is a script', ({ markdown }) => {
    const { scripts }: { scripts: object } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
    const named = [...markdown.matchAll(/\bnpm run ([\w:-]+)/g)].map(([, script = '']) => script)
    expect(named.filter((script) => !(script in scripts))).toEqual([])
  })
}

/** The `ts` and `tsx` blocks of a Markdown text. */
export function findBlocks(document: string, markdown: string): CodeBlock[] {
  const blocks: CodeBlock[] = []
  const lines = markdown.split('\n')
  for (let at = 0; at < lines.length; at++) {
    const fence = /^( *)(`{3,})(\S*)/.exec(lines[at] ?? '')
    if (fence === null) continue
    const [, indent = '', ticks = '', language = ''] = fence
    const first = at + 1
    do at++
    while (at < lines.length && lines[at]?.trim() !== ticks)
    if (language !== 'ts' && language !== 'tsx') continue
    const code = lines.slice(first, at).map((line) => line.slice(indent.length))
    const file = /^\/\/ ([\w-]+\.tsx?)$/.exec(code[0] ?? '')?.[1]
    blocks.push({
      place: `${document}:${first + 1}`,
      language,
      ...(file === undefined ? {} : { file }),
      program: `${'\n'.repeat(first)}${code.join('\n')}\nexport {}\n`,
      prints: code.flatMap((line) => /\/\/ prints (.*)$/.exec(line)?.[1] ?? []),
    })
  }
  return blocks
}

/** What is done in the page of a `tsx` block, as JSON: `[verb, text]` each. */
function toActs({ program }: CodeBlock): string {
  return JSON.stringify([...program.matchAll(/\/\/ (click|shows) (.*)$/gm)].map(([, verb, text]) => [verb, text]))
}

function withoutCode(markdown: string): string {
  return withoutBlocks(markdown).replace(/`[^`\n]*`/g, '')
}

function withoutBlocks(markdown: string): string {
  return markdown.replace(/^ *(`{3,})[\s\S]*?^ *\1$/gm, '')
}

/** What a link may have behind `#`, by the rules of GitHub: the headings, in small letters, without signs. */
function findAnchors(markdown: string): Set<string> {
  const headings = [...withoutBlocks(markdown).matchAll(/^#+ (.*)$/gm)].map(([, text = '']) => text)
  return new Set(
    headings.map((text) =>
      text
        .replace(/\]\([^)]*\)/g, '')
        .toLowerCase()
        .replace(/[^\p{L}\p{N}_ -]/gu, '')
        .replaceAll(' ', '-'),
    ),
  )
}

/** Inside the repository, where `blazen-xstate` means its source. */
function folderOf(document: string): string {
  return join(root, 'test/.blocks', document)
}

function toPath({ place, language, file }: CodeBlock): string {
  const [document = '', line = ''] = place.split(':')
  return join(folderOf(document), file ?? `${line}.${language}`)
}

function findTypeErrors(paths: readonly string[]): string[] {
  const config = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile)
  const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, root)
  const diagnostics = ts.getPreEmitDiagnostics(ts.createProgram([...paths], options))
  return diagnostics.map(({ file, start = 0, messageText }) => {
    const message = ts.flattenDiagnosticMessageText(messageText, '\n')
    if (file === undefined) return message
    const path = relative(join(root, 'test/.blocks'), file.fileName)
    const document = path.startsWith('..') ? relative(root, file.fileName) : dirname(path)
    return `${document}:${file.getLineAndCharacterOfPosition(start).line + 1} ${message}`
  })
}
