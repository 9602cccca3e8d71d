import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import {
  createHost,
  defineEvent,
  type Host,
  InputRequestEvent,
  InputResponseEvent,
  StartEvent,
  StopEvent,
  workflow,
} from 'blazen-xstate'
import { sqliteStore } from 'blazen-xstate/sqlite'
import { expect, test } from 'vitest'
import { rejection } from '../waiting.ts'

const Grow = defineEvent<{ n: number }>('Grow')

const grows = workflow('grows', { external: Grow })
  .step('begin', { accepts: StartEvent, emits: InputRequestEvent }, () =>
    InputRequestEvent({ requestId: 'q', prompt: '?' }),
  )
  .step('grow', { accepts: Grow }, (event, ctx) => ctx.setBytes(`bytes ${event.n}`, new Uint8Array(100_000)))
  .step('end', { accepts: InputResponseEvent, emits: StopEvent }, (event) => StopEvent({ result: event.response }))

function open() {
  const path = join(mkdtempSync(join(tmpdir(), 'blazen-disk-')), 'runs.db')
  const handle = new Database(path)
  const errors: unknown[] = []
  const host = createHost({
    store: sqliteStore(handle),
    workflows: [grows],
    ...{ leaseMs: 300, pollMs: 20, graceMs: 100 },
    onStoreError: (error) => errors.push(error),
  })
  return { handle, host, errors }
}

const statusOf = async (host: Host, runId: string) => (await host.get(runId))?.status()
const waits = (host: Host, runId: string) =>
  expect.poll(() => statusOf(host, runId), { timeout: 20_000 }).toBe('waiting')

test('a run that the disk has no room for ends here with a clear error, and goes on when there is room', async () => {
  const { handle, host, errors } = open()
  const handler = await host.run(grows, {}, { runId: 'large' })
  await waits(host, 'large')
  handle.pragma(`max_page_count = ${Number(handle.pragma('page_count', { simple: true })) + 4}`)
  await handler.sendEvent(Grow({ n: 1 }))
  const error = await rejection(handler.result())
  expect(error).toMatchObject({ code: 'store_full', permanent: true })
  expect(errors).toContain(error)
  expect((await host.list()).runs.map(({ runId, status }) => [runId, status])).toEqual([['large', 'running']])
  handle.pragma('max_page_count = 100000')
  await waits(host, 'large')
  await host.respondToInput('large', 'q', 'yes')
  expect(await (await host.get('large'))?.result()).toBe('yes')
  const kinds = (await host.history('large')).map(({ kind }) => kind)
  expect(kinds.filter((kind) => kind === 'settled')).toHaveLength(3)
  await host.close()
}, 60_000)

test('a database that can only be read is named so, and its runs go on when it can be written', async () => {
  const { handle, host } = open()
  const handler = await host.run(grows, {}, { runId: 'read' })
  await waits(host, 'read')
  handle.pragma('query_only = ON')
  expect(await rejection(handler.sendEvent(Grow({ n: 1 })))).toMatchObject({ code: 'store_read_only', permanent: true })
  expect(await rejection(host.run(grows))).toMatchObject({ code: 'store_read_only' })
  handle.pragma('query_only = OFF')
  await waits(host, 'read')
  await host.respondToInput('read', 'q', 1)
  expect(await (await host.get('read'))?.result()).toBe(1)
  await host.close()
}, 60_000)

test('what cannot be written of one run does not keep the others from going on', async () => {
  const { handle, host } = open()
  const [large, small] = await Promise.all([host.run(grows), host.run(grows)])
  await Promise.all([waits(host, large.runId), waits(host, small.runId)])
  // A record that is too big for the database; the other comes in the same commit.
  handle.exec(`CREATE TRIGGER refuse BEFORE INSERT ON blazen_records WHEN length(NEW.bytes) > 50000
    BEGIN SELECT raise(ABORT, 'too big'); END`)
  await large.sendEvent(Grow({ n: 1 }))
  await small.respondToInput('q', 'fine')
  expect(await small.result()).toBe('fine')
  expect(await rejection(large.result())).toMatchObject({ code: 'store_failed', permanent: true })
  await host.close()
}, 60_000)

test('a damaged record is named with its run, the other runs go on, and mended it is recovered', async () => {
  const { handle, host } = open()
  const [damaged, whole] = await Promise.all([
    host.run(grows, {}, { runId: 'damaged' }),
    host.run(grows, {}, { runId: 'whole' }),
  ])
  await Promise.all([waits(host, damaged.runId), waits(host, whole.runId)])
  await host.close()
  const key = "(SELECT id FROM blazen_runs WHERE run_id = 'damaged') << 32 | 2"
  const { body } = handle.prepare(`SELECT body FROM blazen_records WHERE key = ${key}`).get() as { body: string }
  const write = handle.prepare(`UPDATE blazen_records SET body = ? WHERE key = ${key}`)
  write.run(body.slice(0, -9))
  const errors: unknown[] = []
  const onStoreError = (error: unknown) => errors.push(error)
  await using next = createHost({
    store: sqliteStore(handle),
    workflows: [grows],
    leaseMs: 300,
    pollMs: 20,
    onStoreError,
  })
  await next.respondToInput('whole', 'q', 'fine')
  expect(await (await next.get('whole'))?.result()).toBe('fine')
  await expect.poll(() => errors.length, { timeout: 20_000 }).toBeGreaterThan(0)
  expect(String(errors[0])).toContain('damaged/2')
  write.run(body)
  await next.respondToInput('damaged', 'q', 'mended')
  expect(await (await next.get('damaged'))?.result()).toBe('mended')
}, 60_000)
