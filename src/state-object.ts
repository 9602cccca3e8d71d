import { type Attempt, type Composite, parts } from '../machines/index.ts'
import { type BlazenState, constructState, declaredFields, metaOf } from './blazen-state.ts'
import type { ClassRegistry } from './class-codec.ts'
import { Box, type PersistedValue, readOwn, type Stored } from './codec.ts'
import type { BlazenStateError } from './errors.ts'
import { defineField } from './plain-data.ts'
import { toFieldKey } from './state-key.ts'

/** Where a field's value is: in its entry, in a field store, or in entries of its own, as a state in a state has. */
export type FieldKind = 'value' | 'store' | 'state'

/** What is kept of an object beside its values: JSON data. */
export type Head = {
  readonly class: string
  readonly fields: readonly (readonly [name: string, kind: FieldKind])[]
  /** Those of its fields that the class does not declare. */
  readonly extra: readonly string[]
}

/** One field of an object, or of an object in it; it never changes, so it is known by its identity. */
export interface Field {
  readonly kind: FieldKind
  readonly path: readonly string[]
  /** The value; of a state, its head. */
  readonly value: Stored
  /** What stands in the log: the value, or in its place the version that a field store knows it by. */
  readonly entry: Stored
  /** Of a state: what its class is in this process. */
  readonly prototype: object | undefined
}

/** A path as the key of a Map. */
export function pathText(path: readonly string[]): string {
  return JSON.stringify(path)
}

/** A BlazenState as it was at one `set`: what stands in the log under its key. The fields are beside it, each in its entry. */
export class StateObject extends Box implements Composite {
  readonly tier = 'coded'
  /** Undefined in an object that comes from a snapshot, until it is rebuilt. */
  instance: BlazenState | undefined
  /** Why it cannot be rebuilt here. */
  problem: BlazenStateError | undefined

  constructor(
    readonly key: string,
    /** The same in all versions of one object. */
    readonly lineage: object,
    /** By path; that of the object itself is empty. */
    readonly fields: Map<string, Field>,
    readonly classes: ClassRegistry,
  ) {
    super()
  }

  get [parts](): ReadonlyMap<string, unknown> {
    const entries = new Map<string, unknown>()
    for (const { path, entry } of this.fields.values())
      if (path.length > 0) entries.set(toFieldKey(this.key, path), entry)
    return entries
  }

  /** The instance; another one if a step has worked on it that failed. */
  read(): BlazenState {
    if (this.problem !== undefined) throw this.problem
    if (this.instance === undefined || isTainted(this.instance)) {
      this.instance = build(this, [], this.instance)
      pictures.set(this.instance, this)
    }
    return this.instance
  }

  persist(): PersistedValue {
    return { object: headOf(this, []) }
  }
}

export function headOf(object: StateObject, path: readonly string[]): Head {
  return object.fields.get(pathText(path))?.value as unknown as Head
}

/** The version that an instance was last the same as. */
export const pictures = new WeakMap<BlazenState, StateObject>()

const holders = new WeakMap<BlazenState, Set<Attempt>>()

/** Notes that an attempt has the instance, and may change it. */
export function hold(instance: BlazenState, attempt: Attempt, isClean = false): void {
  let holding = holders.get(instance)
  if (holding === undefined) holders.set(instance, (holding = new Set()))
  for (const other of holding) if (other.over && (isClean || !other.discarded)) holding.delete(other)
  holding.add(attempt)
}

export function isHeldBy(instance: BlazenState, attempt: Attempt): boolean {
  return holders.get(instance)?.has(attempt) ?? false
}

function isTainted(instance: BlazenState): boolean {
  for (const attempt of holders.get(instance) ?? []) if (attempt.discarded) return true
  return false
}

/** Whether a field that was kept is one that the class has no more. */
export function isRemoved(name: string, { class: className, extra }: Head, prototype: object, key: string): boolean {
  return !extra.includes(name) && !declaredFields(prototype, { key, className }).has(name)
}

/** The instance again, from its fields; the transient ones are those of the instance before. */
function build(object: StateObject, path: readonly string[], before: object | undefined): BlazenState {
  const { key } = object
  const head = headOf(object, path)
  const prototype = object.fields.get(pathText(path))?.prototype ?? Object.prototype
  const instance = constructState(prototype, { key, className: head.class })
  for (const [name, kind] of head.fields) {
    const at = [...path, name]
    const field = object.fields.get(pathText(at))
    if (field === undefined || isRemoved(name, head, prototype, key)) continue
    const part = before === undefined ? undefined : Reflect.get(before, name)
    const inner = typeof part === 'object' && part !== null ? part : undefined
    defineField(instance, name, kind === 'state' ? build(object, at, inner) : readOwn(field.value))
  }
  for (const name of metaOf(prototype).transient ?? [])
    defineField(instance, name, before === undefined ? null : (Reflect.get(before, name) ?? null))
  return instance
}
