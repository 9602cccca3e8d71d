import { type AnyActorRef, type AnyEventObject, createActor } from 'xstate'
import { type Fact, parts, type Settled } from '../machines/index.ts'
import { isBase, sizeOf } from './base.ts'
import { Blobs } from './codec.ts'
import { ArrivedRun, type Compiled, type Nested, nestedIn, nestedReader, readSnapshot } from './compile.ts'
import { SnapshotError } from './errors.ts'
import { storedFields } from './field-saver.ts'
import { type Hop, type InnerFact, unwrap } from './inner-fact.ts'
import { isSamePlan, type Plan, readPlan } from './plan.ts'
import { decodeFact, lostIn } from './record-codec.ts'
import type { LostEntry } from './session.ts'
import type { WorkflowSnapshot } from './snapshot.ts'
import { type Arrived, type Arriving, checkTop, fromSnapshot, gatherObjects } from './snapshot-read.ts'
import { toSnapshot } from './snapshot-write.ts'
import { StateObject } from './state-object.ts'
import { initialState } from './state-schema.ts'
import type { Base, StoredRecord } from './store.ts'

/** What is stored of a run, from where it is read. */
export interface Reading {
  /** Whose it is, for errors. */
  readonly info?: { readonly runId: string }
  /** `undefined` where the records begin with the run itself. */
  readonly base: Base | undefined
  readonly records: readonly StoredRecord[]
}

/** A run as it was read, and what there was to read. */
export interface ReadRun {
  readonly picture: Arrived
  /** In characters and bytes. */
  readonly sizes: { readonly behindBase: number; readonly base: number }
  /** The workflow has changed since the base was written: before the run goes on, it needs one of the workflow as it is. */
  readonly isMigrated: boolean
}

/** Changes a fact on the way; `pending` finds a request that is open then. */
export type ChangeFact = (fact: AnyEventObject, record: StoredRecord, actor: AnyActorRef) => AnyEventObject

/**
 * Where a run is after its records: the newest base, and what is behind it, folded by the workflow's own transitions, as
 * the workflow routed when they were written. If it has changed since, the run goes over to it as a snapshot does.
 *
 * @throws SnapshotError for what is damaged, or was written by another workflow than this one, or does not fit into the
 * workflow as it is.
 */
export function readStoredRun(compiled: Compiled, reading: Reading, change?: ChangeFact): ReadRun {
  const from = newestBase(reading)
  const { at, routes, idle, ...snapshot } = parse(from.body, reading)
  const plan = readPlan({ routes, idle })
  const { definition, blueprint } = compiled
  const isMigrated =
    plan !== undefined &&
    !(isSamePlan(plan, compiled.plan) && (snapshot.version ?? undefined) === definition.options.version)
  const { machine, fold } = isMigrated ? compiled.routedBy(plan) : compiled
  const started = isMigrated
    ? new ArrivedRun(fromSnapshot(checkTop(snapshot), arrivingFor(compiled, from.bytes, plan)))
    : readSnapshot(definition, blueprint, snapshot, { blobs: from.bytes })
  const actor = createActor(machine, { snapshot: new ArrivedRun(started.picture) as never })
  const lost = new Map(started.picture.lost.state.map((entry) => [entry.key, entry]))
  const behind = reading.records.filter(({ seq }) => seq > from.seq)
  const folded = fold(actor, factsIn(behind, compiled, actor, lost, change), at ?? from.at)
  // A record holds those fields of an object that have changed.
  const state = new Map(folded.data.state)
  gatherObjects(state, 'state')
  const picture = {
    ...folded,
    data: { ...folded.data, state },
    ...{ session: [], lost: { session: started.picture.lost.session, state: [...lost.values()] } },
  }
  return {
    picture: withFirstObjects(isMigrated ? migrated(picture, compiled, snapshot) : picture, compiled),
    sizes: { behindBase: sizeOf(behind), base: sizeOf([from]) },
    isMigrated,
  }
}

type Body = WorkflowSnapshot & { readonly at?: number } & { readonly [Key in keyof Plan]?: unknown }

/** Where the fold begins: at what was kept as a base, or at a record that is one. */
function newestBase({ base, records, info }: Reading): Base & { readonly at?: number } {
  const record = records.findLast((each) => isBase(each))
  if (base !== undefined && base.seq >= (record?.seq ?? 0)) return base
  if (record !== undefined) return record
  throw new SnapshotError(`The records of ${named(info)} do not begin with its start, and there is no base. ${repair}`)
}

