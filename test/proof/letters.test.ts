import { join } from 'node:path'
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
import { makeFolder } from './places.ts'

const Ping = defineEvent<{ n: number }>('Ping')

const asks = workflow('asks', { external: Ping })
  .step('ask', { accepts: StartEvent, emits: InputRequestEvent }, () =>
    InputRequestEvent({ requestId: 'q', prompt: '?' }),
  )
  .step('ping', { accepts: Ping }, (event, ctx) => ctx.state.update('pings', (all: number[] = []) => [...all, event.n]))
  .step('answer', { accepts: InputResponseEvent, emits: StopEvent }, (event, ctx) =>
    StopEvent({ result: [event.response, ctx.get<number[]>('pings', []).toSorted()] }),
  )

const settings = { workflows: [asks], pollMs: 10, leaseMs: 10_000, graceMs: 100 }

/** A host with its own connection to the file, as another process has it. */
function hostOn(path: string, options: object = {}): Host {
  return createHost({ store: sqliteStore(path), ...settings, ...options })
}

test('events and answers that come during a recovery, twice, and from another host, are taken exactly once', async () => {
  for (let round = 0; round < 10; round++) {
    const path = join(makeFolder(), 'runs.db')
    const first = hostOn(path)
    const { runId } = await first.run(asks)
    await expect.poll(async () => (await first.get(runId))?.status()).toBe('waiting')
    await using other = hostOn(path, { recover: false })
    await other.sendEvent(runId, Ping({ n: 0 }))
    await first.close()
    await other.sendEvent(runId, Ping({ n: 1 }))
    const next = hostOn(path)
    const sent = [2, 3, 4].map((n) => (n % 2 === 0 ? next : other).sendEvent(runId, Ping({ n })))
    await Promise.all(sent)
    await expect
      .poll(async () => (await other.history(runId)).filter(({ kind }) => kind === 'event').length)
      .toBeGreaterThanOrEqual(5)
    const answers = [next, other, other].map((host) => host.respondToInput(runId, 'q', 'yes'))
    await Promise.allSettled(answers)
    expect(await (await other.get(runId))?.result()).toEqual(['yes', [0, 1, 2, 3, 4]])
    const kinds = (await other.history(runId)).map(({ kind }) => kind)
    expect(kinds.filter((kind) => kind === 'answered')).toHaveLength(1)
    expect(kinds.filter((kind) => kind === 'event')).toHaveLength(5)
    await next.close()
  }
}, 60_000)

test('an answer that another host sends as its event is an answer', async () => {
  const path = join(makeFolder(), 'runs.db')
  await using owner = hostOn(path)
  await using other = hostOn(path, { recover: false })
  const handler = await owner.run(asks)
  await other.sendEvent(handler.runId, InputResponseEvent({ requestId: 'q', response: 'early or not' }))
  expect(await handler.result()).toEqual(['early or not', []])
}, 30_000)

test('a host answers what was asked before it recovered the run, unless the workflow has its own answers', async () => {
  const path = join(makeFolder(), 'runs.db')
  const first = hostOn(path)
  const handler = await first.run(asks)
  await expect.poll(() => handler.status).toBe('waiting')
  await first.close()
  await using second = hostOn(path, { onInput: () => 'of the host' })
  expect(await (await second.get(handler.runId))?.result()).toEqual(['of the host', []])

  const itself = workflow('itself', { onInput: () => 'of the workflow' })
    .step('ask', { accepts: StartEvent, emits: InputRequestEvent }, () => InputRequestEvent({ prompt: '?' }))
    .step('answer', { accepts: InputResponseEvent, emits: StopEvent }, (event) => StopEvent({ result: event.response }))
  await using third = hostOn(path, { workflows: [itself], onInput: () => 'of the host' })
  expect(await (await third.run(itself)).result()).toBe('of the workflow')
  expect(await (await third.run(itself, {}, { onInput: () => 'of the run' })).result()).toBe('of the run')
}, 30_000)
