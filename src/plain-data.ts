/** Whether a number is the same after a way through JSON. */
export function isJsonNumber(value: number): boolean {
  return Number.isFinite(value) && !Object.is(value, -0)
}

/** Whether an object is a plain one, of this realm or another, as an iframe's or a vm context's. */
export function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && isPlainPrototype(Object.getPrototypeOf(value))
}

/** Whether it is the prototype of plain objects. */
export function isPlainPrototype(prototype: object | null): boolean {
  return (
    prototype === Object.prototype ||
    (prototype !== null && Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype, 'isPrototypeOf'))
  )
}

/** Whether it is the prototype of arrays. */
export function isArrayPrototype(prototype: object | null): boolean {
  return (
    prototype === Array.prototype ||
    (prototype !== null && Object.hasOwn(prototype, 'copyWithin') && isPlainPrototype(Object.getPrototypeOf(prototype)))
  )
}

/** Sets a field of any name, also `__proto__`, and runs no setter. */
export function defineField(target: object, key: string, value: unknown, enumerable = true): void {
  Object.defineProperty(target, key, { value, enumerable, writable: true, configurable: true })
}

/** Tells getters from data without making a descriptor for each field, which would double the time that a copy takes. */
const lookupGetter: (this: object, key: PropertyKey) => unknown = Reflect.get(Object.prototype, '__lookupGetter__')

/** Whether reading the field would run somebody's code. */
export function hasGetter(source: object, key: string | number): boolean {
  return lookupGetter.call(source, key) !== undefined
}

/** An array whose holes take no memory: so high an index first makes the engine store it as a table. */
export function createSparseArray(length: number): unknown[] {
  const array: unknown[] = []
  array[2 ** 32 - 2] = undefined
  delete array[2 ** 32 - 2]
  array.length = length
  return array
}
