import { describe, expect, test } from 'vitest'
import type { ParsedDocument } from '../examples/document-digest/document.ts'
import { parseDocument } from '../examples/document-digest/parse-document.ts'
import { toJsonReport, toMarkdownReport } from '../examples/document-digest/report.ts'
import { computeSummary, type DigestEntry } from '../examples/document-digest/summary.ts'

const place = { folder: '/repo/docs', root: '/repo' }

function parse(markdown: string, ...files: string[]): Promise<ParsedDocument> {
  return parseDocument(markdown, { ...place, exists: (path) => files.includes(path) })
}

async function brokenUrls(markdown: string, ...files: string[]): Promise<string[]> {
  return (await parse(markdown, ...files)).brokenLinks.map(({ url }) => url)
}

describe('parseDocument', () => {
  test('an empty document has no title and no words', async () => {
    expect(await parse('')).toEqual({
      title: null,
      headings: [],
      links: [],
      codeLanguages: [],
      words: 0,
      brokenLinks: [],
    })
  })

  test('the title is the first heading of the highest rank, without its markup', async () => {
    const { title, headings } = await parse('## Intro\n\nThe *real* `title`\n===\n\n# Second\n')
    expect(title).toBe('The real title')
    expect(headings).toEqual([
      { depth: 2, text: 'Intro' },
      { depth: 1, text: 'The real title' },
      { depth: 1, text: 'Second' },
    ])
  })

  test('a heading in HTML counts, with the text of its image', async () => {
    const { title } = await parse(
      '<h1 align="center">\n  <img src="https://x.org/l.svg" alt="Logo">\n  <b>Chalk</b>\n</h1>\n',
    )
    expect(title).toBe('Logo Chalk')
  })

  test('a hash in a code block is no heading', async () => {
    const { headings, title } = await parse('```sh\n# install\n```\n\n    # indented\n')
    expect(headings).toEqual([])
    expect(title).toBeNull()
  })

  test('front matter is neither heading nor prose', async () => {
    expect(await parse('---\ntitle: Hidden\n---\n\none two\n')).toMatchObject({ title: null, words: 2 })
  })

  test('Windows line ends change nothing', async () => {
    const markdown = '# A title\n\n[x][y]\n\n[y]: ./no.md\n\n```js\n1\n```\n'
    expect(await parse(markdown.replaceAll('\n', '\r\n'))).toEqual(await parse(markdown))
  })

  test('a link has a kind by where it leads', async () => {
    const { links } = await parse(
      '[a](https://x.org) [b](//x.org/y) [c](mailto:me@x.org) [d](#part) [e](tel:1) [f](e.md#part) [g]() [h](?plain=1) www.x.org me@x.org',
    )
    expect(links.map(({ text, kind }) => `${text} ${kind}`)).toEqual([
      'a web',
      'b web',
      'c mail',
      'd anchor',
      'e other',
      'f relative',
      'g anchor',
      'h anchor',
      'www.x.org web',
      'me@x.org mail',
    ])
  })

  test('only relative links can be broken', async () => {
    expect(
      await brokenUrls('[a](https://no.org) [b](mailto:a@b.c) [c](#no) [d](//no.org) ![e](data:image/png;base64,AA)'),
    ).toEqual([])
  })

  test('a broken link names its line and text', async () => {
    expect((await parse('# T\n\ntext\nand [the\nguide](no.md)')).brokenLinks).toEqual([
      { url: 'no.md', text: 'the guide', kind: 'relative', line: 4 },
    ])
  })

  test.each([
    ['guide.md', '/repo/docs/guide.md'],
    ['./guide.md', '/repo/docs/guide.md'],
    ['../LICENSE', '/repo/LICENSE'],
    ['/LICENSE', '/repo/LICENSE'],
    ['guide.md#part', '/repo/docs/guide.md'],
    ['guide.md?raw=true', '/repo/docs/guide.md'],
    ['guide.md?raw=true#L1', '/repo/docs/guide.md'],
    ['guide.md#what?', '/repo/docs/guide.md'],
    ['a%20b.md', '/repo/docs/a b.md'],
    ['<a b.md>', '/repo/docs/a b.md'],
    ['c%23.md', '/repo/docs/c#.md'],
    ['%E2%9C%93.md', '/repo/docs/✓.md'],
    ['100%.md', '/repo/docs/100%.md'],
    ['%E0%A4%A.md', '/repo/docs/%E0%A4%A.md'],
    ['a_(b).md', '/repo/docs/a_(b).md'],
    ['api/', '/repo/docs/api/'],
    ['a&amp;b.md', '/repo/docs/a&b.md'],
  ])('the link %s leads to %s', async (url, path) => {
    const asked: string[] = []
    const exists = (target: string): boolean => asked.push(target) > 0
    const { brokenLinks } = await parseDocument(`[x](${url})`, { ...place, exists })
    expect(asked).toEqual([path])
    expect(brokenLinks).toEqual([])
  })

  test('each target is asked for once', async () => {
    const asked: string[] = []
    const { brokenLinks } = await parseDocument('[a](no.md) [b](./no.md#x) ![c](no.md)', {
      ...place,
      exists: async (path) => asked.push(path) === 0,
    })
    expect(asked).toEqual(['/repo/docs/no.md'])
    expect(brokenLinks).toHaveLength(3)
  })

  test('links by reference lead to their definition, the first of a name', async () => {
    const markdown =
      '[Full][The Ref] [the ref][] [the ref] ![pic][p] [undefined]\n\n[the  REF]: <a b.md> "t"\n[the ref]: second.md\n[p]: p.png\n[unused]: u.md\n'
    expect((await parse(markdown)).links.map(({ url, text }) => [url, text])).toEqual([
      ['a b.md', 'Full'],
      ['a b.md', 'the ref'],
      ['a b.md', 'the ref'],
      ['p.png', 'pic'],
    ])
  })

  test('a definition may be named like a property that every object has', async () => {
    expect(await brokenUrls('[constructor] [__proto__]\n\n[constructor]: c.md\n[__proto__]: p.md')).toEqual([
      'c.md',
      'p.md',
    ])
  })

  test('a badge is two links: the image and what it leads to', async () => {
    expect((await parse('[![build](b.svg)](ci.md)', '/repo/docs/b.svg')).links).toMatchObject([
      { url: 'ci.md', text: 'build' },
      { url: 'b.svg', text: 'build' },
    ])
  })

  test('links in code, in comments and in scripts are no links', async () => {
    expect(
      (
        await parse(
          '`[a](b.md)`\n\n```md\n[a](b.md)\n```\n\n<!-- <a href="c.md">c</a> -->\n\n<script>"<a href=d.md>"</script>\n',
        )
      ).links,
    ).toEqual([])
  })

  test('links in HTML blocks have their own line and text', async () => {
    const { links } = await parse(
      '# T\n\n<p>\n  <a href="no.md">\n    No <b>guide</b></a>\n  <img src=\'i.png\' alt="An image">\n  <a name="here"></a>\n</p>\n',
    )
    expect(links).toEqual([
      { url: 'no.md', text: 'No guide', kind: 'relative', line: 4 },
      { url: 'i.png', text: 'An image', kind: 'relative', line: 6 },
    ])
  })

  test('links in HTML amid Markdown end at their closing tag', async () => {
    const { links } = await parse(
      'See <a href="a.md">the **whole** guide</a>, or <a href="b.md"><img src="b.png"></a>.',
    )
    expect(links.map(({ url, text }) => [url, text])).toEqual([
      ['a.md', 'the whole guide'],
      ['b.md', ''],
      ['b.png', ''],
    ])
  })

  test('HTML that never closes a tag is read to its end', async () => {
    expect(await brokenUrls('<div><a href="a.md">one\n<h2>two <img src="b.png"\n\nand [more](c.md)')).toEqual([
      'a.md',
      'c.md',
    ])
  })

  test('links in tables, lists, quotes and footnotes are found', async () => {
    expect(
      await brokenUrls(
        '| a |\n|---|\n| [x](t.md) |\n\n- [ ] [x](l.md)\n\n> [x](q.md)\n\nnote[^1]\n\n[^1]: [x](f.md)\n',
      ),
    ).toEqual(['t.md', 'l.md', 'q.md', 'f.md'])
  })

  test('code languages are counted by one name each, whatever follows it', async () => {
    const fences = ['js', 'JavaScript', 'js {1,3}', 'ts{2}', 'c++', 'constructor', '__proto__', '', 'jsonc title="a"']
    const { codeLanguages } = await parse(fences.map((info) => `~~~${info}\nx\n~~~\n`).join('\n'))
    expect(codeLanguages).toEqual([
      { language: 'js', blocks: 3 },
      { language: 'ts', blocks: 1 },
      { language: 'c++', blocks: 1 },
      { language: 'constructor', blocks: 1 },
      { language: '__proto__', blocks: 1 },
      { language: 'none', blocks: 1 },
      { language: 'jsonc', blocks: 1 },
    ])
  })

  test.each([
    ['one **two**three', 2],
    ['one\\\ntwo', 2],
    ['| one | two |\n|---|---|\n| three | four |', 4],
    ["don't `stop` ![alt](i.png) — !", 2],
    ['one https://x.org/a/b?c=d two', 2],
    ['<p>one <b>two</b></p>\n\n<style>p { color: red }</style>', 2],
    ['```\ncode is not prose\n```', 0],
    ['我们去公园', 3],
  ])('%j has %i words', async (markdown, words) => {
    expect((await parse(markdown)).words).toBe(words)
  })
})

