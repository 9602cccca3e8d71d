import type { WorkflowSnapshot } from 'blazen-xstate'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createActor, SimulatedClock } from 'xstate'
import { WorkflowHandler } from '../src/handler.ts'
import { build, compositions, interpret, type Node, numberOf } from './random-composition.ts'
import { turns } from './waiting.ts'

const tickMs = 10

interface Ended {
  readonly value: number
  /** The attempts that started, at any level. */
  readonly started: readonly string[]
  readonly snapshots: readonly Taken[]
}

interface Taken {
  readonly text: string
  /** The time on the clock. */
  readonly at: number
  /** How many attempts had started. */
  readonly started: number
}

interface Pause {
  /** The number of the transition, of a run at any level, at which the outermost is paused. */
  readonly at: number
  readonly inFlight: 'wait' | 'abort'
  readonly elsewhere: boolean
}

/** Runs a composition to its end, from the beginning or from a snapshot, in a runtime of its own. */
async function run(node: Node, snapshot?: Taken, pause?: Pause): Promise<Ended> {
  const clock = new SimulatedClock()
  clock.increment(snapshot?.at ?? 0)
  const started: string[] = []
  const flow = build(node, {
    onStart: ({ executionId, attempt }) => void started.push(`${executionId}@${attempt}`),
    sleep: () => new Promise((resolve) => void clock.setTimeout(resolve, 2 * tickMs)),
  })
  const snapshots: Taken[] = []
  const now = (): Taken => ({
    text: JSON.stringify(actor.getPersistedSnapshot()),
    at: clock.now(),
    started: started.length,
  })
  let transitions = 0
  let isStarted = false
  const actor = createActor(flow.machine, {
    ...(snapshot === undefined ? { input: { value: 1 } } : { snapshot: JSON.parse(snapshot.text) }),
    clock,
    inspect: (event) => {
      if (!isStarted || event.type !== '@xstate.snapshot' || !('context' in event.snapshot)) return
      if (actor.getSnapshot().status !== 'active') return
      transitions++
      if (snapshot === undefined && pause === undefined) snapshots.push(now())
      if (transitions === pause?.at) actor.send({ type: 'blazen.pause', inFlight: pause.inFlight })
    },
  })
  actor.start()
  isStarted = true
  const handler = new WorkflowHandler(actor)
  for (let round = 0; actor.getSnapshot().status === 'active'; round++) {
    if (round > 2000) throw new Error(`The run does not end: ${JSON.stringify(actor.getPersistedSnapshot())}`)
    await turns(1)
    if (handler.status === 'paused') {
      if (pause?.elsewhere) {
        const resumed = await run(node, now())
        return { ...resumed, started: [...started, ...resumed.started], snapshots }
      }
      actor.send({ type: 'blazen.resume' })
    }
    for (const { requestId } of handler.pendingInputs) await handler.respondToInput(requestId, 'yes')
    clock.increment(tickMs)
  }
  return { value: numberOf(await handler.result()), started, snapshots }
}

/** The executions that are open, at any level. */
function openIn({ runId, context }: WorkflowSnapshot): string[] {
  return context.executions.flatMap(({ id, children = [] }) => [
    `${runId}/${id}`,
    ...children.flatMap(({ snapshot }) => openIn(snapshot)),
  ])
}

const anonymous = ({ started }: Ended) => [...started].map((id) => id.replace(/^[^/]*/, '')).sort()

test('a composition comes to what a plain interpreter makes of it; from a snapshot taken at any transition at any level, too, and nothing that had settled runs again', async () => {
  let resumes = 0
  await fc.assert(
    fc.asyncProperty(compositions, async (node) => {
      const undisturbed = await run(node)
      expect(undisturbed.value).toBe(interpret(node, 1))
      const ids = anonymous(undisturbed)
      expect(new Set(ids).size, 'started twice').toBe(ids.length)
      const { snapshots } = undisturbed
      const every = Math.max(1, Math.floor(snapshots.length / 20))
      for (const [at, taken] of snapshots.entries()) {
        if (at % every !== 0) continue
        const resumed = await run(node, taken)
        const where = `snapshot ${at}: ${taken.text}`
        expect(resumed.value, where).toBe(undisturbed.value)
        const before = undisturbed.started.slice(0, taken.started)
        const open = new Set(openIn(JSON.parse(taken.text)))
        const again = resumed.started.filter((id) => before.includes(id) && !open.has(id.replace(/@\d+$/, '')))
        expect(again, `settled, and run again, from ${where}`).toEqual([])
        expect(new Set(resumed.started).size, `twice, from ${where}`).toBe(resumed.started.length)
        const all = new Set([...before, ...resumed.started])
        expect(all, `not run, from ${where}`).toEqual(new Set(undisturbed.started))
        resumes++
      }
    }),
    { numRuns: 40 },
  )
  expect(resumes).toBeGreaterThan(300)
}, 240_000)

test('a composition that is paused at any transition, and goes on here or elsewhere, runs each step once', async () => {
  const pauses = fc.record({
    at: fc.integer({ min: 1, max: 60 }),
    inFlight: fc.constantFrom('wait', 'abort'),
    elsewhere: fc.boolean(),
  })
  await fc.assert(
    fc.asyncProperty(compositions, pauses, async (node, pause) => {
      const undisturbed = await run(node)
      const paused = await run(node, undefined, pause)
      expect(paused.value).toBe(interpret(node, 1))
      if (pause.inFlight === 'wait') expect(anonymous(paused)).toEqual(anonymous(undisturbed))
      else expect(new Set(anonymous(paused))).toEqual(new Set(anonymous(undisturbed)))
    }),
    { numRuns: 100 },
  )
}, 240_000)
