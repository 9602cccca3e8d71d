import type { ClassRegistry } from './class-codec.ts'
import { type PersistedValue, persist, read, revive, store } from './codec.ts'
import { BlazenError, SnapshotError } from './errors.ts'
import { type AnyEvent, isEvent } from './event.ts'
import { createNamespace, type Namespace } from './namespace.ts'

import type { PersistedCollected, SnapshotContext, WorkflowSnapshot } from './snapshot.ts'
import { ownerOf, toEntryKey, toFieldKey, toUserKey } from './state-key.ts'
import { isHead } from './state-rebuild.ts'

/** A snapshot of an older version, to be changed into one of the next. */
export interface SnapshotDraft {
  /** `ctx.state`, by the words of `Map`. A BlazenState reads as plain data of its fields, without those of field stores. */
  readonly state: Namespace
  /** What is pending for the step `from` is for the step `to`. */
  renameStep(from: string, to: string): void
  /** Pending events of the type `from` have the type `to`. */
  renameEvent(from: string, to: string): void
  /** Changes every pending event of a type; `null` takes it out, with the execution that handles it. */
  mapEvents(type: string, change: (event: AnyEvent) => AnyEvent | null): void
  /** The snapshot itself, for what nothing else reaches. */
  readonly raw: RawSnapshot
}

/** A snapshot whose parts can be replaced. */
export interface RawSnapshot extends Omit<WorkflowSnapshot, 'version' | 'context'> {
  version: string | null
  readonly context: { -readonly [Part in keyof SnapshotContext]: SnapshotContext[Part] }
}

/** Changes the draft of a snapshot of one version into one of the next. */
export type Migration = (draft: SnapshotDraft) => void

/**
 * The versions that migrations start from, in order: numbers with dots by their value, names in the order in which they
 * are written. JavaScript moves keys that look like whole numbers to the front, so the two cannot be mixed.
 *
 * @throws BlazenError (`invalid_option`)
 */
export function versionsInOrder(migrations: Readonly<Record<string, Migration>>): string[] {
  const versions = Object.keys(migrations)
  if (versions.every((version) => /^\d+(\.\d+)*$/.test(version))) return versions.sort(compareVersions)
  const whole = versions.find((version) => /^\d+$/.test(version))
  if (whole === undefined) return versions
  throw new BlazenError(
    'invalid_option',
    `migrate mixes the version "${whole}" with names, and their order would be lost. Name all versions by numbers ("1", "1.5", "2"), or none ("v1", "v1.5", "v2").`,
  )
}

