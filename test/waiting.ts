/** A promise that a test opens by hand. */
export interface Gate<Value = void> {
  readonly opened: Promise<Value>
  open(value: Value): void
  fail(error: unknown): void
}

export function createGate<Value = void>(): Gate<Value> {
  let open: (value: Value) => void = () => {}
  let fail: (error: unknown) => void = () => {}
  const opened = new Promise<Value>((resolve, reject) => {
    open = resolve
    fail = reject
  })
  return { opened, open, fail }
}

/** Lets the event loop turn, so that all promises that are due have settled. */
export async function turns(count = 3): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve))
}

/** What the promise rejects with; throws if it does not. */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  const settled = await promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  )
  if ('error' in settled) return settled.error
  throw new Error(`Expected a rejection, got ${String(settled.value)}`)
}

/** Resolves when it holds; throws if that takes too long. */
export async function until(holds: () => unknown): Promise<void> {
  for (let tries = 0; !(await holds()); tries++) {
    if (tries > 2_000) throw new Error('It did not come to pass.')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
