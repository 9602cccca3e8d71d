import { readFileSync } from 'node:fs'
import type { Durable, DurableAdapter, DurablePlace } from './durable-adapter.ts'

/** Runs one durable engine in a process of its own, a sample whenever durable.ts asks for one. */
export type DurableRequest =
  | { kind: 'open'; adapter: string; place: DurablePlace }
  | { kind: 'recordSize' }
  /** `runs` runs at once, of `steps` steps each. */
  | { kind: 'sample'; runs: number; steps: number }
  | { kind: 'state'; steps: number }
  | { kind: 'close' }
export type DurableReply =
  | { kind: 'opened'; version: string }
  | { kind: 'size'; size: number }
  | { kind: 'sampled'; ms: number; cpuUs: number }
  | { kind: 'written'; fileBytes: number; logicalBytes: number | undefined }
  | { kind: 'cannot' }
  | { kind: 'closed' }
  | { kind: 'failed'; error: string }

let engine: Durable
let name = ''

/** What the process has handed to the system to write: to databases and their logs, and hardly anything else. */
async function fileBytes(): Promise<number> {
  if (engine.fileBytes !== undefined) return engine.fileBytes()
  return Number(/^wchar: (\d+)$/m.exec(readFileSync('/proc/self/io', 'utf8'))?.[1])
}

async function sample(runs: number, steps: number): Promise<DurableReply> {
  globalThis.gc?.({ type: 'minor' })
  const cpu = process.cpuUsage()
  const start = performance.now()
  const results = await Promise.all(Array.from({ length: runs }, () => engine.run(steps)))
  const ms = engine.ownTime?.() ?? performance.now() - start
  const { user, system } = process.cpuUsage(cpu)
  for (const result of results) if (result !== steps) throw new Error(`Expected ${steps} steps, got ${result}.`)
  return { kind: 'sampled', ms, cpuUs: user + system }
}

async function answer(request: DurableRequest): Promise<DurableReply> {
  switch (request.kind) {
    case 'open': {
      name = request.adapter
      const { adapter } = (await import(`./durable/${name}.ts`)) as { adapter: DurableAdapter }
      engine = await adapter.open(request.place)
      return { kind: 'opened', version: adapter.version }
    }
    case 'recordSize':
      return { kind: 'size', size: (await engine.recordSize?.()) ?? 0 }
    case 'sample':
      return sample(request.runs, request.steps)
    case 'state': {
      if (engine.runWithState === undefined) return { kind: 'cannot' }
      engine.logicalBytes?.()
      const before = await fileBytes()
      const steps = await engine.runWithState(request.steps)
      if (steps !== request.steps) throw new Error(`Expected ${request.steps} steps, got ${steps}.`)
      return { kind: 'written', fileBytes: (await fileBytes()) - before, logicalBytes: engine.logicalBytes?.() }
    }
    case 'close':
      await engine.close()
      return { kind: 'closed' }
  }
}

process.on('message', (request: DurableRequest) => {
  answer(request)
    .catch((error: unknown): DurableReply => {
      const text = error instanceof Error ? error.stack : String(error)
      return { kind: 'failed', error: `${name}, ${request.kind}: ${text}` }
    })
    .then((reply) => process.send?.(reply))
})
