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
  added: Collected | undefined
  taken: Collected[]
}

/** What else is under way where something is collected. */
export interface Collectors {
  /** The executions that have not settled. */
  readonly open: ReadonlyMap<number, Execution>
  /** By execution, what attempts have done that have not settled. */
  readonly collecting: ReadonlyMap<number, readonly Collecting[]>
}

/**
 * Adds the event that `execution` handles to the collection of its type (once), then takes the `count` oldest ones,
 * or none while there are fewer. The oldest is the one whose execution was opened first, whoever settles first: so a run
 * that is folded from its records has the same order.
 */
export function collect(
  collections: Collections,
  execution: Execution,
  log: Collecting[],
  count: number,
  others: Collectors,
): RoutedEvent[] | undefined {
  const { type, event } = execution
  const waiting = collections.get(type) ?? []
  let entry = log.find((each) => each.type === type)
  if (entry === undefined) {
    const isAdded = execution.spent || isHeld(execution, others)
    entry = { type, added: isAdded ? undefined : { by: execution.id, event }, taken: [] }
    log.push(entry)
    if (entry.added !== undefined) addTo(waiting, entry.added)
    if (waiting.length > 0) collections.set(type, waiting)
  }
  if (waiting.length < count) return undefined
  const taken = waiting.splice(0, count)
  entry.taken = entry.taken.concat(taken)
  if (waiting.length === 0) collections.delete(type)
  return taken.map((each) => each.event)
}

/** Puts a collected event where it belongs by its age. */
export function addTo(waiting: Collected[], collected: Collected): void {
  const isYoungest = (waiting.at(-1)?.by ?? 0) < collected.by
  waiting.push(collected)
  if (!isYoungest) waiting.sort((a, b) => a.by - b.by)
}

/** Whether an attempt that is under way has taken what an earlier one of this execution had added. */
function isHeld({ id, attempt }: Execution, { collecting }: Collectors): boolean {
  if (attempt === 1) return false
  for (const log of collecting.values()) for (const { taken } of log) if (taken.some(({ by }) => by === id)) return true
  return false
}

/**
 * Gives back what the attempt of `execution` took, in its old order, and removes what it added. What another attempt has
 * taken meanwhile stays with that one; if it is given back, it is there again when its own execution adds it again.
 */
export function uncollect(
  collections: Collections,
  execution: Execution,
  log: readonly Collecting[],
  { open, collecting }: Collectors,
): void {
  for (const { type, added, taken } of log) {
    const waiting = (collections.get(type) ?? []).filter((each) => each !== added)
    for (const each of taken) {
      if (each === added || each.by === execution.id) continue
      const own = collecting.get(each.by)?.find((entry) => entry.type === type)
      // Of an execution that has yet to run again, it is added then.
      if (open.has(each.by) && own === undefined) continue
      if (own !== undefined && own.added === undefined) own.added = each
      addTo(waiting, each)
    }
    if (waiting.length > 0) collections.set(type, waiting)
    else collections.delete(type)
  }
}

/** Undoes what has not settled, as if none of it had begun: what of others was taken is there, and of itself nothing. */
export function uncollectAll(collections: Collections, { open, collecting }: Collectors): void {
  for (const { type, taken } of [...collecting.values()].flat()) {
    if (taken.length > 0) collections.set(type, [...taken, ...(collections.get(type) ?? [])])
  }
  for (const [type, collected] of collections) {
    const waiting = collected.filter(({ by }) => !open.has(by)).sort((a, b) => a.by - b.by)
    if (waiting.length > 0) collections.set(type, waiting)
    else collections.delete(type)
  }
}
