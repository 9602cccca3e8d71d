import type { Store } from '../store.ts'
import { inboxCases } from './inbox-cases.ts'
import { leaseCases } from './lease-cases.ts'
import { recordCases } from './record-cases.ts'
import { runCases } from './run-cases.ts'
import { Bench, type StoreTest } from './store-case.ts'

/** One thing that a store must do: `run` rejects, with what was expected and what came, if it does not. */
export interface StoreConformanceCase {
  readonly name: string
  /** Rejects if the store does not keep to it. */
  readonly run: () => Promise<void>
}

/** What the cases may do beside creating stores. */
export interface StoreConformanceOptions {
  /** Opens the database of `store` once more, as another process would. Left out, the cases that need it are too. */
  readonly reopen?: (store: Store) => Promise<Store> | Store
  /** Lets time pass for the store's leases, in milliseconds. @default real waiting */
  readonly wait?: (ms: number) => Promise<void>
}

/**
 * What a {@link Store} has to keep to, as cases for any test runner. Each calls `create` for a store and closes it; all
 * may use the same database, with whatever is in it.
 *
 * @example
 * for (const { name, run } of storeConformance(() => memoryStore())) test(name, run)
 */
export function storeConformance(
  create: () => Promise<Store> | Store,
  { reopen, wait = sleep }: StoreConformanceOptions = {},
): StoreConformanceCase[] {
  const tests = [...runCases, ...recordCases, ...leaseCases, ...inboxCases]
  return tests
    .filter(({ isShared }) => !isShared || reopen !== undefined)
    .map((each) => ({ name: each.name, run: () => runTest(each, create, reopen, wait) }))
}

async function runTest(
  { isShared, test }: StoreTest,
  create: () => Promise<Store> | Store,
  reopen: StoreConformanceOptions['reopen'],
  wait: (ms: number) => Promise<void>,
): Promise<void> {
  const store = await create()
  try {
    const other = isShared && reopen ? await reopen(store) : store
    try {
      await test(new Bench(store, other, wait))
    } finally {
      await other.close()
    }
  } finally {
    await store.close()
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
