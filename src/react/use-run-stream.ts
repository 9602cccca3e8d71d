import { useMemo, useSyncExternalStore } from 'react'
import { BlazenError } from '../errors.ts'
import type { AnyEvent, AnyEventType, EventOf } from '../event.ts'
import type { WorkflowHandler } from '../handler.ts'
import { StreamFeed } from './stream-feed.ts'

/** Which events are kept, how many, and from where on. */
export interface RunStreamOptions<Type extends AnyEventType = AnyEventType> {
  /** The types of events to keep, one or several; all of them when left out. */
  readonly only?: Type | readonly Type[]
  /** How many events are kept, at least 1: the last ones. @default 1000 */
  readonly limit?: number
  /**
   * Where reading begins: at the first event that the run ever wrote, at the n-th (0 is the first), or with what is
   * written from the mount on.
   *
   * @default 0
   */
  readonly from?: number | 'now'
}

const nothing: readonly never[] = []

/**
 * What the steps of a run have written to the stream so far, the oldest first. Renders at most once a frame, however
 * much is written. Where the buffer of the run was exceeded before this was mounted, a `StreamGap` says so.
 *
 * @example
 * const lines = useRunStream(handler, { only: Line, limit: 100 })
 */
export function useRunStream<Type extends AnyEventType>(
  handler: WorkflowHandler | undefined,
  options: RunStreamOptions<Type> & { readonly only: Type | readonly Type[] },
): readonly EventOf<Type>[]
export function useRunStream(handler: WorkflowHandler | undefined, options?: RunStreamOptions): readonly AnyEvent[]
export function useRunStream(
  handler: WorkflowHandler | undefined,
  { only, limit = 1_000, from = 0 }: RunStreamOptions = {},
): readonly AnyEvent[] {
  if (!(limit >= 1)) {
    throw new BlazenError('invalid_option', `useRunStream: limit has to be at least 1, got ${String(limit)}.`)
  }
  // By their names, since an array may be another one at each render.
  const types = only === undefined ? undefined : JSON.stringify([only].flat().map(({ type }) => type))
  const feed = useMemo(() => {
    const kept = types === undefined ? undefined : new Set<string>(JSON.parse(types))
    return new StreamFeed(handler, { from, limit, types: kept })
  }, [handler, from, limit, types])
  return useSyncExternalStore(feed.subscribe, feed.get, () => nothing)
}
