import { execFile } from 'node:child_process'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { createWebSocketInspector, createWebSocketReceiver, type StatelyInspectionEvent } from '@statelyai/inspect'
import { inspect } from 'blazen-xstate/inspect'
import { afterEach, expect, test, vi } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { createMachine } from 'xstate'
import { book, wordCounter } from '../examples/03-fan-out-fan-in.ts'

const open: WebSocketServer[] = []

afterEach(() => {
  for (const server of open.splice(0)) {
    for (const client of server.clients) client.terminate()
    server.close()
  }
})

/** What an inspector server does, on loopback alone: each message goes to all others. */
async function createRelay(): Promise<{ url: string; server: WebSocketServer }> {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 })
  open.push(server)
  server.on('connection', (client) => {
    client.on('message', (data) => {
      for (const other of server.clients)
        if (other !== client && other.readyState === WebSocket.OPEN) other.send(String(data))
    })
  })
  await once(server, 'listening')
  return { url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`, server }
}

/** A relay, and what its receiver has got. */
async function createScreen(): Promise<{ url: string; seen: StatelyInspectionEvent[] }> {
  const { url, server } = await createRelay()
  const seen: StatelyInspectionEvent[] = []
  const connected = once(server, 'connection')
  createWebSocketReceiver({ server: url }).subscribe((event) => void seen.push(event))
  await connected
  return { url, seen }
}

/** Runs `lines` in a process of their own, with a run of the word counter at hand. */
async function runInProcess(lines: string): Promise<{ stdout: string; stderr: string; ms: number }> {
  const at = (path: string) => new URL(path, import.meta.url).href
  const script = `
    const { createWebSocketInspector } = await import('@statelyai/inspect')
    const { inspect } = await import('${at('../src/inspect/index.ts')}')
    const { wordCounter, book } = await import('${at('../examples/03-fan-out-fan-in.ts')}')
    ${lines}
  `
  const began = Date.now()
  const done = await promisify(execFile)(
    process.execPath,
    ['--import', 'tsx', '--input-type=module', '--eval', script],
    { cwd: fileURLToPath(new URL('..', import.meta.url)), timeout: 30_000 },
  )
  return { stdout: done.stdout.trim(), stderr: done.stderr, ms: Date.now() - began }
}

const isEnd = (event: StatelyInspectionEvent) =>
  event.type === '@xstate.snapshot' && (event.snapshot as { status?: string }).status === 'done'

test('a run arrives whole at the receiver of @statelyai/inspect, with a chart of its flow', {
  timeout: 30_000,
}, async () => {
  const { url, seen } = await createScreen()
  const handler = wordCounter.run({ book })
  const inspection = inspect(handler, createWebSocketInspector({ url }))
  await handler.result()
  await inspection.flush({ timeout: '10s' })
  // The run, and its flow.
  await vi.waitFor(() => expect(seen.filter(isEnd)).toHaveLength(2), 10_000)

  const actors = seen.flatMap((event) => (event.type === '@xstate.actor' ? [event] : []))
  expect(actors.map(({ name }) => name)).toEqual(['word-counter', 'split', 'count', 'join', 'word-counter (flow)'])
  expect(new Set(seen.map(({ rootId }) => rootId))).toEqual(new Set([handler.actor.sessionId]))
  for (const { definition } of actors) expect(() => createMachine(JSON.parse(definition ?? ''))).not.toThrow()
  const flow = createMachine(JSON.parse(actors.at(-1)?.definition ?? ''))
  expect(Object.keys(flow.states).sort()).toEqual(['count', 'join', 'split', 'the run'])

  const routed = seen.flatMap((event) => (event.type === '@xstate.event' ? [event.event.type] : []))
  expect(routed.filter((type) => type === 'Chapter')).toHaveLength(3)
  expect(routed.filter((type) => type === 'blazen.settled')).toHaveLength(7)
})

test('a large run loses nothing, also of what came before the connection', { timeout: 30_000 }, async () => {
  const { url, seen } = await createScreen()
  const handler = wordCounter.run({ book: Array(150).fill('one two').join('\n---\n') })
  const inspection = inspect(handler, createWebSocketInspector({ url }))
  await handler.result()
  await inspection.flush({ timeout: '10s' })
  await vi.waitFor(() => expect(seen.filter(isEnd)).toHaveLength(2), 10_000)
  const counted = seen.filter((event) => event.type === '@xstate.event' && event.event.type === 'Counted')
  expect(counted).toHaveLength(150)
  expect(seen[0]).toMatchObject({ type: '@xstate.actor', name: 'word-counter' })
})

test('a process whose inspector has no server ends by itself, without an error', { timeout: 60_000 }, async () => {
  const { url, server } = await createRelay()
  server.close()
  const { stdout, stderr } = await runInProcess(`
    const handler = wordCounter.run({ book })
    inspect(handler, createWebSocketInspector({ url: '${url}' }))
    console.log((await handler.result()).total)
  `)
  expect(stdout).toBe('26')
  expect(stderr).not.toMatch(/error/i)
})

test('a process that shows a run ends by itself, and what it has shown last arrives', { timeout: 60_000 }, async () => {
  const { url, seen } = await createScreen()
  const { stdout } = await runInProcess(`
    const handler = wordCounter.run({ book })
    inspect(handler, createWebSocketInspector({ url: '${url}' }))
    console.log((await handler.result()).total)
  `)
  expect(stdout).toBe('26')
  await vi.waitFor(() => expect(seen.filter(isEnd)).toHaveLength(2), 10_000)
})

test('a process that exits at once loses nothing of what was flushed', { timeout: 60_000 }, async () => {
  const { url, seen } = await createScreen()
  await runInProcess(`
    const handler = wordCounter.run({ book })
    const inspection = inspect(handler, createWebSocketInspector({ url: '${url}' }))
    await handler.result()
    await inspection.flush({ timeout: '20s' })
    process.exit(0)
  `)
  await vi.waitFor(() => expect(seen.filter(isEnd)).toHaveLength(2), 10_000)
})

test('a server that comes later is shown what was kept for it', { timeout: 60_000 }, async () => {
  const { url, server } = await createRelay()
  server.close()
  await once(server, 'close')
  const handler = wordCounter.run({ book })
  const inspection = inspect(handler, createWebSocketInspector({ url }))
  await handler.result()
  await inspection.flush({ timeout: '50ms' })

  const got: StatelyInspectionEvent[] = []
  const late = new WebSocketServer({ host: '127.0.0.1', port: Number(new URL(url).port) })
  open.push(late)
  late.on('connection', (client) => client.on('message', (data) => got.push(JSON.parse(String(data)))))
  await vi.waitFor(() => expect(got.filter(isEnd)).toHaveLength(2), 20_000)
  inspection.stop()
})
