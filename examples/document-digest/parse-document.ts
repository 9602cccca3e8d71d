import { fromMarkdown } from 'mdast-util-from-markdown'
import { frontmatterFromMarkdown } from 'mdast-util-frontmatter'
import { gfmFromMarkdown } from 'mdast-util-gfm'
import { frontmatter } from 'micromark-extension-frontmatter'
import { gfm } from 'micromark-extension-gfm'
import type { Heading, Link, ParsedDocument } from './document.ts'
import { type DocumentPlace, toTargetPath } from './link-target.ts'
import { readTree } from './read-tree.ts'

export interface ParseOptions extends DocumentPlace {
  /** Says whether there is a file or folder at an absolute path. Asked once for each target. */
  exists: (path: string) => boolean | Promise<boolean>
}

/** Reads GitHub-flavoured Markdown, and checks which of its relative links lead nowhere. */
export async function parseDocument(markdown: string, options: ParseOptions): Promise<ParsedDocument> {
  const tree = fromMarkdown(markdown, {
    extensions: [gfm(), frontmatter()],
    mdastExtensions: [gfmFromMarkdown(), frontmatterFromMarkdown()],
  })
  const { headings, links, languages, prose } = readTree(tree)
  return {
    title: titleOf(headings),
    headings,
    links,
    codeLanguages: [...languages].map(([language, blocks]) => ({ language, blocks })),
    words: countWords(prose),
    brokenLinks: await findBrokenLinks(links, options),
  }
}

function titleOf(headings: Heading[]): string | null {
  const named = headings.filter(({ text }) => text !== '')
  const highest = Math.min(...named.map(({ depth }) => depth))
  return named.find(({ depth }) => depth === highest)?.text ?? null
}

const WORDS = new Intl.Segmenter('en', { granularity: 'word' })

/** Counts words also where no spaces part them, as in Chinese and Japanese. */
function countWords(prose: string): number {
  let words = 0
  const withoutUrls = prose.replace(/\b(?:https?:\/\/|www\.)\S+/g, '')
  for (const { isWordLike } of WORDS.segment(withoutUrls)) if (isWordLike) words++
  return words
}

async function findBrokenLinks(links: Link[], { exists, ...place }: ParseOptions): Promise<Link[]> {
  const broken: Link[] = []
  const known = new Map<string, boolean>()
  for (const link of links) {
    if (link.kind !== 'relative') continue
    const path = toTargetPath(link.url, place)
    const found = known.get(path) ?? (await exists(path))
    known.set(path, found)
    if (!found) broken.push(link)
  }
  return broken
}
