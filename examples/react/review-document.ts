/** Something in a document that a person should look at. */
export interface Finding {
  readonly rule: 'dead link' | 'plain code block' | 'same heading twice' | 'long sentence'
  readonly section: string
  readonly text: string
}

/** A part of a document: from one heading to the next. */
export interface Section {
  readonly title: string
  readonly body: string
  readonly words: number
}

const longestSentence = 38

/** Cuts Markdown at its headings; `#` inside a code block is none. */
export function toSections(markdown: string): Section[] {
  const sections: { title: string; lines: string[] }[] = []
  let isCode = false
  for (const line of markdown.split('\n')) {
    if (/^\s*```/.test(line)) isCode = !isCode
    const heading = isCode ? undefined : /^#{1,4} (.+)$/.exec(line)?.[1]
    if (heading !== undefined) sections.push({ title: heading.replaceAll('`', ''), lines: [] })
    else (sections.at(-1) ?? sections[sections.push({ title: 'Top', lines: [] }) - 1])?.lines.push(line)
  }
  return sections.map(({ title, lines }) => {
    const body = lines.join('\n')
    return { title, body, words: body.split(/\s+/).filter(Boolean).length }
  })
}

/** What is to be said of one section of a document. */
export function reviewSection(sections: readonly Section[], at: number): Finding[] {
  const { title, body } = sections[at] ?? { title: '', body: '' }
  const find = (rule: Finding['rule'], text: string): Finding => ({ rule, section: title, text: shorten(text) })
  const findings: Finding[] = []

  if (sections.findIndex((other) => other.title === title) < at) findings.push(find('same heading twice', title))
  const anchors = new Set(sections.map((other) => toAnchor(other.title)))
  for (const [, anchor = ''] of body.matchAll(/\]\(#([^)]+)\)/g))
    if (!anchors.has(anchor)) findings.push(find('dead link', `#${anchor}`))
  const fences = [...body.matchAll(/^\s*```(.*)\n(.*)$/gm)].filter((_, index) => index % 2 === 0)
  for (const [, language, first = ''] of fences)
    if (language?.trim() === '') findings.push(find('plain code block', first.trim()))
  for (const sentence of toSentences(body)) {
    const words = sentence.split(/\s+/).length
    if (words > longestSentence) findings.push(find('long sentence', `${words} words: ${sentence}`))
  }
  return findings
}

/** The prose of a section, without code, tables and lists of links. */
function toSentences(body: string): string[] {
  const prose = body.replace(/```[\s\S]*?```/g, '').replace(/^\s*\|.*$/gm, '')
  return prose
    .split(/\n\s*\n|\n(?=[-*\d])/)
    .flatMap((paragraph) => paragraph.replace(/\s+/g, ' ').split(/(?<=[.!?]) /))
    .map((sentence) => sentence.trim())
    .filter(Boolean)
}

function toAnchor(heading: string): string {
  const words = heading.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, '')
  return words.trim().replaceAll(' ', '-')
}

function shorten(text: string): string {
  return text.length > 110 ? `${text.slice(0, 109)}…` : text
}
