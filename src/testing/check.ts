/** What was found is not what was expected. */
export class ConformanceError extends Error {
  override name = 'ConformanceError'
}

/** Throws unless both are equal in depth; bytes by what they hold, and a `Buffer` is no `Uint8Array` less than another. */
export function equal(got: unknown, expected: unknown, what: string): void {
  const difference = findDifference(got, expected, '')
  if (difference !== undefined) throw new ConformanceError(`${what}${difference}`)
}

export function ok(condition: boolean, what: string): void {
  if (!condition) throw new ConformanceError(what)
}

/** Throws unless the promise is rejected. */
export async function rejects(work: () => unknown, what: string): Promise<unknown> {
  try {
    await work()
  } catch (error) {
    return error
  }
  throw new ConformanceError(`${what}: expected a rejection`)
}

function findDifference(got: unknown, expected: unknown, path: string): string | undefined {
  if (Object.is(got, expected)) return undefined
  if (got instanceof Uint8Array && expected instanceof Uint8Array) return findByteDifference(got, expected, path)
  if (isObject(got) && isObject(expected) && Array.isArray(got) === Array.isArray(expected)) {
    if (Array.isArray(got) && Array.isArray(expected) && got.length !== expected.length)
      return `${path}: expected ${expected.length} entries, got ${got.length}: ${show(got)} in place of ${show(expected)}`
    for (const key of new Set([...Object.keys(expected), ...Object.keys(got)])) {
      const difference = findDifference(got[key], expected[key], `${path}.${key}`)
      if (difference !== undefined) return difference
    }
    return undefined
  }
  return `${path}: expected ${show(expected)}, got ${show(got)}`
}

function findByteDifference(got: Uint8Array, expected: Uint8Array, path: string): string | undefined {
  if (got.length !== expected.length) return `${path}: expected ${expected.length} bytes, got ${got.length}`
  const index = got.findIndex((byte, at) => byte !== expected[at])
  return index < 0 ? undefined : `${path}[${index}]: expected the byte ${expected[index]}, got ${got[index]}`
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !(value instanceof Uint8Array)
}

function show(value: unknown): string {
  if (value instanceof Uint8Array) return `${value.length} bytes`
  const text = JSON.stringify(value) ?? String(value)
  return text.length > 200 ? `${text.slice(0, 200)}…` : text
}
