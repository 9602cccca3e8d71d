import { z } from 'zod'
import { documentSchema, type Link } from './document.ts'

/** What became of one file: its digest, or the reason why it could not be read. Paths are relative to the digest's folder. */
export const entrySchema = z.discriminatedUnion('status', [
  z.object({ status: z.literal('parsed'), path: z.string(), document: documentSchema }),
  z.object({ status: z.literal('unreadable'), path: z.string(), reason: z.string() }),
])

export type DigestEntry = z.infer<typeof entrySchema>
export type ParsedEntry = Extract<DigestEntry, { status: 'parsed' }>
export type UnreadableEntry = Extract<DigestEntry, { status: 'unreadable' }>

/** What the report says of all documents together. */
export interface DigestSummary {
  folder: string
  totals: {
    documents: number
    unreadable: number
    words: number
    headings: number
    links: number
    relativeLinks: number
    brokenLinks: number
    codeBlocks: number
  }
  /** Most used first. */
  languages: { language: string; blocks: number; documents: number }[]
  /** Longest first, at most ten. */
  longest: { path: string; title: string | null; words: number }[]
  /** By path, documents with broken links only. */
  broken: { path: string; links: Link[] }[]
  /** By path. */
  unreadable: { path: string; reason: string }[]
}

const LONGEST = 10

/** The summary of a folder's documents; the same for the same entries, whatever their order. */
export function computeSummary(folder: string, entries: readonly DigestEntry[]): DigestSummary {
  const sorted = sortByPath(entries)
  const parsed = sorted.filter((entry): entry is ParsedEntry => entry.status === 'parsed')
  const unreadable = sorted.filter((entry): entry is UnreadableEntry => entry.status === 'unreadable')
  const documents = parsed.map((entry) => entry.document)
  const languages = countLanguages(parsed)
  return {
    folder,
    totals: {
      documents: parsed.length,
      unreadable: unreadable.length,
      words: sum(documents, ({ words }) => words),
      headings: sum(documents, ({ headings }) => headings.length),
      links: sum(documents, ({ links }) => links.length),
      relativeLinks: sum(documents, ({ links }) => links.filter(({ kind }) => kind === 'relative').length),
      brokenLinks: sum(documents, ({ brokenLinks }) => brokenLinks.length),
      codeBlocks: sum(languages, ({ blocks }) => blocks),
    },
    languages,
    longest: parsed
      .map(({ path, document }) => ({ path, title: document.title, words: document.words }))
      .toSorted((a, b) => b.words - a.words)
      .slice(0, LONGEST),
    broken: parsed
      .map(({ path, document }) => ({ path, links: document.brokenLinks }))
      .filter(({ links }) => links.length > 0),
    unreadable: unreadable.map(({ path, reason }) => ({ path, reason })),
  }
}

/** By code unit: the same on every machine, whatever its locale. */
export function sortByPath(entries: readonly DigestEntry[]): DigestEntry[] {
  return entries.toSorted((a, b) => compareText(a.path, b.path))
}

function countLanguages(parsed: readonly ParsedEntry[]): DigestSummary['languages'] {
  const languages = new Map<string, { blocks: number; documents: number }>()
  for (const { document } of parsed) {
    for (const { language, blocks } of document.codeLanguages) {
      const count = languages.get(language) ?? { blocks: 0, documents: 0 }
      languages.set(language, { blocks: count.blocks + blocks, documents: count.documents + 1 })
    }
  }
  return [...languages]
    .map(([language, count]) => ({ language, ...count }))
    .toSorted((a, b) => b.blocks - a.blocks || compareText(a.language, b.language))
}

function sum<Item>(items: readonly Item[], amountOf: (item: Item) => number): number {
  return items.reduce((total, item) => total + amountOf(item), 0)
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
