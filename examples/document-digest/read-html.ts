import { Parser } from 'htmlparser2'

/** A link in HTML. `isOpen` says that its `</a>` lies outside of the fragment, so its text does too. */
export interface HtmlLink {
  url: string
  text: string
  line: number
  isOpen: boolean
}

/** What a fragment of HTML holds that a document's digest speaks of. */
export interface HtmlContent {
  headings: { depth: number; text: string }[]
  links: HtmlLink[]
  text: string
}

const HEADING = /^h([1-6])$/
const INVISIBLE = new Set(['script', 'style', 'template'])

/**
 * Reads the HTML of one node of a Markdown document: whole blocks, or a lone tag such as `<a href="…">`.
 * Lines count from `firstLine`.
 */
export function readHtml(html: string, firstLine: number): HtmlContent {
  const content: HtmlContent = { headings: [], links: [], text: '' }
  let anchor: HtmlLink | undefined
  let heading: { depth: number; text: string } | undefined
  let invisible = 0
  const lineAt = createLineCounter(html, firstLine)

  const addText = (text: string): void => {
    if (anchor) anchor.text += text
    if (heading) heading.text += text
  }

  const parser = new Parser({
    onopentag(name, { href, src, alt = '' }) {
      const line = lineAt(parser.startIndex)
      if (INVISIBLE.has(name)) invisible++
      const depth = HEADING.exec(name)?.[1]
      if (depth) heading = { depth: Number(depth), text: '' }
      if (name === 'a' && href !== undefined) {
        anchor = { url: href.trim(), text: '', line, isOpen: true }
        content.links.push(anchor)
      }
      if (name === 'img' && src !== undefined) {
        content.links.push({ url: src.trim(), text: alt, line, isOpen: false })
        addText(alt)
      }
    },
    ontext(text) {
      if (invisible > 0) return
      content.text += text
      addText(text)
    },
    onclosetag(name, isImplied) {
      if (INVISIBLE.has(name)) invisible--
      if (name === 'a' && anchor) {
        anchor.isOpen = isImplied
        anchor = undefined
      }
      if (HEADING.test(name) && heading) {
        content.headings.push(heading)
        heading = undefined
      }
    },
  })
  parser.end(html)
  return content
}

/** Gives the line of each index, for indexes that only grow: reads the text once. */
function createLineCounter(text: string, firstLine: number): (index: number) => number {
  let line = firstLine
  let next = text.indexOf('\n')
  return (index) => {
    while (next !== -1 && next < index) {
      line++
      next = text.indexOf('\n', next + 1)
    }
    return line
  }
}
