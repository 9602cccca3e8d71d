import {
  defineEvent,
  InputRequestEvent,
  InputResponseEvent,
  StartEvent,
  StopEvent,
  type WorkflowSnapshot,
  workflow,
} from 'blazen-xstate'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createActor, SimulatedClock } from 'xstate'
import { turns } from './waiting.ts'

/** One task of a random workflow: what it does before it reports that it is done. */
interface Task {
  /** How its report comes about: returned; another one sent early, or late; after an answer; or after a fan-out and a join. */
  readonly kind: 'returns' | 'sends' | 'delays' | 'asks' | 'fans'
  /** How many attempts fail before one succeeds. */
  readonly failures: number
  /** How long an attempt takes. */
  readonly sleepMs: number
}

interface Plan {
  readonly tasks: readonly Task[]
  readonly backoffMs: number
  readonly concurrency: number
}

const Job = defineEvent<{ id: number }>('Job')
const Piece = defineEvent<{ id: number; piece: number }>('Piece')
const Done = defineEvent<{ id: number; by: string; at: Date }>('Done')

/** A step of the clock; all times are whole steps. */
const tickMs = 10

/** The workflow of a plan, on a clock. Its result and its state do not depend on which step comes first. */
function build({ tasks, backoffMs, concurrency }: Plan, clock: SimulatedClock, onStart: (executionId: string) => void) {
  const sleep = (ms: number) =>
    ms === 0 ? undefined : new Promise<void>((resolve) => void clock.setTimeout(resolve, ms))
  // The run ends with the last of these, so that nothing is under way then.
  const reports = tasks.reduce((sum, { kind }) => sum + (kind === 'sends' || kind === 'delays' ? 2 : 1), 0)
  const done = (id: number, by: string) => Done({ id, by, at: new Date(id) })
  return workflow('random', { classes: [Tally] })
    .step('begin', { accepts: StartEvent }, async (_event, ctx) => {
      onStart(ctx.executionId)
      ctx.set('attempts', 0)
      ctx.set('sum', 0n)
      ctx.set('left', new Set(tasks.keys()))
      ctx.set('times', new Map(tasks.map((_task, id) => [id, 0])))
      ctx.setBytes('bytes', new Uint8Array(tasks.length))
      ctx.set('tally', new Tally())
      ctx.set('odd', { nan: Number.NaN, zero: -0, missing: undefined })
      ctx.session.set('note', { of: 'the session' })
      await sleep(tickMs)
      return tasks.map((_task, id) => Job({ id }))
    })
    .step(
      'work',
      { accepts: Job, concurrency, retry: { attempts: 3, delay: backoffMs, factor: 1 } },
      async ({ id }, ctx) => {
        onStart(ctx.executionId)
        const { kind, failures, sleepMs } = tasks[id] as Task
        ctx.state.update<number>('attempts', (n) => n + 1)
        ctx.set(`attempt of ${id}`, ctx.attempt)
        ctx.state.update<Map<number, number>>('times', (times) => void times.set(id, (times.get(id) ?? 0) + 1))
        if (kind === 'sends') ctx.sendEvent(done(id, 'sent'))
        if (kind === 'delays') ctx.sendEvent(done(id, 'delayed'), { delay: 3 * tickMs })
        await sleep(sleepMs)
        if (ctx.attempt <= failures) {
          ctx.set(`trace of ${id}`, 'of a failed attempt')
          throw new Error(`Attempt ${ctx.attempt} of ${id} fails.`)
        }
        ctx.state.update<bigint>('sum', (sum) => sum + BigInt(id))
        ctx.state.update<Uint8Array>('bytes', (bytes) => {
          bytes[id] = (bytes[id] ?? 0) + 1
        })
        ctx.state.update<Tally>('tally', (tally) => tally.add(id))
        ctx.state.delete(`nothing ${id}`)
        if (kind === 'asks') return InputRequestEvent({ requestId: `request ${id}`, prompt: 'Go on?' })
        if (kind === 'fans') return [Piece({ id, piece: 1 }), Piece({ id, piece: 2 })]
        return done(id, 'returned')
      },
    )
    .step('hear', { accepts: InputResponseEvent }, ({ requestId, response }, ctx) => {
      onStart(ctx.executionId)
      const id = Number(requestId.slice('request '.length))
      ctx.set(`answer to ${id}`, response)
      return done(id, 'answered')
    })
    .step('piece', { accepts: Piece }, async ({ piece }, ctx) => {
      onStart(ctx.executionId)
      await sleep(piece * tickMs)
      const pieces = ctx.collect(Piece, 2)
      if (pieces === undefined) return null
      ctx.state.update<number>('joined', (n = 0) => n + pieces.length)
      // Which two meet depends on the order; how many joins there are does not.
      return done(
        tasks.findIndex((task) => task.kind === 'fans'),
        'joined',
      )
    })
    .step('join', { accepts: Done }, async ({ id }, ctx) => {
      onStart(ctx.executionId)
      ctx.state.update<Set<number>>('left', (left) => void left.delete(id))
      const all = ctx.collect(Done, reports)
      if (all === undefined) return null
      const heard = all.map((each) => `${each.id} ${each.by} ${each.at.getTime()}`).sort()
      return StopEvent({ result: { heard, note: ctx.session.note } })
    })
}

/** Counts by id, in an object of a class. */
class Tally {
  counts: Record<string, number> = {}
  add(id: number): Tally {
    const next = new Tally()
    next.counts = { ...this.counts, [id]: (this.counts[id] ?? 0) + 1 }
    next.counts = Object.fromEntries(Object.entries(next.counts).sort())
    return next
  }
}

