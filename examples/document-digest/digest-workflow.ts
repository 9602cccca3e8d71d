import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { defineEvent, StartEvent, StopEvent, workflow } from 'blazen-xstate'
import { z } from 'zod'
import { exists, listFiles, readText, reasonOf } from './files.ts'
import { parseDocument } from './parse-document.ts'
import { toJsonReport, toMarkdownReport } from './report.ts'
import { computeSummary, type DigestEntry, type DigestSummary, entrySchema } from './summary.ts'

const inputSchema = z.object({
  /** Absolute path of the folder whose documents are read. */
  folder: z.string(),
  /** Absolute path of the folder that the report is written to; made when it is missing, never read. */
  out: z.string(),
  /** `readmes` reads no other Markdown files. */
  documents: z.enum(['all', 'readmes']).default('all'),
})

/** What the steps of a run know of the whole. Kept once in the state, so that the events stay small. */
const stateSchema = z.object({
  folder: z.string().default(''),
  out: z.string().default(''),
  total: z.int().nonnegative().default(0),
  done: z.int().nonnegative().default(0),
})

const DocumentFound = defineEvent('DocumentFound', z.object({ path: z.string(), root: z.string() }))
/** What became of one document: its digest, or why there is none. */
export const DocumentDigested = defineEvent('DocumentDigested', z.object({ entry: entrySchema }))

/** Written to the stream once, when it is known how many documents there are. */
export const DocumentsListed = defineEvent('DocumentsListed', z.object({ total: z.int().nonnegative() }))
/** Written to the stream as each document is done, read or not. `done` counts this one, and those of earlier processes. */
export const DocumentDone = defineEvent(
  'DocumentDone',
  z.object({ path: z.string(), done: z.int().positive(), total: z.int().positive() }),
)

/** The result of a run: what the report says, and where it is. */
export interface DigestResult {
  summary: DigestSummary
  markdownPath: string
  jsonPath: string
}

export interface DigestOptions {
  /** How many documents are read at once, at least 1. @default 8 */
  concurrency?: number
}

/**
 * Reads the Markdown documents of a folder and writes a report on them.
 *
 * ```
 * StartEvent ── list ──┬── DocumentFound ── digest ── DocumentDigested ──┬── report ── StopEvent
 *                      ├── DocumentFound ── digest ── DocumentDigested ──┤
 *                      └── one for each file, `concurrency` at a time ───┘
 * ```
 *
 * Events hold paths and digests, never a document's text: what is stored of a run is no bigger than its report.
 */
export function defineDigestWorkflow({ concurrency = 8 }: DigestOptions = {}) {
  return workflow('document-digest', { input: inputSchema, state: stateSchema })
    .step(
      'list',
      { accepts: StartEvent, emits: [DocumentFound, DocumentDigested, StopEvent] },
      async ({ folder, out, documents }, ctx) => {
        const { files, unreadable } = await listFiles(folder, {
          matches: (name) => FILE_NAMES[documents].test(name),
          skip: out,
          signal: ctx.signal,
        })
        const total = files.length + unreadable.length
        ctx.writeEventToStream(DocumentsListed({ total }))
        if (total === 0) return StopEvent({ result: await writeReport([], folder, out) })
        Object.assign(ctx.state, { folder, out, total })
        return [
          ...files.map((file) => DocumentFound(file)),
          ...unreadable.map(({ path, reason }) => DocumentDigested({ entry: toUnreadable(path, reason, folder) })),
        ]
      },
    )
    .step('digest', { accepts: DocumentFound, emits: DocumentDigested, concurrency }, async ({ path, root }, ctx) => {
      return DocumentDigested({ entry: await digestFile(path, root, ctx.state.folder, ctx.signal) })
    })
    .step('report', { accepts: DocumentDigested, emits: StopEvent }, async ({ entry }, ctx) => {
      ctx.state.update('done', (done) => done + 1)
      const { folder, out, total, done } = ctx.state
      ctx.writeEventToStream(DocumentDone({ path: entry.path, done, total }))
      const digested = ctx.collect(DocumentDigested, total)
      if (digested === undefined) return
      const entries = digested.map((event) => event.entry)
      return StopEvent({ result: await writeReport(entries, folder, out) })
    })
}

const FILE_NAMES = { all: /\.(md|markdown)$/i, readmes: /^readme\b.*\.(md|markdown)$/i }

/** Whatever is wrong with a file becomes its entry: one bad document costs the others nothing. */
async function digestFile(path: string, root: string, folder: string, signal: AbortSignal): Promise<DigestEntry> {
  try {
    const markdown = await readText(path, signal)
    const document = await parseDocument(markdown, { folder: dirname(path), root, exists })
    return { status: 'parsed', path: relative(folder, path), document }
  } catch (error) {
    signal.throwIfAborted()
    return toUnreadable(path, reasonOf(error), folder)
  }
}

function toUnreadable(path: string, reason: string, folder: string): DigestEntry {
  return { status: 'unreadable', path: relative(folder, path) || '.', reason }
}

/** Writing the same report twice is harmless, so this step may run again after a crash. */
async function writeReport(entries: DigestEntry[], folder: string, out: string): Promise<DigestResult> {
  const summary = computeSummary(folder, entries)
  const markdownPath = join(out, 'report.md')
  const jsonPath = join(out, 'report.json')
  await mkdir(out, { recursive: true })
  await writeFile(markdownPath, toMarkdownReport(summary))
  await writeFile(jsonPath, toJsonReport(summary, entries))
  return { summary, markdownPath, jsonPath }
}
