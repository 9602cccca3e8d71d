import { type Attempt, Change, type Writes } from '../machines/index.ts'
import { BlazenState, declaredFields, metaOf } from './blazen-state.ts'
import { type ClassRegistry, classOf } from './class-codec.ts'
import { isLive, persist, read, readOwn, type Stored, store, tierOf } from './codec.ts'
import { BlazenStateError } from './errors.ts'
import { noteOrigin, originOf } from './origin.ts'
import { defineField } from './plain-data.ts'
import { toEntryKey } from './state-key.ts'
import { type Field, type FieldKind, hold, isHeldBy, pathText, pictures, StateObject } from './state-object.ts'

/** What the process of a run has to say. */
interface Process {
  readonly blueprint: { readonly classes: ClassRegistry }
  now(): number
}

/**
 * Sets a BlazenState: writes the fields that have changed since this instance was last written, beside what others write
 * to the other fields. An instance that was not there before takes the place of what is there, whole.
 */
export function setObject(attempt: Attempt, writes: Writes, key: string, instance: BlazenState, live: Process): void {
  const { state } = attempt.run
  const { classes } = live.blueprint
  const entryKey = toEntryKey(key)
  const visible = objectIn(state.get(entryKey))
  const committed = objectIn(state.committed.get(entryKey))
  const picture = pictures.get(instance)
  const isKnown = visible !== undefined && picture?.lineage === visible.lineage
  // What another attempt has set since this one got the instance is not for this one to write.
  const base = isKnown ? (isHeldBy(instance, attempt) ? picture : visible) : undefined

  const version = `${attempt.execution.id}.${attempt.number}.${++versionsMade}`
  const fields = capture(key, instance, classes, version, [base, visible, committed])
  for (const { value } of fields.values())
    if (isLive(value) && originOf(value) === undefined)
      noteOrigin(value, { step: attempt.execution.step, at: live.now() })
  const object = createObject(key, {}, fields, instance, classes)
  if (base === undefined || visible === undefined) {
    state.write(writes, entryKey, object)
    pictures.set(instance, object)
  } else {
    const delta = computeDelta(base.fields, fields)
    if (delta.size > 0 || visible.instance !== instance)
      state.change(writes, entryKey, merging(delta, visible.lineage, object))
    const merged = objectIn(state.get(entryKey)) ?? object
    adopt(instance, merged, fields)
    pictures.set(instance, merged)
  }
  hold(instance, attempt, true)
}

/** Makes the saves of one attempt differ. */
let versionsMade = 0

/** A BlazenState that no step has set: a default of the workflow's `state`. */
export function toObject(key: string, instance: BlazenState, classes: ClassRegistry): StateObject {
  const object = createObject(key, {}, capture(key, instance, classes, '0', []), instance, classes)
  pictures.set(instance, object)
  return object
}

function objectIn(stored: unknown): StateObject | undefined {
  return stored instanceof StateObject && stored.problem === undefined ? stored : undefined
}

function createObject(
  key: string,
  lineage: object,
  fields: Map<string, Field>,
  instance: BlazenState,
  classes: ClassRegistry,
): StateObject {
  return Object.assign(new StateObject(key, lineage, fields, classes), { instance })
}

/** The fields that are others than before; undefined for those that are gone. */
function computeDelta(
  before: ReadonlyMap<string, Field>,
  after: ReadonlyMap<string, Field>,
): Map<string, Field | undefined> {
  const delta = new Map<string, Field | undefined>()
  for (const [path, field] of after) if (before.get(path) !== field) delta.set(path, field)
  for (const path of before.keys()) if (!after.has(path)) delta.set(path, undefined)
  return delta
}

/** Puts what has changed over the object that is there; `whole` where that is another one. */
function merging(
  delta: ReadonlyMap<string, Field | undefined>,
  lineage: object,
  whole: StateObject,
): (before: unknown) => StateObject {
  let last: { before: unknown; merged: StateObject } | undefined
  return (before) => {
    if (last === undefined || last.before !== before) last = { before, merged: merge(before) }
    return last.merged
  }
  function merge(before: unknown): StateObject {
    const { key, classes, instance } = whole
    if (!(before instanceof StateObject) || before.lineage !== lineage || instance === undefined) return whole
    const fields = new Map(before.fields)
    for (const [path, field] of delta) {
      if (field === undefined) fields.delete(path)
      else fields.set(path, field)
    }
    return createObject(key, lineage, fields, instance, classes)
  }
}

