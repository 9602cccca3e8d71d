/**
 * How the keys of `ctx.state` stand in a run's log. Any text is a key, and fields of objects have entries of their own:
 * so users' keys that begin with the reserved word are kept under an escape, and no key can be that of a field.
 */
const reserved = 'blazen::'
const escapeMark = 'blazen::key/'
const fieldMark = 'blazen::field'
const stageMark = 'blazen::stage/'

/** The key in the log. */
export function toEntryKey(key: string): string {
  return key.startsWith(reserved) ? escapeMark + key : key
}

/** Whether it is a key that the log can have. */
export function isEntryKey(key: string): boolean {
  if (!key.startsWith(reserved) || key.startsWith(escapeMark + reserved) || key.startsWith(stageMark)) return true
  if (!key.startsWith(fieldMark)) return false
  try {
    const path: unknown = JSON.parse(key.slice(fieldMark.length))
    return Array.isArray(path) && path.length > 1 && path.every((name) => typeof name === 'string')
  } catch {
    return false
  }
}

/** The user's key; undefined for the entry of a field, or of a stage. */
export function toUserKey(entryKey: string): string | undefined {
  if (!entryKey.startsWith(reserved)) return entryKey
  return entryKey.startsWith(escapeMark) ? entryKey.slice(escapeMark.length) : undefined
}

/** The key under which a pipeline keeps what became of a stage; and of the empty name, its input. */
export function toStageKey(stage: string): string {
  return stageMark + stage
}

/** The key of a field's entry: `blazen::field["state","inner","count"]`. */
export function toFieldKey(key: string, path: readonly string[]): string {
  return fieldMark + JSON.stringify([key, ...path])
}

/** The user's key and the path of a field's entry; undefined for other entries. */
export function toFieldPath(entryKey: string): readonly string[] | undefined {
  return entryKey.startsWith(fieldMark) ? JSON.parse(entryKey.slice(fieldMark.length)) : undefined
}

/** The user's key under which the object stands that the entry is a field of; undefined for other entries. */
export function ownerOf(entryKey: string): string | undefined {
  return toFieldPath(entryKey)?.[0]
}

/** What to call an entry in errors. */
export function describeEntry(entryKey: string): string {
  const key = toUserKey(entryKey)
  if (key !== undefined) return `ctx.state "${key}"`
  if (entryKey.startsWith(stageMark)) {
    const stage = entryKey.slice(stageMark.length)
    return stage === '' ? 'the input of the pipeline' : `the result of stage "${stage}"`
  }
  const [owner, ...path]: string[] = JSON.parse(entryKey.slice(fieldMark.length))
  return `field "${path.join('.')}" of ctx.state "${owner}"`
}
