import type { AnyActorRef, AnyEventObject } from 'xstate'
import { type Activity, Execution, Run, type Settled } from '../../machines/index.ts'
import { cut, type Limits } from './cut.ts'
import type { ShownEvent, ShownSnapshot } from './message.ts'

/** What is shown of an event: a step's execution as the event that it is for. */
export function showEvent(event: AnyEventObject, limits: Limits): ShownEvent {
  if (event instanceof Execution) {
    const { id, attempt } = event
    return { ...showFields(event.event, limits), ...(attempt > 1 ? { execution: id, attempt } : { execution: id }) }
  }
  return showFields(event.type === 'blazen.settled' ? withKeysOnly(event as Settled) : event, limits)
}

function showFields(event: object & { readonly type: string }, limits: Limits): ShownEvent {
  const shown = cut(event, limits)
  // Whoever routes by it needs the type as it is.
  return typeof shown === 'object' ? { ...shown, type: event.type } : { type: event.type, event: shown }
}

/** Of what a step has written to the run's state, the keys. */
function withKeysOnly({ type, step, execution, events, writes, durationMs }: Settled): AnyEventObject {
  return { type, step, execution, events, writes: writes && [...writes.keys()], durationMs }
}

/** What is shown of where an actor is. Nothing is persisted for it, so no pause policy has a say. */
export function showSnapshot(snapshot: unknown, limits: Limits): ShownSnapshot {
  if (typeof snapshot !== 'object' || snapshot === null) return { status: 'active' }
  const { status, value, context, output, error, activity } = snapshot as Partial<Record<string, unknown>>
  return {
    status: typeof status === 'string' ? status : 'active',
    ...(value === undefined ? {} : { value }),
    ...showPart('context', activity === undefined ? toPlain(context, limits) : toCounts(activity as Activity), limits),
    ...showPart('output', output, limits),
    ...showPart('error', error, limits),
  }
}

function showPart(name: string, part: unknown, limits: Limits): object {
  return part === undefined ? {} : { [name]: cut(part, limits) }
}

/** A run is told of without the users' values, and no more of it is looked at than is shown: it may be large. */
function toPlain(context: unknown, { maxItems }: Limits): unknown {
  const isRun = typeof context === 'object' && context !== null && 'run' in context && context.run instanceof Run
  if (!isRun) return context
  const { id, open, requests, state } = context.run as Run
  const executions = first(open.values(), maxItems).map(({ id, step, type, attempt }) => ({ id, step, type, attempt }))
  return {
    ...context,
    run: {
      id,
      open: executions,
      ...(open.size > maxItems ? { openInAll: open.size } : {}),
      requests: first(requests.keys(), maxItems),
      state: first(state.keys(), maxItems),
    },
  }
}

function first<Item>(items: Iterable<Item>, count: number): Item[] {
  const taken: Item[] = []
  for (const item of items) {
    if (taken.length >= count) break
    taken.push(item)
  }
  return taken
}

function toCounts({ running, queued }: Activity): object {
  return { running: running.size, waiting: queued.size }
}

/** What a chart is drawn from: an actor's config as JSON data; what it begins with is cut as any value. */
export function showDefinition(actor: AnyActorRef, limits: Limits): object {
  const config: unknown = (actor as { logic?: { config?: unknown } }).logic?.config
  if (typeof config !== 'object' || config === null) return { id: actor.id }
  const { context, ...chart } = config as { context?: unknown }
  try {
    const shown = JSON.parse(JSON.stringify(chart, nameFunctions))
    return typeof context === 'object' ? { ...shown, context: cut(context, limits) } : shown
  } catch {
    // A config may hold what is no JSON, and may hold itself.
    return { id: actor.id }
  }
}

function nameFunctions(_key: string, value: unknown): unknown {
  return typeof value === 'function' ? { type: value.name } : value
}
