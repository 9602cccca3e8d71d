import { useMemo, useSyncExternalStore } from 'react'
import type { WorkflowHandler } from '../handler.ts'

const never = () => () => {}

/**
 * What `read` finds in a run, read again whenever that has changed.
 *
 * @param read gives the very value `before` where it is still the same. The same function for every render.
 */
export function useChanging<Result, Value>(
  handler: WorkflowHandler<Result> | undefined,
  none: Value,
  read: (handler: WorkflowHandler<Result>, before: Value) => Value,
): Value {
  const [subscribe, get] = useMemo(() => {
    if (handler === undefined) return [never, () => none] as const
    let value = none
    const subscribe = (listener: () => void) => handler.subscribe(listener)
    return [subscribe, () => (value = read(handler, value))] as const
  }, [handler, none, read])
  return useSyncExternalStore(subscribe, get, get)
}
