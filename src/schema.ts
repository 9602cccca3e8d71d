import type { StandardSchemaV1 } from '@standard-schema/spec'

/** Any schema that speaks Standard Schema: zod, valibot, arktype, … (https://standardschema.dev). */
export type Schema<Input = unknown, Output = Input> = StandardSchemaV1<Input, Output>

/** One thing that is wrong with a value: where in it, and what. */
export interface Issue {
  readonly path: string
  readonly message: string
}

export type InputOf<S extends Schema> = StandardSchemaV1.InferInput<S>
export type OutputOf<S extends Schema> = StandardSchemaV1.InferOutput<S>

export type Parsed = { readonly value: unknown; readonly issues?: undefined } | { readonly issues: readonly Issue[] }

/** Checks `value`, and gives it as the schema outputs it. Schemas that answer later are refused: events are made synchronously. */
export function parse(schema: Schema, value: unknown): Parsed {
  const result = schema['~standard'].validate(value)
  if (result instanceof Promise) {
    result.catch(() => {})
    return { issues: [{ path: '', message: 'the schema is asynchronous; use one that validates synchronously' }] }
  }
  if (result.issues === undefined) return { value: result.value }
  return { issues: result.issues.map(({ message, path }) => ({ message, path: (path ?? []).map(toKey).join('.') })) }
}

/** A schema that says the type of data and checks nothing. */
export function typeOnly<Data>(): Schema<Data> {
  return { '~standard': { version: 1, vendor: 'blazen-xstate', validate: (value) => ({ value: value as Data }) } }
}

/** Issues in one line, for an error's message. */
export function describeIssues(issues: readonly Issue[]): string {
  return issues.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`)).join('; ')
}

function toKey(segment: PropertyKey | { readonly key: PropertyKey }): string {
  return String(typeof segment === 'object' ? segment.key : segment)
}
