/**
 * The main job: a digest of a folder's Markdown documents, written as `report.md` and `report.json`.
 *
 *     npm start                                  the READMEs of the installed packages
 *     npm start -- ./docs --out ./digest         the documents of a folder
 *
 * What has been read is kept in `digest.db` beside the report. Ended in the middle, by Ctrl-C, `kill -9` or a crash,
 * the same command goes on where it was; after the end it begins anew.
 */
import { mkdir } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { createHost } from 'blazen-xstate'
import { sqliteStore } from 'blazen-xstate/sqlite'
import { type Arguments, readArguments, USAGE } from './arguments.ts'
import { beginOrGoOn, takeOver } from './digest-run.ts'
import { type DigestResult, DocumentDone, DocumentsListed, defineDigestWorkflow } from './digest-workflow.ts'
import { createProgress } from './progress.ts'

process.exitCode = await main(process.argv.slice(2))

/** Resolves to the exit code: 1 after an error, 130 after Ctrl-C, 143 when it was asked to end. */
async function main(args: string[]): Promise<number> {
  const interrupt = new AbortController()
  let exitCode = 0
  // Once: a second Ctrl-C ends the process at once, as it would any other.
  for (const [name, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    process.once(name, () => {
      exitCode = code
      interrupt.abort()
    })
  }
  try {
    const options = readArguments(args)
    if (options.help) console.log(USAGE)
    else printResult(await digest(options, interrupt.signal))
    return 0
  } catch (error) {
    if (interrupt.signal.aborted) {
      console.error('Interrupted before the report was written: the same command goes on from here.')
      return exitCode
    }
    console.error(messageOf(error))
    return 1
  }
}

/** @param signal hands the run over to the next process. */
async function digest({ folder, out, documents, concurrency }: Arguments, signal: AbortSignal): Promise<DigestResult> {
  await mkdir(out, { recursive: true })
  const store = sqliteStore(join(out, 'digest.db'))
  const digester = defineDigestWorkflow({ concurrency })
  // Without `recover`, what goes on is the digest that was asked for, and none of another folder into the same place.
  // A process that is killed keeps its run until the lease is over.
  const host = createHost({ store, workflows: [digester], recover: false, leaseMs: '2s' })
  const progress = createProgress(process.stderr)
  const handOver = () => void host.close()
  signal.addEventListener('abort', handOver)
  try {
    const { run, isOld } = await beginOrGoOn(host, digester, { folder, out, documents })
    const onWait = () => console.error('Another process is at this digest, or has just died: waiting for it.')
    const handler = await takeOver(run, { signal, onWait })
    let isStarted = false
    for await (const event of handler.stream()) {
      if (DocumentsListed.is(event)) progress.start(event.total)
      else if (!DocumentDone.is(event)) continue
      // The list was made by an earlier process.
      else if (isOld && !isStarted) progress.start(event.total, event.done - 1)
      if (DocumentDone.is(event)) progress.advance()
      isStarted = true
    }
    signal.throwIfAborted()
    return await run.result()
  } finally {
    progress.stop()
    await host.close()
    await store.close()
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
