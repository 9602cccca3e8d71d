import { read, type Stored } from '../codec.ts'
import { defineField } from '../plain-data.ts'
import { toUserKey } from '../state-key.ts'
import { headOf, pathText, StateObject } from '../state-object.ts'
import { readable } from './run-view.ts'
import { Missing } from './shown-value.ts'
import { namedPrototype } from './stand-ins.ts'

/** What is in state, by the keys of users. Nobody's code runs: an object is shown by its class's name and its fields. */
export function toShownState(entries: ReadonlyMap<string, unknown>): Map<string, unknown> {
  const shown = new Map<string, unknown>()
  for (const [entryKey, stored] of entries) {
    const key = toUserKey(entryKey)
    if (key === undefined) continue
    shown.set(key, stored instanceof StateObject ? toShownObject(stored, []) : readable(() => read(stored as Stored)))
  }
  return shown
}

function toShownObject(object: StateObject, path: readonly string[]): object {
  const head = headOf(object, path)
  const shown: object = Object.create(namedPrototype(head.class))
  for (const [name, kind] of head.fields) {
    const at = [...path, name]
    const field = object.fields.get(pathText(at))
    if (field === undefined) defineField(shown, name, new Missing('Lost', 'left out of the snapshot'))
    else if (kind === 'state') defineField(shown, name, toShownObject(object, at))
    else if (kind === 'value')
      defineField(
        shown,
        name,
        readable(() => read(field.value)),
      )
    else defineField(shown, name, toElsewhere(field.entry))
  }
  return shown
}

function toElsewhere(entry: unknown): Missing {
  const { version } = Object(entry) as { version?: unknown }
  return new Missing('FieldStore', `kept by its field store, version ${JSON.stringify(version)}`)
}
