/**
 * A pipeline of workflows on real documents, durable at every level: killed in the middle of a stage, it goes on there.
 *
 *     extract ── enrich ┬ tags  ┬── refine ⟲ ── approve ╌╌ a person ── publish
 *                       ├ links ┤   until it says enough       only if they agree
 *                       └ code ─┘
 *                         only if there is some
 *
 *     process 1:  extract, enrich, refine, kill -9 ──▶ ingest.db ──▶ process 2:  refine, approve, publish
 */
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import {
  createHost,
  defineEvent,
  InputRequestEvent,
  InputResponseEvent,
  pipeline,
  type RunHandle,
  StartEvent,
  StopEvent,
  workflow,
} from 'blazen-xstate'
import { sqliteStore } from 'blazen-xstate/sqlite'
import { z } from 'zod'

const documentSchema = z.object({
  sentences: z.array(z.string()),
  links: z.array(z.string()),
  code: z.array(z.string()),
})
const draftSchema = z.object({ sentences: z.array(z.string()), tags: z.array(z.string()), score: z.number() })

const Refining = defineEvent('Refining', z.object({ sentences: z.int() }))

const extractor = workflow('extractor', { input: z.object({ file: z.string() }) }).step(
  'read',
  { accepts: StartEvent, emits: StopEvent },
  async ({ file }, ctx) => {
    console.log(`reads ${file}`)
    const markdown = await readFile(file, 'utf8')
    ctx.shared.set('title', /^# (.+)$/m.exec(markdown)?.[1] ?? basename(file))
    const code = markdown.match(/^```[\s\S]*?^```$/gm) ?? []
    const links = [...markdown.matchAll(/\]\(([^)]+)\)/g)].flatMap(([, to]) => to ?? [])
    const prose = markdown.replace(/^```[\s\S]*?^```$/gm, '').replace(/^[#|>-].*$/gm, '')
    const sentences = prose.split(/(?<=[.!?])\s+/).map((each) => each.trim().replaceAll('\n', ' '))
    return StopEvent({ result: { sentences: sentences.filter((each) => each !== ''), links, code } })
  },
)

const tagger = workflow('tagger', { input: documentSchema }).step(
  'count',
  { accepts: StartEvent, emits: StopEvent },
  ({ sentences }) => {
    const counts = new Map<string, number>()
    for (const word of toWords(sentences.join(' '))) {
      if (word.length > 4) counts.set(word, (counts.get(word) ?? 0) + 1)
    }
    const tags = [...counts].sort(([one, many], [other, more]) => more - many || one.localeCompare(other))
    return StopEvent({ result: tags.slice(0, 5).map(([tag]) => tag) })
  },
)

const linkReader = workflow('link-reader', { input: documentSchema }).step(
  'sort',
  { accepts: StartEvent, emits: StopEvent },
  ({ links }) =>
    StopEvent({ result: { outside: links.filter((to) => to.startsWith('http')).length, all: links.length } }),
)

const codeReader = workflow('code-reader', { input: documentSchema }).step(
  'count',
  { accepts: StartEvent, emits: StopEvent },
  ({ code }) => StopEvent({ result: code.join('\n').split('\n').length }),
)

/** Leaves out the sentence that says least; how much the others say is the score. */
const refiner = workflow('refiner', { input: draftSchema }).step(
  'leaveOut',
  { accepts: StartEvent, emits: StopEvent },
  ({ sentences, tags }, ctx) => {
    ctx.writeEventToStream(Refining({ sentences: sentences.length }))
    const [least = ''] = sentences.toSorted((one, other) => computeScore([one], tags) - computeScore([other], tags))
    const left = sentences.filter((each) => each !== least)
    return StopEvent({ result: { sentences: left, tags, score: computeScore(left, tags) } })
  },
)

const approver = workflow('approver', {
  input: z.object({ summary: z.string() }),
  requests: { approval: { response: z.boolean() } },
})
  .step('ask', { accepts: StartEvent, emits: InputRequestEvent }, (_event, ctx) =>
    InputRequestEvent({ requestId: 'publish', kind: 'approval', prompt: `Publish "${ctx.shared.get('title')}"?` }),
  )
  .step('hear', { accepts: InputResponseEvent, emits: StopEvent }, ({ response }) => {
    return StopEvent({ result: response === true })
  })

const publisher = workflow('publisher', {
  input: z.object({ out: z.string(), summary: z.string(), tags: z.array(z.string()) }),
}).step('write', { accepts: StartEvent, emits: StopEvent }, async ({ out, summary, tags }, ctx) => {
  const title = ctx.shared.get<string>('title', '')
  const path = join(out, `${title.toLowerCase().replaceAll(/\W+/g, '-')}.json`)
  await writeFile(path, JSON.stringify({ title, summary, tags })) // again after a crash: the same file
  return StopEvent({ result: basename(path) })
})

export const ingest = pipeline('ingest', {
  input: z.object({ file: z.string(), out: z.string() }),
  shared: z.object({ title: z.string().default('') }),
  retry: { attempts: 3, delay: '100ms' }, // for all steps: files can be busy
})
  .stage('extract', extractor)
  .parallel('enrich', {
    tags: tagger,
    links: linkReader,
    code: { run: codeReader, when: ({ results }) => results.extract.code.length > 0 },
  })
  .loop('refine', refiner, {
    input: ({ round, last, results: { extract, enrich } }) =>
      round === 1
        ? { sentences: extract.sentences, tags: enrich.tags, score: 0 }
        : (last as z.infer<typeof draftSchema>),
    until: ({ score, sentences }) => score > 0.15 || sentences.length <= 3,
    max: 1_000,
  })
  .stage('approve', approver, { input: ({ last }) => ({ summary: last.sentences.join(' ') }) })
  .stage('publish', publisher, {
    when: ({ results }) => results.approve,
    input: ({ input, results: { refine } }) => ({
      out: input.out,
      summary: refine.sentences.join(' '),
      tags: refine.tags,
    }),
  })

/** How many of the words are tags. */
function computeScore(sentences: readonly string[], tags: readonly string[]): number {
  const words = toWords(sentences.join(' '))
  return words.filter((word) => tags.includes(word)).length / (words.length || 1)
}

function toWords(text: string): string[] {
  return text.toLowerCase().match(/[a-z]+/g) ?? []
}

const documents = ['docs/testing.md', 'docs/streaming-and-people.md']
/** How long a dead process keeps its runs. */
const leaseMs = '1s'

/** The first process: one document waits for a person, the other is being refined, when it is gone. */
async function begin(folder: string): Promise<void> {
  const host = createHost({ store: sqliteStore(join(folder, 'ingest.db')), workflows: [ingest], leaseMs })
  const [one = '', other = ''] = documents
  const first = await host.run(ingest, { file: one, out: folder }, { runId: one })
  for await (const event of first.stream()) if (InputRequestEvent.is(event)) break
  console.log(`${one}: ${first.status}, ${first.progress} %`)

  const second = await host.run(ingest, { file: other, out: folder }, { runId: other })
  for await (const event of second.stream()) if (Refining.is(event)) break
  console.log(
    `${other}: ${second.stages
      .map(({ name, status }) => `${name} ${status}`)
      .slice(0, 3)
      .join(', ')}`,
  )
  process.kill(process.pid, 'SIGKILL')
}

/** The second process: knows the pipeline and the folder, and nothing else. */
async function goOn(folder: string): Promise<void> {
  const store = sqliteStore(join(folder, 'ingest.db'))
  const host = createHost({ store, workflows: [ingest], leaseMs, pollMs: 50 })
  for (const runId of documents) {
    const run = await host.get(runId)
    const { requestId, prompt } = await findQuestion(run)
    console.log(`${requestId}: ${prompt}`)
    await run?.respondToInput(requestId, runId !== documents[0])
    console.log(`${runId}: ${await run?.result()}`)
    const kinds = (await host.history(runId)).map(({ kind, step }) => `${kind} ${step}`)
    console.log(
      `extracted ${kinds.filter((kind) => kind === 'settled read').length} time, published: ${kinds.includes('begun publish')}`,
    )
  }
  await host.close()
  await store.close()
}

/** The question that a run asks, as soon as it does. */
async function findQuestion(run: RunHandle | undefined): Promise<InputRequestEvent> {
  for (;;) {
    const [asked] = (await run?.pendingInputs()) ?? []
    if (asked !== undefined) return asked
    await sleep(50)
  }
}

export async function main(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'ingest-'))
  for (const part of ['begin', 'goOn']) {
    for (const line of await runInProcess(part, folder)) console.log(`${part}: ${line}`)
  }
  await rm(folder, { recursive: true })
}

/** Runs this file as a program of its own, and gives the lines that it prints, also if it is killed. */
async function runInProcess(part: string, folder: string): Promise<string[]> {
  const program = ['--import', 'tsx', fileURLToPath(import.meta.url), part, folder]
  const cwd = fileURLToPath(new URL('..', import.meta.url))
  return new Promise((resolve, reject) => {
    execFile(process.execPath, program, { cwd }, (error, stdout, stderr) => {
      if (error !== null && error.signal !== 'SIGKILL') reject(new Error(stderr, { cause: error }))
      else resolve(stdout.trim().split('\n'))
    })
  })
}

const [, program, part, folder = ''] = process.argv
if (program === fileURLToPath(import.meta.url)) await (part === 'begin' ? begin(folder) : goOn(folder))
