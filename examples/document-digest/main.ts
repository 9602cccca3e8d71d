/**
 * The main job: a digest of a folder's Markdown documents, written as `report.md` and `report.json`.
 *
 *     npm start                                  the READMEs of the installed packages
 *     npm start -- ./docs --out ./digest         the documents of a folder
 */
import { relative } from 'node:path'
import { type Arguments, readArguments, USAGE } from './arguments.ts'
import { type DigestResult, DocumentDone, DocumentsListed, defineDigestWorkflow } from './digest-workflow.ts'
import { createProgress } from './progress.ts'

process.exitCode = await main(process.argv.slice(2))

/** Resolves to the exit code: 1 after an error, 130 after Ctrl-C. */
async function main(args: string[]): Promise<number> {
  const abort = new AbortController()
  // Once: a second Ctrl-C ends the process at once, as it would any other.
  process.once('SIGINT', () => abort.abort(new Error('Ctrl-C')))
  try {
    const options = readArguments(args)
    if (options.help) console.log(USAGE)
    else printResult(await digest(options, abort.signal))
    return 0
  } catch (error) {
    if (abort.signal.aborted) {
      console.error('Aborted: no report was written.')
      return 130
    }
    console.error(messageOf(error))
    return 1
  }
}

async function digest({ folder, out, documents, concurrency }: Arguments, signal: AbortSignal): Promise<DigestResult> {
  const progress = createProgress(process.stderr)
  const handler = defineDigestWorkflow({ concurrency }).run({ folder, out, documents }, { signal })
  try {
    for await (const event of handler.stream()) {
      if (DocumentsListed.is(event)) progress.start(event.total)
      if (DocumentDone.is(event)) progress.advance()
    }
    return await handler.result()
  } finally {
    progress.stop()
  }
}

function printResult({ summary, markdownPath, jsonPath }: DigestResult): void {
  const { documents, words, links, brokenLinks, codeBlocks, unreadable } = summary.totals
  const count = (value: number): string => value.toLocaleString('en')
  console.log(
    `${count(documents)} ${documents === 1 ? 'document' : 'documents'}, ${count(words)} words, ${count(codeBlocks)} code blocks, ${count(links)} links`,
  )
  console.log(`${count(brokenLinks)} broken relative links in ${count(summary.broken.length)} of them`)
  if (unreadable > 0) console.log(`${count(unreadable)} could not be read`)
  console.log(`The report is in ${fromWorkingFolder(markdownPath)} and ${fromWorkingFolder(jsonPath)}`)
}

function fromWorkingFolder(path: string): string {
  const shorter = relative('', path)
  return shorter.startsWith('..') ? path : shorter
}

/** A step's own error says more than the run's, which names the step and the event. */
function messageOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  return cause instanceof Error ? cause.message : String(cause)
}