describe('the report', () => {
  const empty: ParsedDocument = { title: null, headings: [], links: [], codeLanguages: [], words: 0, brokenLinks: [] }
  const entryOf = (path: string, document: Partial<ParsedDocument>): DigestEntry => ({
    status: 'parsed',
    path,
    document: { ...empty, ...document },
  })
  const link = { url: 'no|`w`.md', text: 'a *b*', kind: 'relative', line: 3 } as const
  const entries: DigestEntry[] = [
    entryOf('z.md', { title: 'Z | <b>', words: 1200, codeLanguages: [{ language: 'ts', blocks: 1 }] }),
    { status: 'unreadable', path: 'gone.md', reason: 'ENOENT: no such file' },
    entryOf('a b.md', {
      words: 30,
      headings: [{ depth: 1, text: 'A' }],
      links: [link, { ...link, url: '#x', kind: 'anchor' }],
      brokenLinks: [link],
      codeLanguages: [
        { language: 'ts', blocks: 1 },
        { language: '__proto__', blocks: 5 },
        { language: 'js', blocks: 2 },
      ],
    }),
  ]

  test('a summary adds up its documents and orders what it lists', () => {
    expect(computeSummary('/repo', entries)).toEqual({
      folder: '/repo',
      totals: {
        documents: 2,
        unreadable: 1,
        words: 1230,
        headings: 1,
        links: 2,
        relativeLinks: 1,
        brokenLinks: 1,
        codeBlocks: 9,
      },
      languages: [
        { language: '__proto__', blocks: 5, documents: 1 },
        { language: 'js', blocks: 2, documents: 1 },
        { language: 'ts', blocks: 2, documents: 2 },
      ],
      longest: [
        { path: 'z.md', title: 'Z | <b>', words: 1200 },
        { path: 'a b.md', title: null, words: 30 },
      ],
      broken: [{ path: 'a b.md', links: [link] }],
      unreadable: [{ path: 'gone.md', reason: 'ENOENT: no such file' }],
    })
  })

  test('a summary is the same whatever the order of its entries', () => {
    expect(computeSummary('/repo', entries.toReversed())).toEqual(computeSummary('/repo', entries))
  })

  test('a Markdown report shows what documents hold as it is', () => {
    expect(toMarkdownReport(computeSummary('/repo', entries))).toMatchInlineSnapshot(`
      "# Document digest

      Folder: \`/repo\`

      ## Totals

      |                       | count |
      | :-------------------- | ----: |
      | documents             |     2 |
      | unreadable files      |     1 |
      | words                 | 1,230 |
      | headings              |     1 |
      | links                 |     2 |
      | relative links        |     1 |
      | broken relative links |     1 |
      | code blocks           |     9 |

      ## Top languages

      | language    | code blocks | documents |
      | :---------- | ----------: | --------: |
      | \`__proto__\` |           5 |         1 |
      | \`js\`        |           2 |         1 |
      | \`ts\`        |           2 |         2 |

      ## Longest documents

      | document | words | title     |
      | :------- | ----: | :-------- |
      | \`z.md\`   | 1,200 | Z \\| \\<b> |
      | \`a b.md\` |    30 |           |

      ## Broken links

      \`a b.md\`

      - line 3: \`\`no|\`w\`.md\`\` (a \\*b\\*)

      ## Unreadable files

      - \`gone.md\`: ENOENT: no such file
      "
    `)
  })

  test('a Markdown report is Markdown that the digest can read', async () => {
    const { title, headings, links } = await parse(toMarkdownReport(computeSummary('/repo', entries)))
    expect(title).toBe('Document digest')
    expect(headings.map(({ text }) => text)).toEqual([
      'Document digest',
      'Totals',
      'Top languages',
      'Longest documents',
      'Broken links',
      'Unreadable files',
    ])
    expect(links).toEqual([])
  })

  test('a report of no documents says so in each section', () => {
    expect(toMarkdownReport(computeSummary('/repo', [])).match(/^None\.$/gm)).toHaveLength(4)
  })

  test('a JSON report holds the summary and every document that was read', () => {
    const summary = computeSummary('/repo', entries)
    const { documents, ...rest } = JSON.parse(toJsonReport(summary, entries))
    expect(rest).toEqual(summary)
    expect(documents).toMatchObject([
      { path: 'a b.md', words: 30, brokenLinks: [link] },
      { path: 'z.md', words: 1200 },
    ])
  })
})
