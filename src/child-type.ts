import { type AnyActorRef, createActor } from 'xstate'
import {
  type Attempt,
  type Begun,
  Child,
  ChildJournal,
  type ChildPlace,
  type Execution,
  type Picture,
  type RetryPolicy,
  type Run,
  relay,
  toLabel,
  toPlace,
} from '../machines/index.ts'
import { ArrivedRun, type Compiled, type Inside, type Nested, RunInput } from './compile.ts'
import { fromBelow } from './composition-errors.ts'
import { BlazenError } from './errors.ts'
import type { AnyEvent } from './event.ts'
import { LiveRun } from './live-run.ts'
import { type Arrived, gatherObjects } from './snapshot-read.ts'
import { toStartEvent } from './start-event.ts'

/** What a child begins with. */
export interface ChildStart {
  readonly name: string
  readonly input: unknown
  /** How long it may take. */
  readonly timeoutMs?: number | undefined
  /** Children of the execution that it takes the place of. */
  readonly drop?: readonly string[]
}

/** A workflow whose runs a step begins. */
export class ChildType implements Nested {
  readonly #compile: () => Compiled

  constructor(
    compile: () => Compiled,
    /** Whether its runs have sessions of their own, or that of the run around them. */
    readonly session: 'own' | 'shared',
    /** Of a pipeline: its runs share the state of the run around them, and take over this policy. */
    readonly stage?: { readonly retry: RetryPolicy | undefined },
  ) {
    this.#compile = compile
  }

  get compiled(): Compiled {
    return this.#compile()
  }

  get machine(): Nested['machine'] {
    return this.compiled.machine
  }

  get transition(): Nested['transition'] {
    return this.compiled.transition
  }

  arrive(picture: Picture, { parent, execution, name, journal }: ChildPlace): ArrivedRun {
    // What is below a workflow was read, or folded, by that workflow.
    const arrived = picture as Arrived
    const state = new Map(arrived.data.state)
    gatherObjects(state, 'state')
    const inside = this.#inside(parent, execution, name)
    const { session = [], lost = { session: [], state: [] } }: Partial<Arrived> = arrived
    return new ArrivedRun(
      { ...arrived, session, lost, data: { ...arrived.data, id: `${parent.id}/${inside.within.label}`, state } },
      { onInput: this.#onInput(parent), journal, inside },
    )
  }

  /**
   * Begins a run in an execution.
   *
   * @throws EventValidationError for an input that does not fit; BlazenError (`attempt_over`).
   */
  begin(attempt: Attempt, { name, input, timeoutMs, drop = [] }: ChildStart): Child {
    checkOpen(attempt)
    const { run, execution, scope } = attempt
    const inside = this.#inside(run, execution, name)
    const journal = run.journal === undefined ? undefined : new ChildJournal(run.journal, execution, name)
    const start = this.#toStart(input, toPlace(execution, name))
    const id = `${run.id}/${inside.within.label}`
    const given = new RunInput(id, start, timeoutMs, this.#onInput(run), undefined, journal, inside)
    const actor = createActor(this.machine, { input: given as never, parent: scope.self }) as AnyActorRef
    const { status, error } = actor.getSnapshot()
    if (status === 'error') throw error
    const child = new Child(name, this, actor, journal)
    child.run.halted = run.halted
    const { writes } = attempt
    if (writes !== undefined) {
      run.state.resolve(writes)
      if (run.journal !== undefined) run.state.stage(writes)
      attempt.writes = undefined
    }
    const begun: Begun = { type: 'blazen.begun', step: execution.step, execution: execution.id, child, drop, writes }
    relay(scope, LiveRun.of(run).scope.self, begun)
    return child
  }

  #toStart(input: unknown, where: string): AnyEvent {
    try {
      return toStartEvent(this.compiled.definition, input)
    } catch (error) {
      throw fromBelow(error, where)
    }
  }

  #inside(parent: Run, execution: Execution, name: string): Inside {
    const path = name === '' ? [execution.step] : [execution.step, name]
    return {
      within: { parent, label: toLabel(execution, name), path, session: this.session },
      sharing: this.stage === undefined ? parent.sharing : parent,
      retry: this.stage?.retry ?? parent.retry,
    }
  }

  #onInput(parent: Run) {
    const { local } = parent
    return this.compiled.definition.options.onInput ?? (local as Pick<LiveRun, 'onInput'> | undefined)?.onInput
  }
}

/**
 * What is over begins nothing more, and writes nothing: a condition may come to its end when its attempt has been
 * aborted, and another one is under way.
 *
 * @throws BlazenError (`attempt_over`)
 */
export function checkOpen({ over, execution }: Attempt): void {
  if (over) throw new BlazenError('attempt_over', `The attempt of "${execution.step}" was over before this.`)
}
