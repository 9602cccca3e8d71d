import { requestType, responseType, startType, stopType } from '../machines/index.ts'
import {
  eventTypesOf,
  isEventType,
  type NamedStep,
  type OneOrMore,
  toArray,
  typesOf,
  type WorkflowDefinition,
  type WorkflowOptions,
} from './definition.ts'
import type { AnyEventType } from './event.ts'

type Steps = readonly NamedStep[]

/**
 * All that is wrong with how a workflow's steps are wired, each with its repair. What can only be known when every
 * step says what it emits is left out where one does not.
 */
export function findWiringProblems({ name, steps, options }: WorkflowDefinition): string[] {
  const problems = name === '' ? ['It has no name. Give it one, as in workflow("greeter").'] : []
  if (steps.length === 0) {
    problems.push('It has no step. Add one that accepts StartEvent: .step("begin", { accepts: StartEvent }, …).')
    return problems
  }
  const accepted = new Set(steps.flatMap(({ options }) => typesOf(options.accepts)))
  problems.push(
    ...findNameProblems(steps),
    ...steps.flatMap(findAcceptProblems),
    ...findStrangers(steps, options),
    ...findDuplicateTypes(steps, options),
  )
  if (!accepted.has(startType))
    problems.push('No step accepts StartEvent, so nothing begins. Add it to the `accepts` of the first step.')
  problems.push(...findUnaccepted(steps, accepted))
  if (steps.some(({ options }) => options.emits === undefined)) return problems

  const emitted = new Set([
    startType,
    responseType,
    ...typesOf(options.external),
    ...steps.flatMap(({ options }) => typesOf(options.emits)),
  ])
  problems.push(...findUnemitted(steps, emitted))
  if (accepted.has(startType)) problems.push(...findUnreachable(steps, options, emitted))
  return problems
}

function findNameProblems(steps: Steps): string[] {
  const names = steps.map(({ name }) => name)
  return [
    ...names
      .filter((name) => name === '' || name === '__proto__')
      .map((name) => `A step is named ${JSON.stringify(name)}. Give it a name that says what it does.`),
    ...findDuplicates(names).map((name) => `Two steps are named "${name}". Give each a name of its own.`),
  ]
}

function findAcceptProblems({ name, options }: NamedStep): string[] {
  const types = typesOf(options.accepts)
  const problems = findDuplicates(types).map((type) => `Step "${name}" accepts "${type}" twice. Name it once.`)
  if (toArray(options.accepts).length === 0)
    problems.push(`Step "${name}" accepts no event: name at least one, as in accepts: StartEvent.`)
  if (types.includes(stopType))
    problems.push(
      `Step "${name}" accepts StopEvent, which ends the run and reaches no step. Accept an event of your own and return StopEvent after it.`,
    )
  if (types.includes(requestType))
    problems.push(
      `Step "${name}" accepts InputRequestEvent, which goes to a person and reaches no step. Accept InputResponseEvent instead.`,
    )
  return problems
}

/** What stands where an event type should: mostly one that its module has not defined yet. */
function findStrangers(steps: Steps, { external = [] }: WorkflowOptions): string[] {
  const places: [where: string, types: OneOrMore<unknown>][] = [
    ...steps.flatMap(({ name, options }): [string, OneOrMore<unknown>][] => [
      [`Step "${name}" accepts`, options.accepts],
      [`Step "${name}" emits`, options.emits ?? []],
    ]),
    ['Its `external` holds', external],
  ]
  return places.flatMap(([where, types]) =>
    toArray(types)
      .filter((type) => !isEventType(type))
      .map((type) => {
        const got = type === undefined || type === null ? String(type) : `a ${typeof type}`
        const circle = type === undefined ? ' If it does, modules import each other: move events into their own.' : ''
        return `${where} ${got}, which is no event type. Name what \`defineEvent\` gave.${circle}`
      }),
  )
}

/** Two event types of the same name and with different schemas would be one event to the router. */
function findDuplicateTypes(steps: Steps, { external }: WorkflowOptions): string[] {
  const types = steps.flatMap(({ options }) => [...eventTypesOf(options.accepts), ...eventTypesOf(options.emits)])
  const schemas = new Map<string, AnyEventType['schema']>()
  const clashes = new Set<string>()
  for (const { type, schema } of [...types, ...eventTypesOf(external)]) {
    if (schemas.has(type) && schemas.get(type) !== schema) clashes.add(type)
    schemas.set(type, schema)
  }
  return [...clashes].map(
    (type) =>
      `Two event types are named "${type}" and have different schemas. Define it once, and import it where it is needed.`,
  )
}

function findUnaccepted(steps: Steps, accepted: ReadonlySet<string>): string[] {
  return steps.flatMap(({ name, options }) =>
    typesOf(options.emits).flatMap((type) => {
      if (type === requestType) {
        if (accepted.has(responseType)) return []
        return `Step "${name}" emits InputRequestEvent, and no step accepts InputResponseEvent. Add it to the \`accepts\` of the step that goes on with the answer.`
      }
      if (type === stopType || accepted.has(type)) return []
      return `Step "${name}" emits "${type}", which no step accepts. Add it to the \`accepts\` of a step, or take it out of \`emits\`.`
    }),
  )
}

function findUnemitted(steps: Steps, emitted: ReadonlySet<string>): string[] {
  return steps.flatMap(({ name, options }) =>
    typesOf(options.accepts)
      .filter((type) => !emitted.has(type) && type !== stopType && type !== requestType)
      .map(
        (type) =>
          `Step "${name}" accepts "${type}", which no step emits. Add it to the \`emits\` of a step, or to the workflow's \`external\` if it comes from outside.`,
      ),
  )
}

/** Types that nobody emits count as reached: they are told of already, and what is behind them need not be. */
function findUnreachable(steps: Steps, { external }: WorkflowOptions, emitted: ReadonlySet<string>): string[] {
  const types = new Set([startType, responseType, ...typesOf(external)])
  for (const { options } of steps)
    for (const type of typesOf(options.accepts)) if (!emitted.has(type) && type !== stopType) types.add(type)

  const reached = new Set<NamedStep>()
  for (let before = -1; before < reached.size; ) {
    before = reached.size
    for (const step of steps) {
      if (reached.has(step) || !typesOf(step.options.accepts).some((type) => types.has(type))) continue
      reached.add(step)
      for (const type of typesOf(step.options.emits)) types.add(type)
    }
  }
  const problems = steps
    .filter((step) => !reached.has(step) && typesOf(step.options.accepts).length > 0)
    .map(
      ({ name }) =>
        `Step "${name}" is unreachable: no way of events leads to it from StartEvent. Have a reachable step emit what it accepts.`,
    )
  if (!types.has(stopType)) {
    problems.push(
      'No reachable step emits StopEvent, so a run can never complete. Add it to the `emits` of the last step.',
    )
  }
  return problems
}

function findDuplicates(names: readonly string[]): string[] {
  return [...new Set(names.filter((name, at) => names.indexOf(name) !== at))]
}
