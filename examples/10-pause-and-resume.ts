/**
 * Pause and resume: a run begins in one process and ends in another; between the two it is a file.
 *
 *     StartEvent ── split ── Page ── read (one at a time) ── Read ── bind ── StopEvent
 *
 *     process 1:  split, page 1, page 2, pause ──▶ run.json ──▶ process 2:  resume, page 3, page 4, bind
 */
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { defineEvent, StartEvent, StopEvent, typeOnly, workflow } from 'blazen-xstate'
import { z } from 'zod'

const Page = defineEvent('Page', z.object({ number: z.int(), text: z.string() }))
const Read = defineEvent('Read', z.object({ number: z.int() }))

export const reader = workflow('reader', {
  input: z.object({ book: z.string() }),
  state: typeOnly<{ pages: number; longest: string }>(),
})
  .step('split', { accepts: StartEvent, emits: Page }, ({ book }, ctx) => {
    const pages = book.split('\n')
    ctx.state.pages = pages.length
    ctx.state.longest = ''
    return pages.map((text, at) => Page({ number: at + 1, text }))
  })
  .step('read', { accepts: Page, emits: Read, concurrency: 1 }, async ({ number, text }, ctx) => {
    ctx.writeEventToStream(Read({ number }))
    await sleep(10)
    const words = text.split(' ').sort((one, other) => other.length - one.length)
    ctx.state.update('longest', (longest) =>
      [longest, ...words].reduce((one, two) => (two.length > one.length ? two : one)),
    )
    return Read({ number })
  })
  .step('bind', { accepts: Read, emits: StopEvent }, (_event, ctx) => {
    return ctx.collect(Read, ctx.state.pages) && StopEvent({ result: ctx.state.longest })
  })

export const book = ['To begin with', 'it was a dark night', 'of torrential rain', 'and little else'].join('\n')

/** The first process: pauses the run while it reads page 2, and writes it to a file. */
async function begin(file: string): Promise<void> {
  const handler = reader.run({ book })
  for await (const event of handler.stream()) {
    if (!Read.is(event)) continue
    console.log(`process 1: page ${event.number}`)
    if (event.number === 2) break
  }
  // Page 2 is read to its end; pages 3 and 4 are not begun.
  const snapshot = await handler.pause()
  await writeFile(file, JSON.stringify(snapshot))
  console.log(`process 1: ${handler.status}`)
}

/** The second process: knows the workflow and the file, and nothing else. */
async function goOn(file: string): Promise<void> {
  const handler = reader.resume(JSON.parse(await readFile(file, 'utf8')))
  for await (const event of handler.stream()) if (Read.is(event)) console.log(`process 2: page ${event.number}`)
  console.log(`process 2: ${handler.status}, the longest word is "${await handler.result()}"`)
}

export async function main(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'pause-and-resume-'))
  for (const part of ['begin', 'goOn']) console.log(await runInProcess(part, join(folder, 'run.json')))
  await rm(folder, { recursive: true })
}

/** Runs this file as a program of its own, and gives what it prints. */
async function runInProcess(part: string, file: string): Promise<string> {
  const program = ['--import', 'tsx', fileURLToPath(import.meta.url), part, file]
  const cwd = fileURLToPath(new URL('..', import.meta.url))
  return (await promisify(execFile)(process.execPath, program, { cwd })).stdout.trim()
}

const [, program, part, file = ''] = process.argv
if (program === fileURLToPath(import.meta.url)) await (part === 'begin' ? begin(file) : goOn(file))
