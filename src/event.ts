import { requestType, responseType, startType, stopType } from '../machines/index.ts'
import type { Duration } from './duration.ts'
import { BlazenError, EventValidationError } from './errors.ts'
import { describeIssues, type InputOf, type OutputOf, parse, type Schema } from './schema.ts'

/** An event: a plain object with its type and its data side by side, as XState has them. */
export type WorkflowEvent<Type extends string = string, Data extends object = object> = {
  readonly type: Type
} & Readonly<Data>

/** An event of which only the type is known. */
export type AnyEvent = { readonly type: string }

/**
 * What `defineEvent` gives: one value that makes events, recognises them, and holds their schema.
 * Calling it checks the data and throws `EventValidationError` if it does not fit.
 */
export interface EventType<Type extends string = string, Data extends object = object, Input = Data> {
  (...data: object extends Input ? [data?: Input] : [data: Input]): WorkflowEvent<Type, Data>
  readonly type: Type
  readonly schema: Schema | undefined
  /** Whether `event` is one of this type. The type alone decides. */
  is(event: unknown): event is WorkflowEvent<Type, Data>
}

/** Any event type, as `accepts` and `emits` take it. */
export interface AnyEventType {
  readonly type: string
  readonly schema: Schema | undefined
  /** Whether `event` is one of this type. The type alone decides. */
  is(event: unknown): boolean
}

/** The events of an event type, or of several: `EventOf<typeof Greet>`. */
export type EventOf<Types extends AnyEventType> = Types extends { is(event: unknown): event is infer Event }
  ? Event
  : AnyEvent

/**
 * Defines an event: its type, and the schema of its data (anything that speaks Standard Schema).
 *
 * The type is a name for good: it is what snapshots hold. Without a schema, `defineEvent<{ name: string }>('Greet')`
 * gives the data a type and checks nothing; write `defineEvent('Greet', typeOnly<{ name: string }>())` to have
 * the compiler check the wiring of such an event too.
 *
 * @throws BlazenError (`event_type`) for a type that is empty, holds `*`, or begins with `xstate.`, `blazen.` or
 * `blazen::`; (`event_schema`) for a schema that does not speak Standard Schema.
 *
 * @example
 * const Greet = defineEvent('Greet', z.object({ name: z.string() }))
 * Greet({ name: 'Zach' })   // { type: 'Greet', name: 'Zach' }
 */
export function defineEvent<const Type extends string>(type: Type): EventType<Type, object, object>
export function defineEvent<const Type extends string, S extends Schema<unknown, object>>(
  type: Type,
  schema: S,
): EventType<Type, OutputOf<S> & object, InputOf<S>>
export function defineEvent<Data extends object>(type: string): EventType<string, Data>
export function defineEvent(type: string, schema?: Schema): EventType {
  const problem = findTypeProblem(type)
  if (problem !== undefined) {
    const got = typeof type === 'string' ? `"${type}"` : String(type)
    throw new BlazenError('event_type', `The event type ${got} ${problem}. Choose another name.`)
  }
  if (schema !== undefined && typeof schema?.['~standard']?.validate !== 'function') {
    throw new BlazenError(
      'event_schema',
      `The schema of "${type}" does not speak Standard Schema: expected one of zod, valibot, arktype or the like, or \`typeOnly<{ … }>()\`.`,
    )
  }
  return createEventType(type, schema)
}

function findTypeProblem(type: unknown): string | undefined {
  if (typeof type !== 'string' || type === '') return 'is no name: expected a text of at least one character'
  if (type.includes('*')) return 'holds "*", which means "any event" in a statechart'
  const taken = ['xstate.', 'blazen.', 'blazen::'].find((prefix) => type.startsWith(prefix))
  return taken === undefined ? undefined : `begins with "${taken}", which is kept for the engine`
}

/** Events that were parsed in this process, each with the schema that did it: none is parsed twice. */
const parsedBy = new WeakMap<object, Schema>()

function createEventType(type: string, schema: Schema | undefined): EventType {
  const create = (data?: object): WorkflowEvent => {
    if (schema === undefined) return withType(type, data ?? {})
    return parseEvent(type, schema, data ?? {})
  }
  return Object.assign(create, { type, schema, is: (event: unknown): event is WorkflowEvent => hasType(event, type) })
}

function withType(type: string, data: object): WorkflowEvent {
  if (!isData(data)) {
    throw new EventValidationError(
      `The data of "${type}" has to be an object, whose fields stand on the event, got ${describe(data)}. Put it in a field, as in { value }.`,
      type,
    )
  }
  if ('type' in data) {
    throw new EventValidationError(
      `The data of "${type}" has a field \`type\`, which is the event's own. Give it another name.`,
      type,
    )
  }
  return { type, ...data }
}

function parseEvent(type: string, schema: Schema, data: object): WorkflowEvent {
  const event = withType(type, parseData(type, schema, data))
  parsedBy.set(event, schema)
  return event
}

function parseData(type: string, schema: Schema, data: object): object {
  const parsed = parse(schema, data)
  if (parsed.issues !== undefined) {
    throw new EventValidationError(
      `The data of "${type}" does not fit its schema: ${describeIssues(parsed.issues)}.`,
      type,
      parsed.issues,
    )
  }
  if (isData(parsed.value)) return parsed.value
  throw new EventValidationError(
    `The schema of "${type}" gives ${describe(parsed.value)}: expected an object, whose fields stand on the event. Put it in a field, as in { value }.`,
    type,
  )
}

