import { createHost, defineEvent, StartEvent, StopEvent, workflow } from '../dist/index.js'
import { sqliteStore } from '../dist/sqlite.js'

/**
 * A process that starts `count` runs and leaves them in the middle of their second step, or one that recovers them.
 * `node durable-recovery.ts interrupt|recover <file> <count>`
 */
const [, , what = '', file = '', count = '0'] = process.argv
const size = Number(count)
const leaseMs = 2_000

const Next = defineEvent<{ value: number }>('Next')
let inSecond = 0
let isStuck = what === 'interrupt'

const flow = workflow('interrupted')
  .step('first', { accepts: StartEvent, emits: Next }, async (_event, ctx) => {
    ctx.set('payload', 'x'.repeat(1_000))
    return Next({ value: 1 })
  })
  .step('second', { accepts: Next, emits: StopEvent }, async ({ value }) => {
    inSecond++
    if (isStuck) await new Promise(() => {})
    return StopEvent({ result: value })
  })

const store = sqliteStore(file)
const memory = () => ({ rss: process.memoryUsage.rss(), heap: process.memoryUsage().heapUsed })
const turn = () => new Promise((resolve) => setTimeout(resolve, 2))

if (what === 'interrupt') {
  const host = createHost({ store, workflows: [flow], recover: false, leaseMs })
  for (let started = 0; started < size; started += 500)
    await Promise.all(Array.from({ length: 500 }, () => host.run(flow)))
  while (inSecond < size) await turn()
  await turn()
  process.exit(0)
}

isStuck = false
// The leases of the process that died run out, as they would have while it was started again.
await new Promise((resolve) => setTimeout(resolve, leaseMs + 500))
globalThis.gc?.()
const before = memory()
const peak = { ...before }
const start = performance.now()
createHost({ store, workflows: [flow] })
while (inSecond < size) {
  await new Promise((resolve) => setImmediate(resolve))
  const { rss, heap } = memory()
  peak.rss = Math.max(peak.rss, rss)
  peak.heap = Math.max(peak.heap, heap)
}
while ((await store.list({ status: 'completed', limit: 1 })).runs.length === 0) await turn()
for (;;) {
  const { runs } = await store.list({ status: 'running', limit: 1 })
  if (runs.length === 0) break
  await turn()
}
const ms = performance.now() - start
console.log(JSON.stringify({ ms, before, peak }))
process.exit(0)
