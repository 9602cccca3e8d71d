import { createHost, memoryStore } from 'blazen-xstate'
import { expect, test } from 'vitest'
import { version1, version2 } from '../examples/12-versions-and-migration.ts'

async function until(holds: () => unknown): Promise<void> {
  for (let tries = 0; !(await holds()); tries++) {
    if (tries > 2_000) throw new Error('It did not come to pass.')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/** A store with a run of version 1 that is in its second step, and that nobody has. */
async function storeWithOldRun() {
  const store = memoryStore()
  const host = createHost({ store, workflows: [version1], graceMs: 0 })
  await host.run(version1, { item: 'tea' }, { runId: 'old' })
  await until(async () => (await store.info('old'))?.seq === 2)
  await host.close()
  return store
}

test('a run whose records a new version does not route is refused, not failed, and its own version goes on with it', async () => {
  const store = await storeWithOldRun()
  const errors: unknown[] = []
  const onStoreError = (error: unknown) => void errors.push(error)
  const changed = createHost({ store, workflows: [version2], pollMs: 5, leaseMs: 300, onStoreError })
  await until(() => errors.length > 0)
  expect(errors[0]).toMatchObject({
    code: 'snapshot',
    message: expect.stringContaining('give the changed workflow another name'),
  })
  expect(await store.info('old')).toMatchObject({ status: 'running', seq: 2 })
  await changed.close()
  await using host = createHost({ store, workflows: [version1], pollMs: 5, leaseMs: 300, graceMs: 0 })
  await until(async () => (await (await host.get('old'))?.handler()) !== undefined)
  expect(await (await host.get('old'))?.status()).toBe('running')
})

test('without onStoreError, a run that cannot be recovered is a warning', async () => {
  const store = await storeWithOldRun()
  const warnings: Error[] = []
  const listen = (warning: Error) => void warnings.push(warning)
  process.on('warning', listen)
  try {
    await using _host = createHost({ store, workflows: [version2], pollMs: 5 })
    await until(() => warnings.some(({ message }) => message.includes('give the changed workflow another name')))
  } finally {
    process.off('warning', listen)
  }
})