function compareVersions(a: string, b: string): number {
  const [left, right] = [a.split('.').map(Number), b.split('.').map(Number)]
  for (let at = 0; at < Math.max(left.length, right.length); at++) {
    const difference = (left[at] ?? 0) - (right[at] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}

/**
 * The snapshot as the current version of its workflow would have written it: itself, or changed by the migrations from
 * its version on.
 *
 * @throws SnapshotError for the snapshot of another workflow, or of a version that no migration leads from.
 */
export function migrate(
  snapshot: WorkflowSnapshot,
  {
    name,
    version,
    migrations,
  }: { name: string; version: string | undefined; migrations: Readonly<Record<string, Migration>> },
  classes: ClassRegistry,
  blobs: Uint8Array | null = null,
): WorkflowSnapshot {
  if (snapshot.workflow !== name) {
    throw new SnapshotError(
      `The snapshot is of workflow "${String(snapshot.workflow)}", and this is workflow "${name}". Resume it with the workflow that it is of.`,
      'workflow',
    )
  }
  const from = snapshot.version ?? undefined
  if (from === version) return snapshot
  const steps = versionsInOrder(migrations)
  const first = from === undefined ? -1 : steps.indexOf(from)
  if (version === undefined || first < 0) {
    throw new SnapshotError(
      `The snapshot is of version ${describe(from)} of workflow "${name}", which is at version ${describe(version)}, and no migration leads from the one to the other. Add one: ${version === undefined ? "version: '2', " : ''}migrate: { ${JSON.stringify(from ?? '1')}: (draft) => { … } }.`,
      'version',
    )
  }
  const draft = createDraft(structuredClone(snapshot), classes, blobs)
  for (const step of steps.slice(first)) {
    try {
      migrations[step]?.(draft)
    } catch (cause) {
      throw new SnapshotError(
        `The migration of workflow "${name}" from version "${step}" failed. Nothing has run.`,
        'version',
        { cause },
      )
    }
  }
  draft.raw.version = version
  return draft.raw
}

function createDraft(raw: RawSnapshot, classes: ClassRegistry, blobs: Uint8Array | null): SnapshotDraft {
  const { context } = raw
  const decode = (value: PersistedValue) => read(revive(value, classes, 'the value', blobs))
  const encode = (value: unknown) => persist(store(value, classes))

  /** Gives every event in the snapshot to `change`; `null` takes it out. */
  const changeEvents = (change: (event: AnyEvent) => AnyEvent | null) => {
    const changed = (value: PersistedValue): PersistedValue[] => {
      const event = decode(value)
      if (!isEvent(event)) return [value]
      const next = change(event)
      return next === null ? [] : next === event ? [value] : [encode(next)]
    }
    const inside = <Item extends { readonly event?: PersistedValue }>(items: readonly Item[]): Item[] =>
      items.flatMap((item) =>
        item.event === undefined ? item : changed(item.event).map((event) => ({ ...item, event })),
      )
    context.executions = inside(context.executions)
    context.timers = inside(context.timers)
    context.queue = context.queue.flatMap(changed)
    context.requests = context.requests.flatMap(changed)
    context.collections = context.collections.map(([type, collected]) => [type, inside(collected)])
  }

  const find = (key: string) => context.state.find(([each]) => each === toEntryKey(key))
  /** The state without a key, and without the fields of the object that is there. */
  const without = (key: string) => context.state.filter(([each]) => each !== toEntryKey(key) && ownerOf(each) !== key)
  /** The fields of a BlazenState, as plain data; it is rebuilt only when the run goes on. */
  const fieldsOf = (key: string, head: unknown, path: readonly string[] = []): unknown => {
    const fields = isHead(head) ? head.fields : []
    return Object.fromEntries(
      fields.flatMap(([name, kind]) => {
        const at = [...path, name]
        const entry = context.state.find(([each]) => each === toFieldKey(key, at))
        if (entry === undefined || kind === 'store') return []
        const value = decode(entry[1])
        return [[name, kind === 'state' ? fieldsOf(key, value, at) : value]]
      }),
    )
  }
  const state = createNamespace<Record<string, unknown>>(
    {
      get: (key) => {
        const entry = find(key)?.[1]
        if (entry === undefined) return undefined
        return 'object' in entry ? fieldsOf(key, entry.object) : decode(entry)
      },
      has: (key) => find(key) !== undefined,
      set: (key, value) => {
        context.state = [...without(key), [toEntryKey(key), encode(value)]]
      },
      delete: (key) => {
        const had = find(key) !== undefined
        context.state = without(key)
        return had
      },
      keys: () => context.state.flatMap(([key]) => toUserKey(key) ?? []),
    },
    'draft.state',
  )

  return {
    raw,
    state,
    renameStep: (from, to) => {
      context.executions = context.executions.map((each) => (each.step === from ? { ...each, step: to } : each))
    },
    renameEvent: (from, to) => {
      changeEvents((event) => (event.type === from ? { ...event, type: to } : event))
      const byType = new Map<string, PersistedCollected[]>()
      for (const [type, collected] of context.collections) {
        const key = type === from ? to : type
        byType.set(
          key,
          [...(byType.get(key) ?? []), ...collected].sort((a, b) => a.by - b.by),
        )
      }
      context.collections = [...byType]
    },
    mapEvents: (type, change) => changeEvents((event) => (event.type === type ? change(event) : event)),
  }
}

function describe(version: string | undefined): string {
  return version === undefined ? 'none' : `"${version}"`
}
