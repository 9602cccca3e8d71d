import { spawnSync } from 'node:child_process'
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
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
import { expect, onTestFinished, test } from 'vitest'
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

test('a damaged file is named with the run that cannot be read, and a host on it goes on', async () => {
  const path = join(mkdtempSync(join(tmpdir(), 'blazen-disk-')), 'runs.db')
  const first = createHost({ store: sqliteStore(path), workflows: [grows], graceMs: 100 })
  const handler = await first.run(grows, {}, { runId: 'damaged' })
  await waits(first, 'damaged')
  for (let n = 0; n < 20; n++) await handler.sendEvent(Grow({ n }))
  await waits(first, 'damaged')
  await first.close()
  const handle = new Database(path)
  handle.pragma('wal_checkpoint(TRUNCATE)')
  handle.close()
  const bytes = readFileSync(path)
  bytes.fill(0xee, bytes.length - 1_900_000, bytes.length - 20_000)
  writeFileSync(path, bytes)
  const errors: unknown[] = []
  const store = sqliteStore(path)
  const next = createHost({ store, workflows: [grows], pollMs: 20, onStoreError: (error) => errors.push(error) })
  await expect.poll(() => errors.length, { timeout: 20_000 }).toBeGreaterThan(0)
  expect(errors[0]).toMatchObject({ code: 'store_corrupt', permanent: true })
  expect(String(errors[0])).toContain(`${path}: The database is damaged, found when reading run "damaged"`)
  await next.close()
  await store.close()
}, 60_000)

test('tables of a newer version are refused before a host is made of them, and are left as they are', async () => {
  const path = join(mkdtempSync(join(tmpdir(), 'blazen-disk-')), 'runs.db')
  const store = sqliteStore(path)
  const host = createHost({ store, workflows: [grows], graceMs: 100 })
  await host.run(grows, {}, { runId: 'newer' })
  await waits(host, 'newer')
  await host.close()
  await store.close()
  const handle = new Database(path)
  handle.exec('UPDATE blazen_schema SET version = 99')
  expect(() => createHost({ store: sqliteStore(path), workflows: [grows] })).toThrow(
    expect.objectContaining({ code: 'store_newer', permanent: true }),
  )
  handle.exec('UPDATE blazen_schema SET version = 1')
  handle.close()
  const again = sqliteStore(path)
  await using next = createHost({ store: again, workflows: [grows], pollMs: 20 })
  await next.respondToInput('newer', 'q', 'yes')
  expect(await (await next.get('newer'))?.result()).toBe('yes')
}, 60_000)

/** A file system of 2 MB, or why there is none. */
function mountTiny(): { folder: string } | { refusal: string } {
  const folder = mkdtempSync(join(tmpdir(), 'blazen-tiny-'))
  const { status, stderr, error } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', folder])
  if (status !== 0) return { refusal: String(error ?? stderr).trim() || 'mount failed' }
  onTestFinished(() => void spawnSync('umount', ['-l', folder]))
  return { folder }
}

test('on a disk that is really full a run ends with a clear error, and goes on when there is room', async ({
  skip,
}) => {
  const tiny = mountTiny()
  if ('refusal' in tiny) return skip(`No file system can be mounted here: ${tiny.refusal}`)
  const store = sqliteStore(join(tiny.folder, 'runs.db'))
  const errors: unknown[] = []
  const host = createHost({
    ...{ store, workflows: [grows], leaseMs: 300, pollMs: 20, graceMs: 100 },
    onStoreError: (error) => errors.push(error),
  })
  const handler = await host.run(grows, {}, { runId: 'tiny' })
  await waits(host, 'tiny')
  const filler = join(tiny.folder, 'filler')
  for (let size = 1 << 20; size >= 1 << 12; size /= 2) {
    try {
      for (;;) appendFileSync(filler, new Uint8Array(size))
    } catch {}
  }
  const sending = handler.sendEvent(Grow({ n: 1 })).catch((error: unknown) => error)
  expect(await rejection(handler.result())).toMatchObject({ code: 'store_full', permanent: true })
  await sending
  expect(errors.length).toBeGreaterThan(0)
  rmSync(filler)
  await waits(host, 'tiny')
  await host.respondToInput('tiny', 'q', 'yes')
  expect(await (await host.get('tiny'))?.result()).toBe('yes')
  await host.close()
  await store.close()
}, 60_000)
