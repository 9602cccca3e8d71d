import { requestType, responseType, startType, stopType } from '../machines/index.ts'
import { toArray, typesOf, type WorkflowDefinition } from './definition.ts'

/**
 * All that is wrong with how a workflow's steps are wired, each with its repair. What can only be known when every
 * step says what it emits is left out where one does not.
 */
export function findWiringProblems({ steps, options }: WorkflowDefinition): string[] {
  if (steps.length === 0)
    return ['It has no step. Add one that accepts StartEvent: .step("begin", { accepts: StartEvent }, …).']
  const accepted = new Set(steps.flatMap(({ options }) => typesOf(options.accepts)))
  const problems = [
    ...steps.flatMap(({ name, options }) => findAcceptProblems(name, typesOf(options.accepts))),
    ...findDuplicates(steps.map(({ name }) => name)).map(
      (name) => `Two steps are named "${name}". Give each a name of its own.`,
    ),
    ...findDuplicateTypes(steps),
  ]
  if (!accepted.has(startType))
    problems.push('No step accepts StartEvent, so nothing begins. Add it to the `accepts` of the first step.')

  for (const { name, options } of steps) {
    for (const type of typesOf(options.emits)) {
      if (type === stopType || accepted.has(type)) continue
      if (type === requestType) {
        if (!accepted.has(responseType)) {
          problems.push(
            `Step "${name}" emits InputRequestEvent, and no step accepts InputResponseEvent. Add it to the \`accepts\` of the step that goes on with the answer.`,
          )
        }
      } else {
        problems.push(
          `Step "${name}" emits "${type}", which no step accepts. Add it to the \`accepts\` of a step, or take it out of \`emits\`.`,
        )
      }
    }
  }
  if (steps.some(({ options }) => options.emits === undefined)) return problems

  const outside = new Set([startType, responseType, ...typesOf(options.external)])
  const emitted = new Set([...outside, ...steps.flatMap(({ options }) => typesOf(options.emits))])
  for (const { name, options } of steps) {
    const missing = typesOf(options.accepts).filter((type) => !emitted.has(type))
    for (const type of missing) {
      problems.push(
        `Step "${name}" accepts "${type}", which no step emits. Add it to the \`emits\` of a step, or to the workflow's \`external\` if it comes from outside.`,
      )
    }
  }
  const reached = findReachable(steps, outside)
  for (const { name, options } of steps) {
    if (
      !reached.has(name) &&
      typesOf(options.accepts).every((type) => emitted.has(type)) &&
      typesOf(options.accepts).length > 0
    ) {
      problems.push(
        `Step "${name}" is unreachable: no way of events leads to it from StartEvent. Have a reachable step emit what it accepts.`,
      )
    }
  }
  if (!steps.some(({ name, options }) => reached.has(name) && typesOf(options.emits).includes(stopType))) {
    problems.push(
      'No reachable step emits StopEvent, so a run can never complete. Add it to the `emits` of the last step.',
    )
  }
  return problems
}

function findAcceptProblems(step: string, types: readonly string[]): string[] {
  const problems: string[] = []
  if (step === '' || step === '__proto__')
    problems.push(`A step is named ${JSON.stringify(step)}. Give it a name that says what it does.`)
  if (types.length === 0)
    problems.push(`Step "${step}" accepts no event: name at least one, as in accepts: StartEvent.`)
  for (const type of findDuplicates(types)) problems.push(`Step "${step}" accepts "${type}" twice. Name it once.`)
  if (types.includes(stopType))
    problems.push(
      `Step "${step}" accepts StopEvent, which ends the run and reaches no step. Accept an event of your own and return StopEvent after it.`,
    )
  if (types.includes(requestType))
    problems.push(
      `Step "${step}" accepts InputRequestEvent, which goes to a person and reaches no step. Accept InputResponseEvent instead.`,
    )
  return problems
}

/** Two event types of the same name and with different schemas would be one event to the router. */
function findDuplicateTypes(steps: WorkflowDefinition['steps']): string[] {
  const schemas = new Map<string, unknown>()
  const clashes = new Set<string>()
  for (const { options } of steps) {
    for (const { type, schema } of [...toArray(options.accepts), ...toArray(options.emits ?? [])]) {
      if (schemas.has(type) && schemas.get(type) !== schema) clashes.add(type)
      schemas.set(type, schema)
    }
  }
  return [...clashes].map(
    (type) =>
      `Two event types are named "${type}" and have different schemas. Define it once, and import it where it is needed.`,
  )
}

function findReachable(steps: WorkflowDefinition['steps'], outside: ReadonlySet<string>): Set<string> {
  const reached = new Set<string>()
  const types = new Set(outside)
  for (let grew = true; grew; ) {
    grew = false
    for (const { name, options } of steps) {
      if (reached.has(name) || !typesOf(options.accepts).some((type) => types.has(type))) continue
      reached.add(name)
      for (const type of typesOf(options.emits)) types.add(type)
      grew = true
    }
  }
  return reached
}

function findDuplicates(names: readonly string[]): string[] {
  return [...new Set(names.filter((name, at) => names.indexOf(name) !== at))]
}