interface Ended {
  readonly result: unknown
  readonly state: unknown
  /** The executions that started, each as often as it did. */
  readonly started: readonly string[]
  /** One at each transition. */
  readonly snapshots: readonly Taken[]
}

/** A snapshot as text, and the time on the clock when it was taken. */
interface Taken {
  readonly text: string
  readonly at: number
}

interface Pause {
  /** The number of the transition at which the run is paused. */
  readonly at: number
  readonly inFlight: 'wait' | 'abort'
  /** Where the paused run goes on: in place, or from its snapshot in a runtime of its own. */
  readonly elsewhere: boolean
}

/** Runs a plan to its end, from the beginning or from a snapshot, in a runtime of its own. */
async function run(plan: Plan, snapshot?: Taken, pause?: Pause): Promise<Ended> {
  const clock = new SimulatedClock()
  clock.increment(snapshot?.at ?? 0)
  const started: string[] = []
  const { machine } = build(plan, clock, (id) => void started.push(id))
  const options = snapshot === undefined ? {} : { snapshot: JSON.parse(snapshot.text) }
  const actor = createActor(machine, { ...options, clock })
  const snapshots: Taken[] = []
  const now = (): Taken => ({ text: JSON.stringify(actor.getPersistedSnapshot()), at: clock.now() })
  const take = () => {
    snapshots.push(now())
    if (snapshots.length === pause?.at) actor.send({ type: 'blazen.pause', inFlight: pause.inFlight })
  }
  if (snapshot === undefined) {
    take()
    actor.subscribe(take)
  }
  actor.start()
  for (let round = 0; actor.getSnapshot().status === 'active'; round++) {
    if (round > 500) throw new Error(`The run does not end: ${JSON.stringify(actor.getPersistedSnapshot())}`)
    await turns(1)
    if (actor.getSnapshot().value === 'paused') {
      if (pause?.elsewhere) {
        const resumed = await run(plan, now())
        return { ...resumed, started: [...started, ...resumed.started], snapshots }
      }
      actor.send({ type: 'blazen.resume' })
    }
    for (const requestId of [...actor.getSnapshot().context.run.requests.keys()]) {
      actor.send(InputResponseEvent({ requestId, response: `yes to ${requestId}` }))
    }
    clock.increment(tickMs)
  }
  const { status, output, error } = actor.getSnapshot()
  if (status !== 'done') throw error
  const { context } = actor.getPersistedSnapshot() as unknown as WorkflowSnapshot
  const state = Object.fromEntries([...context.state].sort(([a], [b]) => (a < b ? -1 : 1)))
  return { result: output, state, started, snapshots }
}

const plans: fc.Arbitrary<Plan> = fc.record({
  tasks: fc.array(
    fc.record({
      kind: fc.constantFrom('returns', 'sends', 'delays', 'asks', 'fans'),
      failures: fc.integer({ min: 0, max: 2 }),
      sleepMs: fc.constantFrom(0, tickMs, 2 * tickMs),
    }),
    { minLength: 1, maxLength: 4 },
  ),
  backoffMs: fc.constantFrom(0, tickMs, 3 * tickMs),
  concurrency: fc.constantFrom(1, 2, Number.POSITIVE_INFINITY),
})

test('a run that goes on from its snapshot, taken at any transition, ends as the one that was never stopped', async () => {
  let resumes = 0
  await fc.assert(
    fc.asyncProperty(plans, async (plan) => {
      const undisturbed = await run(plan)
      for (const taken of undisturbed.snapshots) {
        const { text } = taken
        const resumed = await run(plan, taken)
        const where = `the snapshot ${text}`
        expect(resumed.result, where).toEqual(undisturbed.result)
        expect(resumed.state, where).toEqual(undisturbed.state)
        const { context, runId } = JSON.parse(text) as WorkflowSnapshot
        const open = context.executions.map(({ id }) => `${runId}/${id}`)
        const settled = Array.from({ length: context.executionsMade }, (_, n) => `${runId}/${n + 1}`).filter(
          (id) => !open.includes(id),
        )
        const again = new Set(resumed.started)
        expect(
          settled.filter((id) => again.has(id)),
          `settled, and run again, from ${where}`,
        ).toEqual([])
        expect(
          open.filter((id) => !again.has(id)),
          `in flight, and not run again, from ${where}`,
        ).toEqual([])
        resumes++
      }
    }),
    { numRuns: 60 },
  )
  // A run is more than its first and its last transition.
  expect(resumes).toBeGreaterThan(600)
}, 60_000)

test('a run that is paused at any transition, and goes on here or elsewhere, ends as the one that was never stopped', async () => {
  const pauses = fc.record({
    at: fc.integer({ min: 1, max: 30 }),
    inFlight: fc.constantFrom('wait', 'abort'),
    elsewhere: fc.boolean(),
  })
  let aborted = 0
  await fc.assert(
    fc.asyncProperty(plans, pauses, async (plan, pause) => {
      const undisturbed = await run(plan)
      const paused = await run(plan, undefined, pause)
      expect(paused.result).toEqual(undisturbed.result)
      expect(paused.state).toEqual(undisturbed.state)
      const again = paused.started.length - undisturbed.started.length
      // What was waited for does not run again.
      if (pause.inFlight === 'wait') expect(again).toBe(0)
      else aborted += again
    }),
    { numRuns: 300 },
  )
  expect(aborted).toBeGreaterThan(50)
}, 60_000)
