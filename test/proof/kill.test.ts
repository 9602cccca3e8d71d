import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type PostgresServer, startPostgres } from '../stores/postgres-server.ts'
import { audit } from './audit.ts'
import { placesOn } from './places.ts'
import { buildWorker, startWorker } from './processes.ts'

/** How often a process is killed; the whole proof is 200. */
const kills = Number(process.env.BLAZEN_KILLS ?? 40)
/** The same seed kills after the same times; what that hits, the machine decides. */
const seed = Number(process.env.BLAZEN_SEED ?? Math.floor(Math.random() * 2 ** 31))
const longestLifeMs = 300

let file: string
let server: PostgresServer

beforeAll(async () => {
  ;[file, server] = await Promise.all([buildWorker(), startPostgres()])
}, 60_000)

afterAll(() => server?.stop(), 30_000)

for (const { name, open } of placesOn(() => server)) {
  test(
    `runs on ${name} come out right though their process is killed ${kills} times (seed ${seed})`,
    async ({ annotate }) => {
      const { path, store, effects } = open()
      const random = createRandom(seed)
      const begin = Date.now()
      const start = (name: string, starts = 1_000) =>
        startWorker(file, { store: path, effects, name, leaseMs: 100, runs: 30, starts })
      let next = start('process 0')
      for (let kill = 1; kill <= kills; kill++) {
        const worker = await next
        // The one that follows has everything loaded when this one dies.
        next = start(`process ${kill}`, kill < kills ? 1_000 : 0)
        const begun = worker.begin().catch(() => {})
        // Some die before they have looked at the store.
        if (random() > 0.1) await begun
        await sleep(random() * longestLifeMs)
        await worker.kill()
      }
      const last = await next
      await last.begin()
      const report = await audit(store, effects)
      await last.kill()
      await store.close()
      await annotate(JSON.stringify({ kills, ...report, seconds: (Date.now() - begin) / 1_000 }))
      // How many runs get through between two kills depends on the machine.
      expect(report.runs).toBeGreaterThan(0)
    },
    60_000 + kills * 3_000,
  )
}

/** Numbers from 0 to 1, the same ones for the same seed. */
function createRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0
    return (state >>> 0) / 2 ** 32
  }
}