function isData(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value)
  return Array.isArray(value) ? 'an array' : `a ${typeof value}`
}

/**
 * The event as its type's schema outputs it; itself if it was parsed already, as by its creator. For events that were written out as
 * plain objects, and for those that come from outside.
 *
 * @throws EventValidationError
 */
export function checkEvent(event: AnyEvent, schema: Schema | undefined): AnyEvent {
  if (schema === undefined || parsedBy.get(event) === schema) return event
  const { type, ...data } = event
  return parseEvent(type, schema, data)
}

/** Whether `value` is an object with a string `type`. */
export function isEvent(value: unknown): value is AnyEvent {
  return typeof value === 'object' && value !== null && typeof (value as AnyEvent).type === 'string'
}

function hasType(event: unknown, type: string): boolean {
  return isEvent(event) && event.type === type
}

/** What a run begins with. The fields of a plain-object input stand on it; any other input is `event.input`. */
export type StartEvent<Data = unknown> = WorkflowEvent<typeof startType, StartData<Data>>

type StartData<Data> = unknown extends Data
  ? { readonly input?: unknown; readonly [field: string]: unknown }
  : Data extends NoFields
    ? { readonly input: Data }
    : Data extends object
      ? Data
      : { readonly input: Data }

/** Objects that are one value, and so stand on the event as `input`. The compiler cannot tell a user's classes from data. */
type NoFields =
  | readonly unknown[]
  | ((...args: never) => unknown)
  | Date
  | RegExp
  | URL
  | ReadonlyMap<unknown, unknown>
  | ReadonlySet<unknown>
  | ArrayBuffer
  | ArrayBufferView

export interface StartEventType extends AnyEventType {
  readonly type: typeof startType
  is(event: unknown): event is StartEvent
}

/** Accept it in the step that begins the work. The engine makes it from the run's input. */
export const StartEvent: StartEventType = createEventType(startType, undefined) as unknown as StartEventType

/** What completes a run: the first one wins. */
export type StopEvent<Result = unknown> = WorkflowEvent<typeof stopType, { readonly result: Result }>

export interface StopEventType extends AnyEventType {
  (): StopEvent<undefined>
  <Result>(data: { readonly result: Result }): StopEvent<Result>
  readonly type: typeof stopType
  is(event: unknown): event is StopEvent
}

/** Return it where the work is done. The result comes out of `handler.result()` as the very object that went in. */
export const StopEvent: StopEventType = Object.assign(
  <Result>(data: { readonly result?: Result } = {}): StopEvent<Result | undefined> => {
    if (isData(data)) return { type: stopType, result: data.result }
    throw new EventValidationError(
      `StopEvent takes { result }, got ${describe(data)}. Write StopEvent({ result: … }).`,
      stopType,
    )
  },
  { type: stopType, schema: undefined, is: (event: unknown) => hasType(event, stopType) },
) as StopEventType

/** What a step asks a person. */
export interface InputRequestData {
  /** Names the request in the answer. Made when left out; unique in a run. */
  readonly requestId?: string
  readonly prompt: string
  /** Whatever the one who asks wants to show: choices, a document, … */
  readonly metadata?: unknown
  /** Names one of the workflow's `requests`, whose schema the answer has to fit. */
  readonly kind?: string
  /** How long to wait for an answer. No limit when left out. */
  readonly timeout?: Duration
  /** The answer when nobody has given one in time; without it the run fails. */
  readonly default?: unknown
}

/** A question to a person; the run goes on elsewhere and waits here. */
export type InputRequestEvent = WorkflowEvent<typeof requestType, InputRequestData & { readonly requestId: string }>

export interface InputRequestEventType extends AnyEventType {
  (data: InputRequestData): InputRequestEvent
  readonly type: typeof requestType
  is(event: unknown): event is InputRequestEvent
}

/** Return it to ask a person. The answer arrives as an `InputResponseEvent`. */
export const InputRequestEvent: InputRequestEventType = Object.assign(
  ({ requestId = crypto.randomUUID(), ...data }: InputRequestData): InputRequestEvent => ({
    ...data,
    type: requestType,
    requestId,
  }),
  { type: requestType, schema: undefined, is: (event: unknown) => hasType(event, requestType) },
) as InputRequestEventType

/** The answer of a person. */
export type InputResponseEvent<Response = unknown> = WorkflowEvent<
  typeof responseType,
  { readonly requestId: string; readonly response: Response }
>

export interface InputResponseEventType extends AnyEventType {
  <Response>(data: { readonly requestId: string; readonly response: Response }): InputResponseEvent<Response>
  readonly type: typeof responseType
  is(event: unknown): event is InputResponseEvent
}

/** Accept it where the answers of people go on. */
export const InputResponseEvent: InputResponseEventType = Object.assign(
  <Response>(data: { readonly requestId: string; readonly response: Response }): InputResponseEvent<Response> => ({
    ...data,
    type: responseType,
  }),
  { type: responseType, schema: undefined, is: (event: unknown) => hasType(event, responseType) },
) as InputResponseEventType
