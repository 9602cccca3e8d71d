import type { ClassRegistry } from './class-codec.ts'
import { type PersistedValue, read, revive } from './codec.ts'
import type { AnyEvent } from './event.ts'
import type { Hop } from './inner-fact.ts'
import { toPath } from './open-request.ts'
import { defineField } from './plain-data.ts'
import type { RecordKind } from './record-codec.ts'
import { toFieldPath, toUserKey } from './state-key.ts'
import { isHead } from './state-rebuild.ts'
import type { StoredRecord } from './store.ts'

/** One thing that happened to a run, as it was written down, decoded. What is of no kind is left out. */
export interface HistoryRecord {
  /** Counted from 1 in a run, without gaps. */
  readonly seq: number
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly kind: RecordKind
  /** What the run began with, or what was sent. */
  readonly event?: AnyEvent
  /** The step that did it, or of which the run failed. */
  readonly step?: string
  /** The number of the execution, from 1. */
  readonly execution?: number
  /** What the step returned. */
  readonly events?: readonly AnyEvent[]
  /** What the step wrote to `ctx.state`; a deleted key stands alone. Of a `BlazenState`, it is the fields that changed. */
  readonly writes?: readonly (readonly [key: string, value?: unknown])[]
  readonly durationMs?: number
  /** The attempt that follows. */
  readonly attempt?: number
  readonly dueAt?: number
  /** Why an attempt or the run failed, or the reason of an abort. */
  readonly error?: unknown
  /** How the run failed. */
  readonly failure?: string
  readonly timer?: string
  /** The branch that begins, of a step that begins several runs. */
  readonly child?: string
  readonly requestId?: string
  readonly response?: unknown
  /** The requests that the run waits for. */
  readonly requests?: readonly string[]
  /** The version of the workflow that the run went over to when that had changed; `null` for none. */
  readonly version?: string | null
  /** Of what happened in a run inside this one: the steps and branches that lead there. */
  readonly path?: readonly string[]
}

interface Body {
  readonly in?: readonly Hop[]
  readonly asked?: string
  readonly child?: { readonly name: string; readonly snapshot: Body }
  readonly context?: { readonly executions: readonly { readonly event: PersistedValue }[] }
  readonly version?: string | null
  readonly event?: PersistedValue
  readonly events?: readonly PersistedValue[]
  readonly writes?: readonly (readonly [string, PersistedValue?])[]
  readonly response?: PersistedValue
  readonly error?: PersistedValue
  readonly failure?: { readonly kind: string; readonly fields?: PersistedValue; readonly thrown?: PersistedValue }
}

/** A record for people and programs to read. */
export function toHistory({ seq, at, kind, body, bytes }: StoredRecord, classes: ClassRegistry): HistoryRecord {
  const decode = (value: PersistedValue) => read(revive(value, classes, `record ${seq}`, bytes))
  const {
    in: way,
    asked,
    child,
    context = child?.snapshot.context,
    version,
    event = kind === 'started' || kind === 'begun' ? context?.executions[0]?.event : undefined,
    events,
    writes,
    response,
    error,
    failure,
    ...rest
  }: Body = JSON.parse(body)
  const thrown = error ?? failure?.thrown
  const failed = failure?.fields === undefined ? {} : (decode(failure.fields) as { readonly step?: string })
  return {
    ...{ seq, at, kind: kind as RecordKind },
    ...(context === undefined || child !== undefined ? rest : {}),
    ...(way === undefined ? {} : { path: toPath(way) }),
    ...(asked === undefined ? {} : { requestId: asked }),
    ...(child === undefined || child.name === '' ? {} : { child: child.name }),
    ...(kind === 'migrated' ? { version: version ?? null } : {}),
    ...(event === undefined ? {} : { event: decode(event) as AnyEvent }),
    ...(events === undefined ? {} : { events: events.map((each) => decode(each) as AnyEvent) }),
    ...(writes === undefined ? {} : { writes: toWrites(writes, decode) }),
    ...(response === undefined ? {} : { response: (decode(response) as { response?: unknown }).response }),
    ...(failure === undefined ? {} : { failure: failure.kind }),
    ...(failed.step === undefined ? {} : { step: failed.step }),
    ...(thrown === undefined ? {} : { error: decode(thrown) }),
  }
}

/** What was written, by the keys of users: the fields of an object, which are entries of their own, stand in it. */
function toWrites(
  writes: NonNullable<Body['writes']>,
  decode: (value: PersistedValue) => unknown,
): [key: string, value?: unknown][] {
  const objects = new Map<string, object>()
  const shown: [key: string, value?: unknown][] = []
  for (const [entryKey, value] of writes) {
    const key = toUserKey(entryKey)
    if (key === undefined) continue
    if (value === undefined) shown.push([key])
    else if (!('object' in value)) shown.push([key, decode(value)])
    else shown.push([key, objectAt(objects, key, [])])
  }
  for (const [entryKey, value] of writes) {
    const [key, ...path] = toFieldPath(entryKey) ?? []
    const name = path.pop()
    if (key === undefined || name === undefined || value === undefined || !objects.has(key)) continue
    const field = decode(value)
    if (isHead(field)) objectAt(objects, key, [...path, name])
    else defineField(objectAt(objects, key, path), name, field)
  }
  return shown
}

/** The object that stands for a state, or for one in it. */
function objectAt(objects: Map<string, object>, key: string, path: readonly string[]): object {
  let object = objects.get(key)
  if (object === undefined) objects.set(key, (object = {}))
  for (const name of path) {
    const inner: unknown = Reflect.get(object, name)
    if (typeof inner === 'object' && inner !== null) {
      object = inner
    } else {
      const made = {}
      defineField(object, name, made)
      object = made
    }
  }
  return object
}
