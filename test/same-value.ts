/** Where two values differ, or undefined where they are the same in prototypes, key order, holes, sharing and cycles. */
export function findDifference(
  left: unknown,
  right: unknown,
  pairs: Map<object, object> = new Map(),
  path = 'value',
): string | undefined {
  if (typeof left !== 'object' || left === null || typeof right !== 'object' || right === null) {
    return Object.is(left, right) ? undefined : `${path}: ${String(left)} is not ${String(right)}`
  }
  const paired = pairs.get(left)
  if (paired !== undefined) return paired === right ? undefined : `${path}: another object than elsewhere`
  if ([...pairs.values()].includes(right)) return `${path}: shared where it was not`
  pairs.set(left, right)
  if (Object.getPrototypeOf(left) !== Object.getPrototypeOf(right)) return `${path}: another prototype`
  const compare = (a: unknown, b: unknown, key: string): string | undefined =>
    findDifference(a, b, pairs, `${path}.${key}`)
  if (left instanceof Date && right instanceof Date) return compare(left.getTime(), right.getTime(), 'getTime()')
  if (left instanceof URL && right instanceof URL) return compare(left.href, right.href, 'href')
  if (left instanceof ArrayBuffer && right instanceof ArrayBuffer)
    return compare(bytesOf(left), bytesOf(right), 'bytes')
  if (ArrayBuffer.isView(left) && ArrayBuffer.isView(right)) {
    return (
      compare(left.byteOffset, right.byteOffset, 'byteOffset') ??
      compare(left.byteLength, right.byteLength, 'byteLength') ??
      compare(left.buffer, right.buffer, 'buffer')
    )
  }
  if (left instanceof RegExp && right instanceof RegExp && String(left) !== String(right))
    return `${path}: another expression`
  if ((left instanceof Map && right instanceof Map) || (left instanceof Set && right instanceof Set)) {
    const difference = compareAll(membersOf(left), membersOf(right), compare)
    if (difference !== undefined) return difference
  }
  if (Array.isArray(left) && Array.isArray(right) && left.length !== right.length) return `${path}: another length`
  const keys = Reflect.ownKeys(left).filter((key) => !(left instanceof Error && typeof key === 'symbol'))
  const others = Reflect.ownKeys(right).filter((key) => !(right instanceof Error && typeof key === 'symbol'))
  // Hidden fields of errors may come in another order than the visible ones; nothing shows that.
  const order =
    left instanceof Error
      ? (list: PropertyKey[], owner: object): PropertyKey[] => [
          ...list.filter((key) => !isVisible(owner, key)),
          ...list.filter((key) => isVisible(owner, key)),
        ]
      : (list: PropertyKey[]): PropertyKey[] => list
  if (order(keys, left).map(String).join() !== order(others, right).map(String).join())
    return `${path}: keys ${keys.map(String)} are not ${others.map(String)}`
  for (const key of keys) {
    if (isVisible(left, key) !== isVisible(right, key)) return `${path}.${String(key)}: another visibility`
    const difference = compare(Reflect.get(left, key), Reflect.get(right, key), String(key))
    if (difference !== undefined) return difference
  }
  return undefined
}

function compareAll(
  left: readonly unknown[],
  right: readonly unknown[],
  compare: (a: unknown, b: unknown, key: string) => string | undefined,
): string | undefined {
  if (left.length !== right.length) return 'another size'
  for (const [index, item] of left.entries()) {
    const difference = compare(item, right[index], `[${index}]`)
    if (difference !== undefined) return difference
  }
  return undefined
}

function isVisible(owner: object, key: PropertyKey): boolean {
  return Object.prototype.propertyIsEnumerable.call(owner, key)
}

function bytesOf(buffer: ArrayBuffer): string {
  return new Uint8Array(buffer).join()
}

/** The members of a Set; the keys and values of a Map. */
export function membersOf(collection: Map<unknown, unknown> | Set<unknown>): unknown[] {
  return collection instanceof Map ? [...collection].flat() : [...collection]
}
