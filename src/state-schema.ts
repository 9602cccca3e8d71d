import { parts } from '../machines/index.ts'
import { BlazenState } from './blazen-state.ts'
import type { ClassRegistry } from './class-codec.ts'
import { read, type Stored, store } from './codec.ts'
import { CodecError } from './codec-error.ts'
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
  return Object.entries(parsed.value as object).flatMap(([key, value]) => toEntries(key, value, classes))
}

function toEntries(key: string, value: unknown, classes: ClassRegistry): [string, Stored][] {
  if (!(value instanceof BlazenState)) return [[toEntryKey(key), store(value, classes)]]
  const object = toObject(key, value, classes)
  return [[toEntryKey(key), object], ...(object[parts] as ReadonlyMap<string, Stored>)]
}

/**
 * Checks state against its schema.
 *
 * @returns the state as the schema outputs it.
 * @throws StateValidationError
 */
export function checkState(schema: Schema, workflow: string, state: ReadonlyMap<string, unknown>): object {
  const values: Record<string, unknown> = {}
  for (const [entryKey, stored] of state) {
    const key = toUserKey(entryKey)
    if (key !== undefined) Object.defineProperty(values, key, { value: read(stored as Stored), enumerable: true })
  }
  const parsed = parse(schema, values)
  if (parsed.issues === undefined) return parsed.value as object
  throw new StateValidationError(
    `The state of workflow "${workflow}" does not fit its schema: ${describeIssues(parsed.issues)}.`,
    parsed.issues,
  )
}

/**
 * Checks state that came out of a snapshot, and adds the defaults of fields that it does not have. A value that cannot
 * be read here, for want of a class, says so when it is read; then the rest is taken as it is.
 *
 * @throws StateValidationError
 */
export function completeState(
  schema: Schema,
  workflow: string,
  state: Map<string, unknown>,
  classes: ClassRegistry,
): void {
  try {
    for (const [key, value] of Object.entries(checkState(schema, workflow, state))) {
      if (state.has(toEntryKey(key))) continue
      for (const [entryKey, stored] of toEntries(key, value, classes)) state.set(entryKey, stored)
    }
  } catch (error) {
    if (!(error instanceof CodecError)) throw error
  }
}