/** The run in the workflow as it is now, as if it came from a snapshot. What has ended stays as it was. */
function migrated(
  picture: Arrived,
  { definition, blueprint }: Compiled,
  { workflow, version }: WorkflowSnapshot,
): Arrived {
  if (picture.status !== 'active') return picture
  const { classes } = blueprint
  const blobs = new Blobs()
  const snapshot = toSnapshot(picture, {
    ...{ workflow, version: version ?? undefined, policy: 'pickle_or_error', classes, blobs },
    ...{ session: new Map(), lostSession: picture.lost.session, lostState: picture.lost.state, onDrop: () => {} },
    child: ({ logic, run }) => (logic as Nested).compiled.departing(run, blobs),
  })
  return readSnapshot(definition, blueprint, snapshot, { blobs: blobs.toBytes() }).picture
}

/**
 * What a run begins with is written down before field stores have their part of it. Where no step has settled, the
 * process may have died in between: then these objects are made and saved anew, as the run begins with them.
 */
function withFirstObjects(picture: Arrived, { definition: { name, options }, blueprint }: Compiled): Arrived {
  const { state: found, open, executions } = picture.data
  const hasSettled = executions > open.length
  if (options.state === undefined || hasSettled || picture.status !== 'active') return picture
  const keys = [...found.keys()].filter((key) => hasStoredFields(found.get(key)))
  if (keys.length === 0) return picture
  const first = new Map<string, unknown>(initialState(options.state, name, blueprint.classes))
  const state = new Map(found)
  for (const key of keys) {
    const object = first.get(key)
    if (!(object instanceof StateObject)) continue
    state.set(key, object)
    for (const [part, entry] of object[parts]) state.set(part, entry)
  }
  return { ...picture, data: { ...picture.data, state } }
}

function hasStoredFields(value: unknown): boolean {
  return value instanceof StateObject && storedFields(value).length > 0
}

/** What is needed to read a workflow's records. */
function arrivingFor({ definition, blueprint }: Compiled, blobs: Uint8Array | null, { routes }: Plan): Arriving {
  return {
    workflow: definition.name,
    steps: new Set(routes.map(([step]) => step)),
    types: undefined,
    classes: blueprint.classes,
    blobs,
    child: nestedReader(definition, blobs),
  }
}

function* factsIn(
  records: readonly StoredRecord[],
  compiled: Compiled,
  actor: AnyActorRef,
  lost: Map<string, LostEntry>,
  change: ChangeFact | undefined,
): Generator<Fact> {
  const arrivingAt = (way: readonly Hop[], bytes: Uint8Array | null, where: string) => {
    const inner = way.reduce<Compiled | undefined>(
      (outer, [, step, name]) => outer && nestedIn(outer.definition, step, name),
      compiled,
    )
    if (inner !== undefined) return arrivingFor(inner, bytes, inner.plan)
    const [, step = '', name = ''] = way.at(-1) ?? []
    throw new SnapshotError(
      `The record ${where} is of a run in step "${step}"${name === '' ? '' : `, branch "${name}"`}, and workflow "${compiled.definition.name}" begins no such run there. Run the workflow that wrote it, or give the changed one a new version with a migration.`,
      where,
    )
  }
  for (const record of records) {
    const { kind, body, seq, at, bytes } = record
    const where = `${actor.getSnapshot().context.run.id}/${seq}`
    const fact = decodeFact(kind, body, (way) => arrivingAt(way, bytes, where), where)
    if (fact === undefined) continue
    const inner = unwrap(actor.getSnapshot().context.run, fact)
    if (inner.fact.type === 'blazen.settled') checkStep(inner, compiled.definition.name, where)
    if (fact.type === 'blazen.settled') {
      for (const key of (fact as unknown as Settled).writes?.keys() ?? []) lost.delete(key)
      for (const key of lostIn(kind, body)) lost.set(key, { key, step: fact.step, at })
    }
    yield { event: change === undefined ? fact : change(fact, record, actor), at }
  }
}

/** Whether the workflow routes as it did when the record was written. */
function checkStep({ fact, run }: InnerFact, workflow: string, where: string): void {
  const { step, execution } = fact as Settled
  const open = run.open.get(execution)
  if (open === undefined || open.step === step) return
  throw new SnapshotError(
    `The record ${where} is of step "${step}", and workflow "${workflow}" has routed its event to step "${open.step}". The workflow has changed since: run the one that wrote it, give the changed one a new version with a migration, and pause runs before you deploy it.`,
    where,
  )
}

function parse(body: string, { info }: Reading): Body {
  try {
    return JSON.parse(body)
  } catch (cause) {
    throw new SnapshotError(`The base of ${named(info)} is damaged: it is no JSON text. ${repair}`, '', { cause })
  }
}

const repair = 'Restore the store from a backup, or delete the run.'

function named(info: Reading['info']): string {
  return info === undefined ? 'the run' : `run "${info.runId}"`
}
