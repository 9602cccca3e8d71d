import type { ClassRegistry } from './class-codec.ts'
import { read, type Stored, store } from './codec.ts'
import { StateValidationError } from './errors.ts'
import { describeIssues, parse, type Schema } from './schema.ts'

/**
 * What `ctx.state` begins with: the defaults of its schema.
 *
 * @throws StateValidationError if the schema asks for more than its defaults give.
 */
export function initialState(schema: Schema | undefined, workflow: string, classes: ClassRegistry): [string, Stored][] {
  if (schema === undefined) return []
  const parsed = parse(schema, {})
  if (parsed.issues !== undefined) {
    throw new StateValidationError(
      `The state of workflow "${workflow}" has no beginning: ${describeIssues(parsed.issues)}. Give each field of the \`state\` schema a default, or make it optional.`,
      parsed.issues,
    )
  }
  return Object.entries(parsed.value as object).map(([key, value]) => [key, store(value, classes)])
}

/** @throws StateValidationError */
export function checkState(schema: Schema, workflow: string, state: ReadonlyMap<string, unknown>): void {
  const values: Record<string, unknown> = {}
  for (const [key, stored] of state)
    Object.defineProperty(values, key, { value: read(stored as Stored), enumerable: true })
  const parsed = parse(schema, values)
  if (parsed.issues === undefined) return
  throw new StateValidationError(
    `The state of workflow "${workflow}" does not fit its schema: ${describeIssues(parsed.issues)}.`,
    parsed.issues,
  )
}
