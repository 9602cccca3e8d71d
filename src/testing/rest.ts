import type { AnyActorRef } from 'xstate'
import { type Attempt, clockOf, now, type Run, type StepSnapshot } from '../../machines/index.ts'
import { RunJournal } from '../run-journal.ts'
import { realNow, realPause, turn } from './real-time.ts'

/** How often the event loop turns without anything being at work before that is called rest. */
const quietTurns = 5
/** How often it turns before turns are more than a loop should make. */
const quickTurns = 50

/**
 * Waits until the runs of a clock have come to rest: until no function of a step is at work, and all is written. That
 * takes time of the machine's, of which each of them gets so much at most: one that never ends is no reason to wait
 * for ever.
 */
export class Rest {
  readonly #runs = new Set<AnyActorRef>()
  readonly #followed = new Set<Promise<unknown>>()
  /** Since when what is at work is so, in the machine's time. */
  #since: ReadonlyMap<object, number> = new Map()
  readonly #patienceMs: number
  /** How many functions wait for the clock, and are not at work. */
  asleep = 0

  constructor(patienceMs: number) {
    this.#patienceMs = patienceMs
  }

  add(run: AnyActorRef): void {
    this.#runs.add(run)
  }

  /** Counts as work until it settles. */
  follow(promise: Promise<unknown>): void {
    this.#followed.add(promise)
    const settled = () => this.#followed.delete(promise)
    promise.then(settled, settled)
  }

  async reached(): Promise<void> {
    for (let quiet = 0, turns = 0; quiet < quietTurns; turns++) {
      await (turns < quickTurns ? turn() : realPause(1))
      quiet = this.#isAtWork() ? 0 : quiet + 1
    }
  }

  /** What keeps the runs from ending, for an error. */
  describe(): string {
    const lines = [...this.#runs].map((actor) => describeRun(actor, attemptsOf(actor)))
    return lines.length === 0 ? 'No run is under way on it.' : lines.join(' ')
  }

  #isAtWork(): boolean {
    const attempts: object[] = []
    const others: object[] = [...this.#followed]
    for (const actor of this.#runs) {
      const running = attemptsOf(actor)
      const other = findWork(actor, running.length > 0)
      attempts.push(...running)
      others.push(...other)
      if (other.length === 0 && actor.getSnapshot().status !== 'active') this.#runs.delete(actor)
    }
    const at = realNow()
    this.#since = new Map([...attempts, ...others].map((work) => [work, this.#since.get(work) ?? at]))
    const isFresh = (work: object) => at - (this.#since.get(work) as number) < this.#patienceMs
    return others.some(isFresh) || (attempts.length > this.asleep && attempts.some(isFresh))
  }
}

/** The attempts whose functions have not settled. */
function attemptsOf(actor: AnyActorRef): readonly Attempt[] {
  const { status, children } = actor.getSnapshot()
  if (status !== 'active') return []
  return Object.values<AnyActorRef | undefined>(children).flatMap((child) => {
    const { activity }: Partial<StepSnapshot> = child?.getSnapshot() ?? {}
    return [...(activity?.running ?? [])].filter(({ waiting }) => !waiting)
  })
}

/** What else goes on in a run without the clock. */
function findWork(actor: AnyActorRef, isRunning: boolean): object[] {
  const { status, value, context } = actor.getSnapshot()
  const { run }: { run: Run } = context
  const { journal } = run
  const work: object[] = journal instanceof RunJournal && !journal.isWritten ? [journal] : []
  if (status !== 'active') return work
  if (run.preparing) work.push(run)
  if (run.inline) work.push(...run.requests.values())
  if (value !== 'running' || isRunning || run.halted) return work
  const at = now(clockOf(actor))
  const begins = [...run.open.values()].find(({ dueAt = at }) => dueAt <= at)
  return begins === undefined ? work : [...work, begins]
}

function describeRun(actor: AnyActorRef, running: readonly Attempt[]): string {
  const { value, context } = actor.getSnapshot()
  const { run }: { run: Run } = context
  const names = [...new Set(running.map(({ execution }) => `"${execution.step}"`))]
  const asked = [...run.requests.keys()].map((id) => `"${id}"`)
  const parts = [
    ...(names.length > 0 ? [`step ${names.join(', ')} has not returned`] : []),
    ...(asked.length > 0 ? [`nobody has answered ${asked.join(', ')}`] : []),
  ]
  return `Run ${run.id} is ${value}${parts.length > 0 ? `: ${parts.join('; ')}` : ''}.`
}
