import type { ClassRegistry } from './class-codec.ts'
import { read, refusalOf, type Stored, store } from './codec.ts'
import { messageOf } from './codec-error.ts'
import { createBlankError, domExceptionPartsOf, isError } from './error-codec.ts'
import { defineField } from './plain-data.ts'

/** Causes further down than this are left out. */
const causeLimit = 20

/**
 * Stores what a step threw, whatever it is, so that a snapshot can tell it: errors often hold requests and sockets.
 * Fields that cannot be kept are left out of the error, and their names are in its field `omitted`.
 */
export function storeFailure(thrown: unknown, classes: ClassRegistry): Stored {
  const stored = store(thrown, classes)
  if (refusalOf(stored) === undefined) return stored
  const reduced = store(reduceError(thrown, classes, 0), classes)
  return refusalOf(reduced) === undefined ? reduced : store(new Error(messageOf(thrown)))
}

function reduceError(thrown: unknown, classes: ClassRegistry, depth: number): unknown {
  try {
    if (typeof thrown !== 'object' || thrown === null || !isError(thrown) || depth > causeLimit)
      return new Error(messageOf(thrown))
    const reduced = createBlankError(Object.getPrototypeOf(thrown), domExceptionPartsOf(thrown))
    const omitted: string[] = []
    for (const key of Object.getOwnPropertyNames(thrown)) {
      const { value, enumerable } = Object.getOwnPropertyDescriptor(thrown, key) ?? {}
      const stored = store(key === 'stack' ? thrown.stack : value, classes)
      if (refusalOf(stored) === undefined) defineField(reduced, key, read(stored), enumerable)
      else if (key === 'cause') defineField(reduced, key, reduceError(value, classes, depth + 1), enumerable)
      else omitted.push(key)
    }
    if (omitted.length > 0) defineField(reduced, 'omitted', omitted)
    return reduced
  } catch {
    return new Error(messageOf(thrown))
  }
}
