import { expect, test } from 'vitest'
import { memoryStore } from '../../src/memory-store.ts'
import { storeConformance } from '../../src/testing/store-conformance.ts'

const cases = storeConformance(() => memoryStore())
for (const { name, run } of cases) test(name, run)

test('leases are measured with the clock that is given', async () => {
  const clock = { now: 0 }
  const waits: Promise<void>[] = []
  const wait = async (ms: number) => {
    clock.now += ms
  }
  for (const { name, run } of storeConformance(() => memoryStore({ now: () => clock.now }), { wait }))
    if (/lease|asleep|renewing/.test(name)) waits.push(run())
  expect(waits.length).toBeGreaterThan(3)
  for (const each of waits) await each
})
