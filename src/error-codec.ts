import { classOf } from './class-codec.ts'

/** The prototypes of the language's own errors, by name. `SuppressedError` and `DOMException` are not everywhere. */
const builtInErrors = new Map<string, object>(
  [Error, AggregateError, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError].map((each) => [
    each.name,
    each.prototype,
  ]),
)
for (const name of ['SuppressedError', 'DOMException']) {
  const found: unknown = Reflect.get(globalThis, name)
  if (typeof found === 'function' && found.prototype instanceof Error) builtInErrors.set(name, found.prototype)
}

/** Whether a value is an error, of this realm or another. */
export function isError(value: object): value is Error {
  return value instanceof Error || Object.prototype.toString.call(value) === '[object Error]'
}

/** The names by which an error's class is found again: its own, and that of the built-in error below it. */
export function errorNamesOf(error: Error): { readonly name: string; readonly base: string } {
  let name = ''
  let link: object | null = Object.getPrototypeOf(error)
  while (link !== null) {
    const owner = classOf(link)?.name ?? ''
    if (name === '') name = owner
    if (builtInErrors.has(owner)) return { name, base: owner }
    link = Object.getPrototypeOf(link)
  }
  return { name: name === '' ? 'Error' : name, base: 'Error' }
}

/** What a `DOMException` holds in no property. */
export interface DomExceptionParts {
  readonly message: string
  readonly name: string
}

/** The message and name that a `DOMException` was made with; undefined for other errors. */
export function domExceptionPartsOf(error: object): DomExceptionParts | undefined {
  if (typeof DOMException !== 'function' || !(error instanceof DOMException)) return undefined
  // Fields of its own may hide what the prototype's getters tell.
  const part = (key: string): string => String(Reflect.get(DOMException.prototype, key, error))
  return { message: part('message'), name: part('name') }
}

/** A real error with nothing in it but the prototype, and what makes it a `DOMException`. */
export function createBlankError(prototype: object, parts?: DomExceptionParts): Error {
  const error = parts === undefined ? new Error() : new DOMException(parts.message, parts.name)
  for (const key of Object.getOwnPropertyNames(error)) Reflect.deleteProperty(error, key)
  return Object.setPrototypeOf(error, prototype)
}

/**
 * The prototype for an error of a class that this process does not know: of a class with the same name,
 * over the same built-in error. So `constructor.name`, `instanceof TypeError` and the printed form stay.
 */
export function standInPrototype(name: string, base: string): object | undefined {
  const parent = builtInErrors.get(base)
  if (parent === undefined || name === base) return parent
  const id = `${base}/${name}`
  let prototype = standIns.get(id)
  if (prototype === undefined) {
    const StandIn = class extends Error {}
    Object.defineProperty(StandIn, 'name', { value: name, configurable: true })
    Object.setPrototypeOf(StandIn.prototype, parent)
    prototype = StandIn.prototype
    standIns.set(id, prototype)
  }
  return prototype
}

const standIns = new Map<string, object>()
