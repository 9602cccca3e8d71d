import type { Execution, RoutedEvent } from './execution.ts'

/** An event that waits to be collected, and the execution that brought it. */
export interface Collected {
  readonly by: number
  readonly event: RoutedEvent
}

/** What waits to be collected, by event type, the oldest first. Types that nobody collects are not in it. */
export type Collections = Map<string, Collected[]>

/** What one attempt did to one collection; it is undone if the attempt fails. */
export interface Collecting {
  readonly type: string
  readonly added: Collected | undefined
  taken: Collected[]
}

/**
 * Adds the event that `execution` handles to the collection of its type (once), then takes the `count` oldest ones,
 * or none while there are fewer.
 */
export function collect(
  collections: Collections,
  execution: Execution,
  log: Collecting[],
  count: number,
): RoutedEvent[] | undefined {
  const { type, event } = execution
  const waiting = collections.get(type) ?? []
  let entry = log.find((each) => each.type === type)
  if (entry === undefined) {
    entry = { type, added: execution.spent ? undefined : { by: execution.id, event }, taken: [] }
    log.push(entry)
    if (entry.added !== undefined) waiting.push(entry.added)
    if (waiting.length > 0) collections.set(type, waiting)
  }
  if (waiting.length < count) return undefined
  const taken = waiting.splice(0, count)
  entry.taken = entry.taken.concat(taken)
  if (waiting.length === 0) collections.delete(type)
  return taken.map((each) => each.event)
}

/**
 * Gives back what the attempt of `execution` took, in its old order, and removes what it added. What another has taken
 * meanwhile stays with that one, and is not added again.
 */
export function uncollect(collections: Collections, execution: Execution, log: readonly Collecting[]): void {
  for (const { type, added, taken } of log) {
    const given = [...taken, ...(collections.get(type) ?? [])]
    if (added !== undefined && !given.includes(added)) execution.spent = true
    const waiting = given.filter((each) => each !== added).sort((a, b) => a.by - b.by)
    if (waiting.length > 0) collections.set(type, waiting)
    else collections.delete(type)
  }
}

/** Undoes what attempts at work have done, as if none of them had begun: what one of them took of another's is gone too. */
export function uncollectAll(collections: Collections, logs: Iterable<readonly Collecting[]>): void {
  const added = new Set<Collected>()
  const types = new Set<string>()
  for (const { type, added: own, taken } of [...logs].flat()) {
    types.add(type)
    if (own !== undefined) added.add(own)
    if (taken.length > 0) collections.set(type, [...taken, ...(collections.get(type) ?? [])])
  }
  for (const type of types) {
    const waiting = (collections.get(type) ?? []).filter((each) => !added.has(each)).sort((a, b) => a.by - b.by)
    if (waiting.length > 0) collections.set(type, waiting)
    else collections.delete(type)
  }
}
