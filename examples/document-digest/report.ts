import type { PhrasingContent, RootContent, Table } from 'mdast'
import { gfmToMarkdown } from 'mdast-util-gfm'
import { toMarkdown } from 'mdast-util-to-markdown'
import { type DigestEntry, type DigestSummary, sortByPath } from './summary.ts'

const TOP_LANGUAGES = 15

/** The report for people. Titles, paths and URLs of the documents are escaped: they show as they are. */
export function toMarkdownReport(summary: DigestSummary): string {
  const { totals, languages, longest, broken, unreadable } = summary
  const children: RootContent[] = [
    heading(1, 'Document digest'),
    paragraph(text('Folder: '), code(summary.folder)),
    heading(2, 'Totals'),
    table(
      [words(''), numbers('count')],
      [
        ['documents', totals.documents],
        ['unreadable files', totals.unreadable],
        ['words', totals.words],
        ['headings', totals.headings],
        ['links', totals.links],
        ['relative links', totals.relativeLinks],
        ['broken relative links', totals.brokenLinks],
        ['code blocks', totals.codeBlocks],
      ].map(([name, count]) => [text(String(name)), number(Number(count))]),
    ),
    ...section(
      'Top languages',
      languages.length > 0 &&
        table(
          [words('language'), numbers('code blocks'), numbers('documents')],
          languages
            .slice(0, TOP_LANGUAGES)
            .map(({ language, blocks, documents }) => [code(language), number(blocks), number(documents)]),
        ),
    ),
    ...section(
      'Longest documents',
      longest.length > 0 &&
        table(
          [words('document'), numbers('words'), words('title')],
          longest.map((document) => [code(document.path), number(document.words), text(document.title ?? '')]),
        ),
    ),
    ...section(
      'Broken links',
      ...broken.flatMap(({ path, links }) => [
        paragraph(code(path)),
        list(
          links.map(({ line, url, text: label }) => [text(`line ${line}: `), code(url), text(label && ` (${label})`)]),
        ),
      ]),
    ),
    ...section(
      'Unreadable files',
      unreadable.length > 0 && list(unreadable.map(({ path, reason }) => [code(path), text(`: ${reason}`)])),
    ),
  ]
  return toMarkdown({ type: 'root', children }, { bullet: '-', extensions: [gfmToMarkdown()] })
}

/** The report for programs: the summary, and under `documents` all that was read of each document, by path. */
export function toJsonReport(summary: DigestSummary, entries: readonly DigestEntry[]): string {
  const documents = sortByPath(entries).flatMap((entry) =>
    entry.status === 'parsed' ? [{ path: entry.path, ...entry.document }] : [],
  )
  return `${JSON.stringify({ ...summary, documents }, null, 2)}\n`
}

function section(title: string, ...content: (RootContent | false)[]): RootContent[] {
  const present = content.filter((node) => node !== false)
  return [heading(2, title), ...(present.length > 0 ? present : [paragraph(text('None.'))])]
}

function heading(depth: 1 | 2, title: string): RootContent {
  return { type: 'heading', depth, children: [text(title)] }
}

function paragraph(...children: PhrasingContent[]): RootContent {
  return { type: 'paragraph', children }
}

function list(items: PhrasingContent[][]): RootContent {
  return {
    type: 'list',
    spread: false,
    children: items.map((children) => ({
      type: 'listItem',
      spread: false,
      children: [{ type: 'paragraph', children }],
    })),
  }
}

interface Column {
  title: string
  align: 'left' | 'right'
}

function table(columns: Column[], rows: PhrasingContent[][]): Table {
  const toRow = (cells: PhrasingContent[]): Table['children'][number] => ({
    type: 'tableRow',
    children: cells.map((cell) => ({ type: 'tableCell', children: [cell] })),
  })
  return {
    type: 'table',
    align: columns.map(({ align }) => align),
    children: [toRow(columns.map(({ title }) => text(title))), ...rows.map(toRow)],
  }
}

function words(title: string): Column {
  return { title, align: 'left' }
}

function numbers(title: string): Column {
  return { title, align: 'right' }
}

function text(value: string): PhrasingContent {
  return { type: 'text', value: oneLine(value) }
}

function code(value: string): PhrasingContent {
  return { type: 'inlineCode', value: oneLine(value) }
}

function number(value: number): PhrasingContent {
  return text(value.toLocaleString('en'))
}

function oneLine(value: string): string {
  return value.replace(/\s+/g, ' ')
}
