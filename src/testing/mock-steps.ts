import { BlazenError } from '../errors.ts'
import type { AnyEvent } from '../event.ts'
import type { AnyWorkflow, Workflow } from '../workflow.ts'
import {
  checkSteps,
  type FunctionOf,
  replaceSteps,
  type StepName,
  type StepRun,
  type TakenBy,
} from './replaced-steps.ts'

/** A call of a step's function: one for each attempt. */
export interface StepCall<Event = AnyEvent> {
  readonly event: Event
  readonly runId: string
  /** The same for all attempts of one execution. */
  readonly executionId: string
  /** From 1. */
  readonly attempt: number
}

/** Functions by the names of the steps in whose place they stand. */
export type StepMocks<Start, Result, State extends object, Wires> = {
  readonly [Name in StepName<Wires>]?: FunctionOf<Wires, Name, Start, Result, State>
}

/** What `mockSteps` adds to a workflow. */
export interface StepCalls<Start, Wires> {
  /** How a step was called, mocked or not, in all runs, in order. */
  calls<const Name extends StepName<Wires>>(name: Name): readonly StepCall<TakenBy<Wires, Name, Start>>[]
}

/**
 * A workflow like the given one in which other functions stand in the place of some steps' own; their `retry`,
 * `timeout` and `concurrency` stay. It also tells how its steps were called: with no mocks at all it is a spy.
 *
 * @throws DefinitionError for a name that is no step's, and for a mock that is no function.
 *
 * @example
 * const tested = mockSteps(order, { charge: ({ amount }) => Charged({ id: 'test', amount }) })
 * await tested.run({ amount: 5 }).result()
 * console.log(tested.calls('charge').length)   // 1
 */
export function mockSteps<Input, Start, Result, State extends object, Wires>(
  workflow: Workflow<Input, Start, Result, State, Wires>,
  mocks: StepMocks<Start, Result, State, Wires>,
): Workflow<Input, Start, Result, State, Wires> & StepCalls<Start, Wires> {
  const any = workflow as AnyWorkflow
  const functions = mocks as Readonly<Record<string, unknown>>
  checkSteps(`mockSteps: workflow "${workflow.name}"`, any, functions, (name, mock) =>
    mock === undefined || typeof mock === 'function'
      ? undefined
      : `The mock of step "${name}" is a ${mock === null ? 'null' : typeof mock}. Give a function, (event, ctx) => event.`,
  )
  const calls = new Map<string, StepCall[]>()
  const mocked = replaceSteps(any, ({ name }, own) => {
    const made: StepCall[] = []
    calls.set(name, made)
    const run = (functions[name] as StepRun | undefined) ?? own
    return (event, ctx) => {
      const { runId, executionId, attempt } = ctx
      made.push({ event, runId, executionId, attempt })
      return run(event, ctx)
    }
  })
  const callsOf = (name: string): readonly StepCall[] => {
    const made = calls.get(name)
    if (made !== undefined) return [...made]
    throw new BlazenError('step_unknown', `Workflow "${workflow.name}" has no step "${name}", so it has no calls.`)
  }
  return Object.assign(mocked, { calls: callsOf }) as Workflow<Input, Start, Result, State, Wires> &
    StepCalls<Start, Wires>
}
