import { parts } from '../machines/index.ts'
import { BlazenState } from './blazen-state.ts'
import type { ClassRegistry } from './class-codec.ts'
import { read, type Stored, store } from './codec.ts'
import { StateValidationError } from './errors.ts'
import { describeIssues, parse, type Schema } from './schema.ts'
import { toObject } from './state-capture.ts'
import { toEntryKey, toUserKey } from './state-key.ts'

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
  return Object.entries(parsed.value as object).flatMap(([key, value]): [string, Stored][] => {
    if (!(value instanceof BlazenState)) return [[toEntryKey(key), store(value, classes)]]
    const object = toObject(key, value, classes)
    return [[toEntryKey(key), object], ...(object[parts] as ReadonlyMap<string, Stored>)]
  })
}

/** @throws StateValidationError */
export function checkState(schema: Schema, workflow: string, state: ReadonlyMap<string, unknown>): void {
  const values: Record<string, unknown> = {}
  for (const [entryKey, stored] of state) {
    const key = toUserKey(entryKey)
    if (key !== undefined) Object.defineProperty(values, key, { value: read(stored as Stored), enumerable: true })
  }
  const parsed = parse(schema, values)
  if (parsed.issues === undefined) return
  throw new StateValidationError(
    `The state of workflow "${workflow}" does not fit its schema: ${describeIssues(parsed.issues)}.`,
    parsed.issues,
  )
}
