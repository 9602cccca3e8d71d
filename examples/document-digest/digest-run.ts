import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Host, RunHandle, RunStatus, WorkflowHandler } from 'blazen-xstate'
import type { DigestResult, defineDigestWorkflow } from './digest-workflow.ts'

/** What is to be digested. Two digests of the same are one, until it has ended. */
export interface DigestInput {
  folder: string
  out: string
  documents: 'all' | 'readmes'
}

export interface DigestRun {
  run: RunHandle<DigestResult>
  /** Whether it was begun before, by a process that did not get to the end. */
  isOld: boolean
}

const ENDED: readonly RunStatus[] = ['completed', 'failed', 'aborted']

/** The run of this digest that has not ended; else a new one, in the place of the one before. */
export async function beginOrGoOn(
  host: Host,
  workflow: ReturnType<typeof defineDigestWorkflow>,
  input: DigestInput,
): Promise<DigestRun> {
  const idempotencyKey = JSON.stringify([input.folder, input.out, input.documents])
  for (;;) {
    const newId = randomUUID()
    const { runId } = await host.run(workflow, input, { runId: newId, idempotencyKey })
    const run = await host.get<DigestResult>(runId)
    if (run === undefined) continue
    if (runId === newId || !ENDED.includes(await run.status())) return { run, isOld: runId !== newId }
    await host.delete(runId)
  }
}

/** The run's handler here: as soon as no other process has the run, or when it has ended. */
export async function takeOver(
  run: RunHandle<DigestResult>,
  { signal, onWait }: { signal: AbortSignal; onWait: () => void },
): Promise<WorkflowHandler<DigestResult>> {
  for (let isFirst = true; ; isFirst = false) {
    const handler = await run.handler()
    if (handler !== undefined) return handler
    if (isFirst) onWait()
    await sleep(100, undefined, { signal })
  }
}