/** Gives an instance the fields that others have written. */
function adopt(instance: BlazenState, { fields }: StateObject, own: ReadonlyMap<string, Field>): void {
  for (const [text, { kind, path, value }] of fields) {
    if (kind === 'state' || own.get(text) === fields.get(text)) continue
    let owner: unknown = instance
    for (const name of path.slice(0, -1)) owner = Reflect.get(Object(owner), name)
    const name = path.at(-1)
    if (owner instanceof BlazenState && name !== undefined) defineField(owner, name, readOwn(value))
  }
}

/** The fields of an instance as they are now; a field that is as in one of the `earlier` objects is that very one. */
function capture(
  key: string,
  root: BlazenState,
  classes: ClassRegistry,
  version: string,
  earlier: readonly (StateObject | undefined)[],
): Map<string, Field> {
  const fields = new Map<string, Field>()
  const seen = new Map<BlazenState, string>()
  const className = nameOf(key, root, classes)

  const take = (kind: FieldKind, path: readonly string[], value: Stored, prototype?: object): void => {
    const text = pathText(path)
    const isSame = (field: Field | undefined) => field?.kind === kind && isSameStored(field.value, value)
    const known = earlier.map((object) => object?.fields.get(text)).find(isSame)
    const entry = kind === 'store' ? Object.freeze({ version }) : value
    fields.set(text, known ?? { kind, path, value, entry, prototype })
  }

  const visit = (instance: BlazenState, path: readonly string[]): void => {
    const place = path.join('.')
    const refuse = (field: string, what: string): never => {
      throw new BlazenStateError('state_invalid', `State "${key}" (${className}): field "${field}" ${what}`, {
        key,
        className,
        field,
      })
    }
    const other = seen.get(instance)
    if (other !== undefined)
      refuse(place, `is the very object that ${other || 'the state itself'} is: keep it in one place.`)
    seen.set(instance, place)
    const prototype: object = Object.getPrototypeOf(instance)
    const name = nameOf(key, instance, classes)
    const declared = declaredFields(prototype, { key, className: name })
    const { transient = [], storeBy = {} } = metaOf(prototype)
    const kept: [string, FieldKind][] = []
    const extra: string[] = []
    for (const field of Object.keys(instance)) {
      if (transient.includes(field)) continue
      const at = [...path, field]
      const { value, get } = Object.getOwnPropertyDescriptor(instance, field) ?? {}
      if (get !== undefined) refuse(at.join('.'), 'is a getter: make it one of the class, or a method.')
      const isElsewhere = Object.hasOwn(storeBy, field) && value !== undefined
      const kind = value instanceof BlazenState ? 'state' : isElsewhere ? 'store' : 'value'
      kept.push([field, kind])
      if (!declared.has(field)) extra.push(field)
      if (value instanceof BlazenState) visit(value, at)
      else take(kind, at, store(value, classes))
    }
    take('state', path, store({ class: name, fields: kept, extra }, classes), prototype)
  }
  visit(root, [])
  return fields
}

/** The name that the class of an instance is found by in another process. @throws BlazenStateError */
function nameOf(key: string, instance: BlazenState, classes: ClassRegistry): string {
  const prototype: object = Object.getPrototypeOf(instance)
  const className = classes.of(prototype)?.name ?? classOf(prototype)?.name ?? ''
  const namesake = classes.named(className)
  if (className !== '' && (namesake === undefined || namesake.prototype === prototype)) return className
  throw new BlazenStateError(
    'state_invalid',
    className === ''
      ? `State "${key}": its class has no name, by which it could be found again. Give it one: registerClass(Class, { name: 'PipelineState' }).`
      : `State "${key}": another class is registered as "${className}". Give one of them another name: registerClass(${className}, { name: '…' }).`,
    { key, className },
  )
}

/** Whether two values are the same by what they hold. */
function isSameStored(a: Stored, b: Stored): boolean {
  if (Object.is(a, b)) return true
  const tier = tierOf(a)
  if (tier !== tierOf(b)) return false
  switch (tier) {
    case 'live':
      return read(a) === read(b)
    case 'bytes':
      return isSameBytes(read(a) as Uint8Array, read(b) as Uint8Array)
    case 'coded':
      return JSON.stringify(persist(a)) === JSON.stringify(persist(b))
    case 'json':
      return isSameJson(a, b)
  }
}

function isSameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return false
  return true
}

function isSameJson(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  const keys = Object.keys(a)
  // The order of keys is a part of the value, which comes back as it was.
  const others = Object.keys(b)
  if (Array.isArray(a) !== Array.isArray(b) || keys.length !== others.length) return false
  return keys.every((key, at) => key === others[at] && isSameJson(Reflect.get(a, key), Reflect.get(b, key)))
}

/** What a write will be when it is committed now. */
export function resolved(value: unknown, committed: unknown): unknown {
  return value instanceof Change ? value.apply(committed) : value
}
