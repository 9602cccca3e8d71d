import { createHost, memoryStore, StartEvent, StopEvent, workflow } from 'blazen-xstate'
import { expect, test } from 'vitest'
import { until } from './waiting.ts'

const version = (name: string) =>
  workflow('order', { version: name }).step('pack', { accepts: StartEvent, emits: StopEvent }, async () => {
    await new Promise((resolve) => setTimeout(resolve, name === '1' ? 60_000 : 0))
    return StopEvent({ result: name })
  })

test('without onStoreError, a run that cannot be recovered is a warning', async () => {
  const store = memoryStore()
  const old = version('1')
  const before = createHost({ store, workflows: [old], graceMs: 0 })
  await before.run(old, {}, { runId: 'old' })
  await before.close()
  const warnings: Error[] = []
  const listen = (warning: Error) => void warnings.push(warning)
  process.on('warning', listen)
  try {
    await using _host = createHost({ store, workflows: [version('2')], pollMs: 5 })
    await until(() => warnings.some(({ message }) => message.includes('version')))
    expect(await store.info('old')).toMatchObject({ status: 'running', seq: 1 })
  } finally {
    process.off('warning', listen)
  }
})
