import { type AnyActorRef, type AnyEventObject, createActor } from 'xstate'
import { relay, toStillScope } from './actor-scope.ts'
import type { ChildRun, Execution, Picture } from './execution.ts'
import type { Journal } from './journal.ts'
import type { RunPicture, WorkflowMachine, WorkflowMachineSnapshot } from './machine.ts'
import { fail } from './record.ts'
import { clearWork, type Run, toData } from './run.ts'
import { passTime, timeLeft } from './timers.ts'

/** What a run has to know of the workflow of its children. */
export interface ChildLogic {
  readonly machine: WorkflowMachine
  /** The transitions alone, of which nothing is called, sent or armed. */
  readonly transition: WorkflowMachine['transition']
  /** What the machine takes as the snapshot of a child that goes on. */
  readonly arrive: (picture: Picture, place: ChildPlace) => unknown
}

/** Where in a run a child is. */
export interface ChildPlace {
  readonly parent: Run
  readonly execution: Execution
  readonly name: string
  readonly journal: Journal | undefined
}

/** A run that an execution of another run has begun: an actor below the actor of the step. */
export class Child implements ChildRun {
  #snapshot: WorkflowMachineSnapshot<unknown>
  #isStarted = false
  #told: unknown
  readonly #parent: Run | undefined

  constructor(
    readonly name: string,
    readonly logic: ChildLogic,
    readonly actor: AnyActorRef,
    readonly journal: ChildJournal | undefined,
    /** Where it came with a run that is there, or is folded. */
    parent?: Run,
  ) {
    this.#parent = parent
    this.#snapshot = actor.getSnapshot()
    if (journal !== undefined) journal.child = actor
  }

  /** A child as it was written down, to go on below `step`. */
  static from(still: ChildRun, logic: ChildLogic, parent: Run, execution: Execution, step: AnyActorRef): Child {
    const { name } = still
    const journal = parent.journal === undefined ? undefined : new ChildJournal(parent.journal, execution, name)
    const snapshot = logic.arrive(still.picture(), { parent, execution, name, journal })
    const actor = createActor(logic.machine, { snapshot: snapshot as never, parent: step })
    const child = new Child(name, logic, actor, journal, parent)
    child.run.foldedUntil = parent.foldedUntil
    return child
  }

  /** The run inside. */
  get run(): Run {
    return this.snapshot.context.run
  }

  /** Where it stands: of one that is not started, what was restored. */
  get snapshot(): WorkflowMachineSnapshot<unknown> {
    return this.#isStarted ? this.actor.getSnapshot() : this.#snapshot
  }

  get hasEnded(): boolean {
    return this.snapshot.status !== 'active'
  }

  get isWaiting(): boolean {
    return !this.hasEnded && this.snapshot.value === 'waiting'
  }

  get isPaused(): boolean {
    return !this.hasEnded && this.snapshot.value === 'paused'
  }

  start(): void {
    if (this.#isStarted) return
    this.#isStarted = true
    this.#told = this.#snapshot.value
    const { _parent: step } = this.actor
    this.actor.subscribe({
      next: ({ value, status }) => {
        if (value === this.#told || status !== 'active') return
        this.#told = value
        const parent = step?._parent
        if (step === undefined || parent?.getSnapshot().status !== 'active') return
        relay({ self: step, system: step.system }, parent, { type: 'blazen.check' })
      },
      error: () => {},
    })
    this.actor.start()
  }

  tell(event: AnyEventObject, later: (fn: () => void) => void): void {
    if (this.#isStarted) later(() => this.#deliver(event))
    else if (!this.hasEnded) this.#fold(event)
  }

  abort(reason: unknown): void {
    if (this.#isStarted && !this.hasEnded) this.#deliver(fail({ kind: 'aborted', reason }))
  }

  picture(): RunPicture {
    const { status, value, context } = this.snapshot
    const { run } = context
    if (!this.#isStarted) passTime(this.#snapshot, this.#parent?.foldedUntil)
    const failed = status === 'done' && run.failure !== undefined
    const timeLeftMs = this.#isStarted ? timeLeft(this.actor, run) : run.timeLeftMs
    return { status: failed ? 'error' : status, value, data: { ...toData(run), timeLeftMs } }
  }

  /** Hands the child what counts already. */
  #deliver(event: AnyEventObject): void {
    if (this.hasEnded) return
    if (this.journal === undefined) this.actor.send(event)
    else this.journal.fold(event)
  }

  #fold(event: AnyEventObject): void {
    passTime(this.#snapshot, this.#parent?.foldedUntil)
    this.#snapshot = this.logic.transition(this.#snapshot, event, toStillScope(this.actor))
    // As a run does that ends alive.
    if (this.#snapshot.status === 'done') clearWork(this.run)
  }
}

/** What happens to a child is written down as something that happens to its parent. */
export class ChildJournal implements Journal {
  folding: AnyEventObject | undefined
  /** The actor that the facts are of. */
  child: AnyActorRef | undefined
  readonly #parent: Journal
  readonly #execution: Execution
  readonly #name: string
  readonly #submitted = new Set<AnyEventObject>()

  constructor(parent: Journal, execution: Execution, name: string) {
    this.#parent = parent
    this.#execution = execution
    this.#name = name
  }

  get isSure(): boolean {
    return this.#parent.isSure
  }

  get isBusy(): boolean {
    return this.#submitted.size > 0
  }

  submit(fact: AnyEventObject): void {
    const step = this.child?._parent
    if (step?._parent?.getSnapshot().status !== 'active') return
    this.#submitted.add(fact)
    const { id: execution } = this.#execution
    relay({ self: step, system: step.system }, step._parent, {
      type: 'blazen.child',
      ...{ execution, name: this.#name, event: fact },
    })
  }

  /** What others say to a child they say to its parent, which answers for it. */
  durable(): Promise<void> {
    return Promise.resolve()
  }

  /** Sends a fact, which counts now, to the run inside. */
  fold(fact: AnyEventObject): void {
    const { child } = this
    if (child === undefined) return
    this.#submitted.delete(fact)
    const before = this.folding
    this.folding = fact
    try {
      child.send(fact)
    } finally {
      this.folding = before
    }
    // What was held up by facts on their way is so no longer.
    const { value, status } = child.getSnapshot()
    if (value === 'pausing' && status === 'active' && !this.isBusy) child.send({ type: 'blazen.check' })
  }
}

/** The runs that an execution has begun and that are in this process. */
export function* childrenOf(execution: Execution): Generator<Child> {
  for (const child of execution.children?.values() ?? []) if (child instanceof Child) yield child
}

/** A run inside another one. */
export interface NestedRun {
  readonly child: Child
  readonly execution: Execution
  readonly parent: Run
}

/** All runs inside a run, at any depth, those of the oldest executions first. */
export function* nestedRuns(run: Run): Generator<NestedRun> {
  if (run.nesting === 0) return
  for (const execution of run.open.values()) {
    for (const child of childrenOf(execution)) {
      yield { child, execution, parent: run }
      yield* nestedRuns(child.run)
    }
  }
}

/** Begins nothing more in the run and those inside it; whether anything is still at work. */
export function halt(run: Run): boolean {
  run.halted = true
  let isAtWork = run.active > 0
  for (const { child } of nestedRuns(run)) {
    child.run.halted = true
    if (child.run.active > 0) isAtWork = true
  }
  return isAtWork
}
