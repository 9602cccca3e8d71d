import { type AnyWorkflow, createHost, defineEvent, memoryStore, StartEvent, StopEvent, workflow } from 'blazen-xstate'
import { type Run, type RunData, toData } from 'blazen-xstate/machines'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeFact } from '../src/record-codec.ts'
import { readStoredRun } from '../src/stored-run.ts'
import { compiledOf } from '../src/workflow.ts'

const Item = defineEvent<{ n: number }>('Item')
const Lot = defineEvent<{ items: number[] }>('Lot')

interface Plan {
  /** For each item: how many turns before and after it collects, how often it fails, and how many it wants. */
  readonly items: readonly {
    readonly before: number
    readonly after: number
    readonly fails: number
    readonly count: number
  }[]
  readonly concurrency: number
}

const plans: fc.Arbitrary<Plan> = fc.record({
  items: fc.array(
    fc.record({
      before: fc.nat(3),
      after: fc.nat(3),
      fails: fc.constantFrom(0, 0, 1, 2),
      count: fc.integer({ min: 1, max: 3 }),
    }),
    { minLength: 1, maxLength: 7 },
  ),
  concurrency: fc.constantFrom(1, 2, Number.POSITIVE_INFINITY),
})

const pass = async (turns: number) => {
  for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve))
}

/** All items are collected in lots, while they come and fail; then the run ends. */
function lots({ items, concurrency }: Plan): AnyWorkflow {
  return workflow('lots')
    .step('split', { accepts: StartEvent, emits: Item }, () => items.map((_, n) => Item({ n })))
    .step('pack', { accepts: Item, emits: Lot, concurrency, retry: { attempts: 3 } }, async ({ n }, ctx) => {
      const { before, after, fails, count } = items[n] ?? { before: 0, after: 0, fails: 0, count: 1 }
      await pass(before)
      const lot = ctx.collect(Item, count)
      ctx.state.update('packed', (all: number[] = []) => [...all, n])
      ctx.set('last', n)
      await pass(after)
      if (ctx.attempt <= fails) throw new Error('again')
      return [Lot({ items: lot?.map((each) => each.n) ?? [] })]
    })
    .step('count', { accepts: Lot, emits: StopEvent }, (_, ctx) => {
      const all = ctx.collect(Lot, items.length)
      return all && StopEvent({ result: all.flatMap((lot) => lot.items).sort((a, b) => a - b) })
    })
}

/** What there is to compare of a run between two facts. */
function view({ open, collections, state }: Pick<RunData, 'open' | 'collections' | 'state'>) {
  return {
    open: open.map(({ id, step, attempt, spent }) => ({ id, step, attempt, spent })),
    collections: [...collections].map(([type, each]) => [type, each.map(({ by }) => by)]).sort(),
    state: [...state].map(([key, value]) => [key, JSON.stringify(value)]).sort(),
  }
}

test('a run that is folded from its records is at every record what it was live, however steps collect', async () => {
  await fc.assert(
    fc.asyncProperty(plans, async (plan) => {
      const flow = lots(plan)
      const store = memoryStore()
      const host = createHost({ store, workflows: [flow], recover: false })
      const handler = await host.run(flow)
      const live: ReturnType<typeof view>[] = []
      let last: unknown
      handler.actor.subscribe({
        next: ({ context }) => {
          const { run }: { run: Run } = context
          if (run.journal?.folding === undefined || run.journal.folding === last) return
          last = run.journal.folding
          live.push(structuredClone(view(toData(run))))
        },
        error: () => {},
      })
      const result = (await handler.result()) as number[]
      expect(result).toEqual([...new Set(result)])
      await host.close()
      const records = await store.records(handler.runId)
      const compiled = compiledOf(flow)
      const arriving = {
        workflow: 'lots',
        steps: new Set<string>(),
        types: undefined,
        classes: compiled.blueprint.classes,
        child: () => undefined,
      }
      const facts = records.filter(({ kind, body }) => decodeFact(kind, body, () => arriving, '') !== undefined)
      expect(live).toHaveLength(facts.length)
      // The last one ends the run, which leaves nothing to compare.
      for (const [at, { seq }] of facts.slice(0, -1).entries()) {
        const { picture } = readStoredRun(compiled, { base: undefined, records: records.slice(0, seq) })
        expect({ seq, ...view(picture.data) }).toEqual({ seq, ...live[at] })
      }
    }),
    { numRuns: 150 },
  )
}, 120_000)
