import type { Parents, Root } from 'mdast'
import { toString as textOf } from 'mdast-util-to-string'
import { visit } from 'unist-util-visit'
import type { Heading, Link } from './document.ts'
import { kindOfLink } from './link-target.ts'
import { readHtml } from './read-html.ts'

/** Words do not run on from one of these nodes into the next. */
const PROSE_BREAKS = new Set(['heading', 'paragraph', 'tableCell', 'break'])

/** What a document's tree holds; `prose` is what a reader reads, without code blocks. */
export interface TreeContent {
  headings: Heading[]
  links: Link[]
  languages: Map<string, number>
  prose: string
}

/** Reads a tree in the order of the document, also the HTML in it. */
export function readTree(tree: Root): TreeContent {
  const headings: Heading[] = []
  const links: Link[] = []
  const languages = new Map<string, number>()
  const definitions = new Map<string, string>()
  let prose = ''

  const addHeading = (depth: number, text: string): void => {
    headings.push({ depth, text: oneLine(text) })
  }
  const addLink = (url: string, text: string, line: number): void => {
    links.push({ url, text: oneLine(text), kind: kindOfLink(url), line })
  }

  visit(tree, 'definition', ({ identifier, url }) => {
    if (!definitions.has(identifier)) definitions.set(identifier, url)
  })
  visit(tree, (node, index, parent) => {
    const line = node.position?.start.line ?? 1
    switch (node.type) {
      case 'heading':
        addHeading(node.depth, textOf(node, { includeHtml: false }))
        break
      case 'link':
      case 'image':
        addLink(node.url, textOf(node, { includeHtml: false }), line)
        break
      case 'linkReference':
      case 'imageReference':
        addLink(definitions.get(node.identifier) ?? '', textOf(node, { includeHtml: false }), line)
        break
      case 'code': {
        const language = toLanguage(node.lang)
        languages.set(language, (languages.get(language) ?? 0) + 1)
        break
      }
      case 'html': {
        const html = readHtml(node.value, line)
        for (const { depth, text } of html.headings) addHeading(depth, text)
        for (const { url, text, line, isOpen } of html.links)
          addLink(url, isOpen ? text + textAfter(parent, index) : text, line)
        prose += html.text
        break
      }
      case 'text':
      case 'inlineCode':
        prose += node.value
        break
    }
    if (PROSE_BREAKS.has(node.type)) prose += '\n'
  })
  return { headings, links, languages, prose }
}

/** The text from a lone `<a>` tag to its `</a>`, which are siblings in the tree. */
function textAfter(parent: Parents | undefined, index: number | undefined): string {
  if (!parent || index === undefined) return ''
  const rest = parent.children.slice(index + 1)
  const end = rest.findIndex((node) => node.type === 'html' && /^<\/?a\b/i.test(node.value))
  return textOf(rest.slice(0, end === -1 ? rest.length : end), { includeHtml: false })
}

const LANGUAGE_NAMES = new Map([
  ['javascript', 'js'],
  ['typescript', 'ts'],
  ['shell', 'sh'],
  ['yml', 'yaml'],
  ['markdown', 'md'],
])

/** ```` ```JavaScript {1,3} ```` and ```` ```js{1,3} ```` are one language. */
function toLanguage(lang: string | null | undefined): string {
  const name = /^[^\s{,:]+/.exec(lang ?? '')?.[0].toLowerCase() ?? 'none'
  return LANGUAGE_NAMES.get(name) ?? name
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim()
}
