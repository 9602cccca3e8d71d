/**
 * Durable runs: a process is killed, and the next one goes on from the SQLite file that it left.
 *
 *     StartEvent ── charge ── InputRequestEvent ╌╌ a person ╌╌ InputResponseEvent ── ship ── StopEvent
 *
 *     process 1:  run, charge, ask, kill -9 ──▶ orders.db ──▶ process 2:  recover, answer, ship
 */
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createHost, InputRequestEvent, InputResponseEvent, StartEvent, StopEvent, workflow } from 'blazen-xstate'
import { sqliteStore } from 'blazen-xstate/sqlite'
import { z } from 'zod'

export const order = workflow('order', {
  input: z.object({ item: z.string(), euros: z.number() }),
  state: z.object({ item: z.string().default('') }),
  requests: { approval: { response: z.boolean() } },
})
  .step('charge', { accepts: StartEvent, emits: InputRequestEvent }, ({ item, euros }, ctx) => {
    ctx.state.item = item
    // The same key however often this runs: what pays once for each key pays once for each order.
    console.log(`charged ${euros} EUR, with the key ${ctx.executionId}`)
    return InputRequestEvent({ requestId: 'ship', kind: 'approval', prompt: `Ship ${item}?` })
  })
  .step('ship', { accepts: InputResponseEvent, emits: StopEvent }, ({ response }, ctx) => {
    return StopEvent({ result: response === true ? `${ctx.state.item} is on its way` : 'refunded' })
  })

/** How long a dead process keeps its runs. */
const leaseMs = '1s'

/** The first process: starts a run, and is gone before anybody answers. */
async function begin(file: string): Promise<void> {
  const host = createHost({ store: sqliteStore(file), workflows: [order], leaseMs })
  const handler = await host.run(order, { item: 'a desk', euros: 480 }, { runId: 'order-17' })
  await handler.stream().next() // the question is asked, and stored
  console.log(`killed while it was ${handler.status}`)
  process.kill(process.pid, 'SIGKILL')
}

/** The second process: knows the workflow and the file, and nothing else. */
async function goOn(file: string): Promise<void> {
  const store = sqliteStore(file)
  const host = createHost({ store, workflows: [order], leaseMs }) // what was left is gone on with by itself
  for (const { runId } of (await host.list({ workflow: 'order' })).runs) {
    const run = await host.get<string>(runId)
    for (const { requestId, prompt } of (await run?.pendingInputs()) ?? []) {
      console.log(`${runId} asks: ${prompt}`)
      await run?.respondToInput(requestId, true)
    }
    console.log(`${runId}: ${await run?.result()}`)
    // Each step is there once, whichever process ran it.
    console.log((await run?.history())?.flatMap(({ step }) => step ?? []).join(', '))
  }
  await host.close()
  await store.close()
}

export async function main(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'durable-runs-'))
  for (const part of ['begin', 'goOn']) {
    for (const line of await runInProcess(part, join(folder, 'orders.db'))) console.log(`${part}: ${line}`)
  }
  await rm(folder, { recursive: true })
}

/** Runs this file as a program of its own, and gives the lines that it prints, also if it is killed. */
async function runInProcess(part: string, file: string): Promise<string[]> {
  const program = ['--import', 'tsx', fileURLToPath(import.meta.url), part, file]
  const cwd = fileURLToPath(new URL('..', import.meta.url))
  return new Promise((resolve, reject) => {
    execFile(process.execPath, program, { cwd }, (error, stdout, stderr) => {
      if (error !== null && error.signal !== 'SIGKILL') reject(new Error(stderr, { cause: error }))
      else resolve(stdout.trim().split('\n'))
    })
  })
}

const [, program, part, file = ''] = process.argv
if (program === fileURLToPath(import.meta.url)) await (part === 'begin' ? begin(file) : goOn(file))
