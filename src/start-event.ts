import { startType } from '../machines/index.ts'
import type { WorkflowDefinition } from './definition.ts'
import { EventValidationError } from './errors.ts'
import type { AnyEvent } from './event.ts'
import { describeIssues, type Issue, parse } from './schema.ts'

/**
 * The event that a run begins with: the fields of a plain-object input stand on it, any other input is `input`.
 *
 * @throws EventValidationError
 */
export function toStartEvent({ name, options, isInputWhole }: WorkflowDefinition, input: unknown): AnyEvent {
  const refuse = (what: string, issues: readonly Issue[] = []): never => {
    throw new EventValidationError(`The input of workflow "${name}" ${what}.`, startType, issues)
  }
  let value = input
  if (options.input !== undefined) {
    // No input at all reads as an empty one, so that a schema of defaults is complete.
    let parsed = parse(options.input, input)
    if (parsed.issues !== undefined && input === undefined) parsed = parse(options.input, {})
    if (parsed.issues !== undefined)
      return refuse(`does not fit its schema: ${describeIssues(parsed.issues)}`, parsed.issues)
    value = parsed.value
  }
  if (isInputWhole || !isPlainObject(value))
    return value === undefined ? { type: startType } : ({ type: startType, input: value } as AnyEvent)
  if ('type' in value) refuse("has a field `type`, which is the event's own: give it another name")
  return { type: startType, ...value }
}

/** The event again, as its workflow's schema outputs what stands on it. @throws EventValidationError */
export function checkStartEvent(definition: WorkflowDefinition, event: AnyEvent): AnyEvent {
  const { options, isInputWhole } = definition
  if (options.input === undefined) return event
  const { type: _, ...fields } = event as AnyEvent & { readonly input?: unknown }
  // As it is made of an input: what is no plain object stands in `input`, alone.
  const isAlone = Object.keys(fields).every((field) => field === 'input')
  const isWhole = isInputWhole || (isAlone && 'input' in fields && parse(options.input, fields).issues !== undefined)
  return toStartEvent(definition, isWhole ? fields.input : fields)
}

function isPlainObject(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}
