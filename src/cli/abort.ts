import type { Command } from 'commander'
import { fail } from '../../machines/index.ts'
import { Blobs } from '../codec.ts'
import { engineClasses } from '../engine-classes.ts'
import { encodeFact } from '../record-codec.ts'
import { Packer } from '../snapshot-write.ts'
import type { RunInfo, Store } from '../store.ts'
import { endedStatuses } from '../store-rules.ts'
import { post, waitOption } from './post.ts'
import { toPlain } from './shown-value.ts'
import { addStoreCommand, printJson, requireRun, type StoreOptions, withStore } from './store-command.ts'
import type { Terminal } from './terminal.ts'

interface AbortOptions extends StoreOptions {
  readonly wait: number
}

/** What has become of it. */
type Outcome = 'aborted' | 'ended' | 'posted'

export function addAbort(program: Command, terminal: Terminal): void {
  addStoreCommand(program, 'abort', 'abort a run, wherever it is')
    .argument('<id>', 'the run')
    .argument('[reason]', 'a text')
    .addOption(waitOption())
    .action(async (runId: string, reason: string | undefined, options: AbortOptions) => {
      const [outcome, { status }] = await withStore(options, async (store) => {
        const done = await abortRun(store, await requireRun(store, runId), reason, options.wait)
        return [done, await requireRun(store, runId)] as const
      })
      if (options.json) return printJson(terminal, { runId, status, aborted: outcome === 'aborted' })
      const run = `Run ${toPlain(runId)}`
      if (outcome === 'aborted') terminal.print(`${run} is aborted.`)
      else if (outcome === 'ended') terminal.print(`${run} had ended already (${toPlain(status)}), and stays as it is.`)
      else terminal.print(`The abort is in the inbox of the run: its host takes it as soon as it looks.`)
    })
}

async function abortRun(store: Store, info: RunInfo, reason: string | undefined, waitMs: number): Promise<Outcome> {
  if (endedStatuses.includes(info.status)) return 'ended'
  if (await abortFree(store, info, reason)) return 'aborted'
  const isTaken = await post(store, info.runId, { kind: 'abort', reason }, engineClasses(), waitMs)
  if (!isTaken) return 'posted'
  return (await requireRun(store, info.runId)).status === 'aborted' ? 'aborted' : 'ended'
}

/** Aborts a run that nobody has: nobody would read a letter to it. Whoever had it is fenced off, as by any claim. */
async function abortFree(store: Store, { runId, workflow }: RunInfo, reason: string | undefined): Promise<boolean> {
  const id = crypto.randomUUID()
  const leaseMs = 10_000
  const [info] = await store.claim({ owner: id, leaseMs, limit: 1, workflows: [workflow], runIds: [runId] })
  if (info === undefined) return false
  const verdicts = await store.append([
    {
      ...{ runId, owner: { id, epoch: info.epoch, leaseMs }, expectedSeq: info.seq, taken: [], status: 'aborted' },
      records: [{ seq: info.seq + 1, at: Date.now(), ...toAborted(info, reason) }],
    },
  ])
  return verdicts[0] === 'appended'
}

function toAborted({ workflow }: RunInfo, reason: string | undefined) {
  const blobs = new Blobs()
  const pack = new Packer({
    ...{ workflow, version: undefined, policy: 'pickle_or_error', classes: engineClasses(), blobs },
    ...{ session: new Map(), lostSession: [], lostState: [], onDrop: () => {} },
    child: () => {
      throw new TypeError('An abort holds no run inside.')
    },
  })
  const { kind, body } = encodeFact(fail({ kind: 'aborted', reason }), pack)
  return { kind, body: JSON.stringify(body), bytes: blobs.toBytes() }
}
