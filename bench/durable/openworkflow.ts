import Module, { createRequire } from 'node:module'
import { join } from 'node:path'
import { versionOf } from '../adapter.ts'
import type { DurableAdapter } from '../durable-adapter.ts'

/** Where Node has no `node:sqlite`, `better-sqlite3` stands in for it, whose database has the same methods. */
function provideSqlite(): void {
  if (Number(process.versions.node.split('.')[0]) >= 22) return
  const loader = Module as unknown as { _load(request: string, ...rest: unknown[]): unknown }
  const load = loader._load
  const DatabaseSync = createRequire(import.meta.url)('better-sqlite3')
  loader._load = (request, ...rest) =>
    request === 'node:sqlite' ? { DatabaseSync } : load.call(loader, request, ...rest)
}

export const adapter: DurableAdapter = {
  name: 'openworkflow',
  version: versionOf('openworkflow'),
  open: async ({ folder, payload: pad }) => {
    provideSqlite()
    const { BackendSqlite } = await import('openworkflow/sqlite')
    const { OpenWorkflow } = await import('openworkflow')
    const backend = BackendSqlite.connect(join(folder, 'openworkflow.db'))
    const inner = backend as unknown as { db: { exec(sql: string): void } }
    inner.db.exec('PRAGMA synchronous = NORMAL')
    const client = new OpenWorkflow({ backend })
    // The time is from the first step to the end, so that how often the worker looks for runs is not in it.
    let startedAt = 0
    let endedAt = 0
    const flow = client.defineWorkflow({ name: 'flow' }, async ({ input, step }) => {
      startedAt = performance.now()
      let value = 0
      for (let index = 0; index < (input as { steps: number }).steps; index++) {
        const result = await step.run({ name: `step${index}` }, async () => ({ value: value + 1, pad }))
        value = result.value
      }
      endedAt = performance.now()
      return value
    })
    const worker = client.newWorker({ concurrency: 1 })
    await worker.start()
    return {
      run: async (steps) => {
        const handle = await flow.run({ steps })
        return (await handle.result()) as number
      },
      ownTime: () => endedAt - startedAt,
      close: () => worker.stop(),
    }
  },
}
