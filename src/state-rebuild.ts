import { type BlazenState, constructState, metaOf } from './blazen-state.ts'
import type { ClassRegistry } from './class-codec.ts'
import { read, readOwn, type Stored, store } from './codec.ts'
import { messageOf } from './codec-error.ts'
import { BlazenStateError } from './errors.ts'
import type { FieldContext } from './field-store.ts'
import { defineField } from './plain-data.ts'
import { toFieldKey } from './state-key.ts'
import { type Field, type FieldKind, type Head, headOf, isRemoved, pathText, StateObject } from './state-object.ts'

/** An object out of a snapshot; its fields are entries of the same state, see {@link gatherFields}. */
export function reviveObject(key: string, head: Stored, classes: ClassRegistry): StateObject {
  const field: Field = { kind: 'state', path: [], value: head, entry: head, prototype: undefined }
  return new StateObject(key, {}, new Map([[pathText([]), field]]), classes)
}

/** Whether a value is the head of an object. */
export function isHead(value: unknown): value is Head {
  if (typeof value !== 'object' || value === null) return false
  const { class: className, fields, extra } = value as Partial<Record<keyof Head, unknown>>
  const isField = (field: unknown) =>
    Array.isArray(field) && typeof field[0] === 'string' && ['value', 'store', 'state'].includes(field[1])
  return typeof className === 'string' && Array.isArray(fields) && fields.every(isField) && Array.isArray(extra)
}

/** Finds the fields of an object among the entries; those that a pause policy has dropped are not there. */
export function gatherFields(object: StateObject, entries: ReadonlyMap<string, unknown>): void {
  const gather = (path: readonly string[]): void => {
    for (const [name, kind] of headOf(object, path).fields) {
      const at = [...path, name]
      const entryKey = toFieldKey(object.key, at)
      if (!entries.has(entryKey)) continue
      const entry = entries.get(entryKey) as Stored
      const isWhole = kind === 'value' || (kind === 'state' ? isHead(entry) : isVersion(entry))
      if (!isWhole) throw new TypeError(`the entry ${entryKey} does not hold what its object says`)
      object.fields.set(pathText(at), { kind, path: at, value: entry, entry, prototype: undefined })
      if (kind === 'state') gather(at)
    }
  }
  gather([])
}

function isVersion(entry: unknown): entry is { readonly version: string } {
  return typeof (entry as { version?: unknown } | null)?.version === 'string'
}

/**
 * Makes the instance of an object that came from a snapshot: fields first, inner states before outer ones, then
 * `restore()`. An object whose class is not registered stays as it is, and says so when it is read.
 *
 * @throws BlazenStateError that names key, class and field.
 */
export async function rebuild(object: StateObject, run: Omit<FieldContext, 'version'>): Promise<void> {
  object.problem = findProblem(object)
  if (object.problem === undefined) object.instance = await rebuildAt(object, [], run)
}

function findProblem(object: StateObject): BlazenStateError | undefined {
  const { key, classes } = object
  for (const { kind, path, value } of object.fields.values()) {
    const className = kind === 'state' ? headOf(object, path).class : ''
    const field = path.length === 0 ? undefined : path.join('.')
    if (kind === 'state' && classes.named(className) === undefined) {
      return new BlazenStateError(
        'state_class_missing',
        `State "${key}"${field === undefined ? '' : `, field "${field}",`} is of class "${className}", which is not registered in this process. Register it, as in workflow(name, { classes: [${className}] }) or registerClass(${className}).`,
        { key, className, field },
      )
    }
    try {
      read(value)
    } catch (cause) {
      const { class: className } = headOf(object, path.slice(0, -1))
      const message = `State "${key}" (${className}): field "${field}" cannot be read: ${messageOf(cause)}`
      return new BlazenStateError('field_unreadable', message, { key, className, field }, { cause })
    }
  }
  return undefined
}

async function rebuildAt(
  object: StateObject,
  path: readonly string[],
  run: Omit<FieldContext, 'version'>,
): Promise<BlazenState> {
  const { key, classes, fields } = object
  const head = headOf(object, path)
  const prototype = classes.named(head.class)?.prototype ?? Object.prototype
  const own = fields.get(pathText(path))
  if (own !== undefined) fields.set(pathText(path), { ...own, prototype })
  const instance = constructState(prototype, { key, className: head.class })

  const take = async (name: string, kind: FieldKind): Promise<void> => {
    const at = [...path, name]
    const field = fields.get(pathText(at))
    // A live value that was dropped is gone as a transient one is.
    if (field === undefined) return defineField(instance, name, null)
    if (kind === 'state') return defineField(instance, name, await rebuildAt(object, at, run))
    if (kind === 'value') return defineField(instance, name, readOwn(field.value))
    const value = await load(object, field, prototype, run)
    fields.set(pathText(at), { ...field, value: store(value, classes) })
    defineField(instance, name, value)
  }
  const taken = head.fields.filter(([name]) => !isRemoved(name, head, prototype, key))
  // What was kept of a field that is transient by now is of no use.
  const { transient = [] } = metaOf(prototype)
  await Promise.all(taken.filter(([name]) => !transient.includes(name)).map(([name, kind]) => take(name, kind)))
  for (const name of transient) defineField(instance, name, null)
  try {
    await instance.restore?.()
  } catch (cause) {
    const field = path.length === 0 ? undefined : path.join('.')
    const className = head.class
    throw new BlazenStateError(
      'state_restore',
      `State "${key}"${field === undefined ? '' : `, field "${field}"`}: restore() of ${className} failed: ${messageOf(cause)}`,
      { key, className, field },
      { cause },
    )
  }
  return instance
}

async function load(
  object: StateObject,
  { path, entry }: Field,
  prototype: object,
  run: Omit<FieldContext, 'version'>,
): Promise<unknown> {
  const { key } = object
  const field = path.join('.')
  const className = headOf(object, path.slice(0, -1)).class
  const fail = (why: string, cause?: unknown) => {
    const message = `State "${key}" (${className}): field "${field}" cannot be loaded: ${why}`
    return new BlazenStateError('field_load', message, { key, className, field }, { cause })
  }
  const fieldStore = metaOf(prototype).storeBy?.[path.at(-1) ?? '']
  if (fieldStore === undefined) throw fail('its class has no field store for it any more. Name it in meta.storeBy.')
  const { version } = entry as unknown as { version: string }
  let value: unknown
  try {
    value = await fieldStore.load(`${key}.${field}`, { ...run, version })
  } catch (cause) {
    throw fail(messageOf(cause), cause)
  }
  if (value === undefined) throw fail(`its field store has nothing under "${key}.${field}".`)
  return value
}
