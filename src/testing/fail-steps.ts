import type { StepContext } from '../context.ts'
import type { AnyEvent } from '../event.ts'
import type { AnyWorkflow, Workflow } from '../workflow.ts'
import { checkSteps, replaceSteps, type StepName, type StepRun, type TakenBy } from './replaced-steps.ts'

/** How a step is made to fail. */
export interface StepFailure<Event = AnyEvent> {
  /** The attempts that fail, from 1: one, several, or every one. Those of each execution are counted apart. @default 1 */
  readonly attempts?: number | readonly number[] | 'all'
  /** What is thrown, or a function that makes it. @default an Error that says so */
  readonly error?: Error | ((event: Event, ctx: StepContext) => unknown)
  /**
   * Whether the attempt fails before the step's function is called, or after it has succeeded: then its effects outside
   * have happened, and the next attempt does them again unless they are idempotent.
   *
   * @default 'before'
   */
  readonly when?: 'before' | 'after'
}

/** Failures by the names of steps. */
export type StepFailures<Start, Wires> = {
  readonly [Name in StepName<Wires>]?: StepFailure<TakenBy<Wires, Name, Start>>
}

/**
 * A workflow like the given one in which some attempts of some steps fail, as they would with a service that is busy,
 * or a process that dies after an effect. Everything else of it stays; `mockSteps` can go before or after.
 *
 * @throws DefinitionError for a name that is no step's, and for attempts that are no whole numbers from 1.
 *
 * @example
 * const shaky = failSteps(order, { charge: { attempts: [1, 2], error: new Error('busy'), when: 'after' } })
 */
export function failSteps<Input, Start, Result, State extends object, Wires>(
  workflow: Workflow<Input, Start, Result, State, Wires>,
  failures: StepFailures<Start, Wires>,
): Workflow<Input, Start, Result, State, Wires> {
  const any = workflow as AnyWorkflow
  const given = failures as Readonly<Record<string, StepFailure | undefined>>
  checkSteps(`failSteps: workflow "${workflow.name}"`, any, given, findProblem)
  const failing = replaceSteps(any, ({ name }, run) => {
    const failure = given[name]
    return failure === undefined ? run : failingRun(name, run, failure)
  })
  return failing as Workflow<Input, Start, Result, State, Wires>
}

function failingRun(name: string, run: StepRun, { attempts = 1, error, when = 'before' }: StepFailure): StepRun {
  const fails = (attempt: number) =>
    attempts === 'all' || (typeof attempts === 'number' ? attempts === attempt : attempts.includes(attempt))
  const toError = (event: AnyEvent, ctx: StepContext) =>
    (typeof error === 'function' ? error(event, ctx) : error) ??
    new Error(`Step "${name}" was made to fail ${when} its function, on attempt ${ctx.attempt}.`)
  return (event, ctx) => {
    if (!fails(ctx.attempt)) return run(event, ctx)
    if (when === 'before') throw toError(event, ctx)
    return Promise.resolve(run(event, ctx)).then(() => {
      throw toError(event, ctx)
    })
  }
}

function findProblem(name: string, failure: StepFailure | undefined): string | undefined {
  const { attempts = 1, when = 'before' } = failure ?? {}
  const where = `The failure of step "${name}"`
  if (when !== 'before' && when !== 'after')
    return `${where} has the \`when\` "${String(when)}". Give 'before' or 'after'.`
  if (attempts === 'all' || [attempts].flat().every((attempt) => Number.isInteger(attempt) && attempt >= 1)) return
  return `${where} has the \`attempts\` ${JSON.stringify(attempts)}. Give whole numbers from 1, or 'all'.`
}
