import type { StepContext } from '../context.ts'
import type { NamedStep } from '../definition.ts'
import { DefinitionError } from '../errors.ts'
import type { AnyEvent, AnyEventType, StopEvent } from '../event.ts'
import type { Accepted, Returnable, StepReturn } from '../step.ts'
import { type AnyWorkflow, compiledOf, Workflow } from '../workflow.ts'

/** The function of a step, as the engine calls it. */
export type StepRun = (event: AnyEvent, ctx: StepContext) => unknown

/** The names of a workflow's steps; any text where the compiler does not know the workflow. */
export type StepName<Wires> = unknown extends Wires
  ? string
  : Wires extends { readonly step: infer Name extends string }
    ? Name
    : never

/** What a step sees of what it accepts. */
export type TakenBy<Wires, Name extends string, Start> = unknown extends Wires
  ? AnyEvent & Readonly<Record<string, unknown>>
  : Wires extends { readonly step: Name; readonly accepts: string; readonly event: infer Event extends AnyEventType }
    ? Accepted<Event, Start>
    : never

/** What a step may return: what it declares in `emits` or, where it declares nothing, what its function returns. */
export type SentBy<Wires, Name extends string, Result> = unknown extends Wires
  ? AnyEvent
  : Wires extends { readonly step: Name; readonly emits: infer Type; readonly event: infer Event }
    ? Type extends 'blazen::StopEvent'
      ? StopEvent<Result>
      : Event extends AnyEventType
        ? Returnable<Event>
        : Event
    : never

/** A function that can stand in the place of a step's own. */
export type FunctionOf<Wires, Name extends string, Start, Result, State extends object> = (
  event: TakenBy<Wires, Name, Start>,
  ctx: StepContext<State>,
) => StepReturn<SentBy<Wires, Name, Result>> | Promise<StepReturn<SentBy<Wires, Name, Result>>>

/**
 * A workflow of the same steps with other functions; names, options and wiring stay.
 *
 * @throws DefinitionError for a workflow that cannot be built.
 */
export function replaceSteps(workflow: AnyWorkflow, replace: (step: NamedStep, run: StepRun) => StepRun): AnyWorkflow {
  const { definition } = compiledOf(workflow)
  const steps = definition.steps.map((step) => ({ ...step, run: replace(step, step.run as StepRun) }))
  return new Workflow({ ...definition, steps: steps as readonly NamedStep[] })
}

/** @throws DefinitionError naming every key of `given` that is no step of the workflow, and every other problem. */
export function checkSteps<Given>(
  where: string,
  workflow: AnyWorkflow,
  given: Readonly<Record<string, Given>>,
  findProblem: (name: string, given: Given) => string | undefined,
): void {
  const names = compiledOf(workflow).definition.steps.map(({ name }) => name)
  const known = names.map((name) => `"${name}"`).join(', ')
  const problems = Object.entries(given).flatMap(
    ([name, each]) =>
      (names.includes(name)
        ? findProblem(name, each)
        : `Workflow "${workflow.name}" has no step "${name}". Its steps are: ${known}.`) ?? [],
  )
  if (problems.length > 0) throw new DefinitionError(where, problems)
}
