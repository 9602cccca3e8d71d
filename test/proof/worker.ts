import { setTimeout as sleep } from 'node:timers/promises'
import { createHost } from 'blazen-xstate'
import { postgresStore } from 'blazen-xstate/postgres'
import { sqliteStore } from 'blazen-xstate/sqlite'
import { ledger } from './ledger.ts'

/** What a process is to do, as JSON in its first argument. */
export interface Work {
  /** A file of SQLite, or a `postgres:` URL. */
  readonly store: string
  /** Where calls of steps are noted. */
  readonly effects: string
  /** Begins the ids of the runs that it starts. */
  readonly name: string
  readonly leaseMs: number
  /** How many runs it keeps going, as long as it starts any. */
  readonly runs: number
  /** How many runs it starts at most. */
  readonly starts: number
}

const work: Work = JSON.parse(process.argv[2] ?? '')

// A process that waits to be begun is at hand when another one dies.
process.stdout.write('ready\n')
await new Promise<void>((resolve) => process.stdin.once('data', () => resolve()))

const flow = ledger(work.effects)
const store = work.store.startsWith('postgres:') ? postgresStore(work.store) : sqliteStore(work.store)
const host = createHost({
  store,
  workflows: [flow],
  ...{ leaseMs: work.leaseMs, pollMs: 20 },
  onStoreError: tell,
})
process.stdout.write('begun\n')

let started = 0
while (true) {
  await going().catch(tell)
  await sleep(10)
}

/** Keeps runs going, and answers what they ask, perhaps for the second time: some other process may have done so. */
async function going(): Promise<void> {
  const { runs } = await host.list({ status: ['running', 'waiting'], limit: 1_000 })
  const missing = Math.max(0, Math.min(work.runs - runs.length, work.starts - started))
  const starts = Array.from({ length: missing }, () => host.run(flow, {}, { runId: `${work.name} ${started++}` }))
  const answers = runs.filter(({ status }) => status === 'waiting').map(({ runId }) => answer(runId).catch(tell))
  await Promise.all([...starts, ...answers])
}

async function answer(runId: string): Promise<void> {
  const run = await host.get(runId)
  for (const { requestId } of (await run?.pendingInputs()) ?? []) {
    await run?.respondToInput(requestId, `${runId} ${requestId.replace('round ', '')}`)
  }
}

function tell(error: unknown): void {
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`)
}
