import { type AnyActorRef, type AnyEventObject, createActor } from 'xstate'
import type { Fact, Settled } from '../machines/index.ts'
import { sizeOf } from './base.ts'
import { ArrivedRun, type Compiled, readSnapshot } from './compile.ts'
import { SnapshotError } from './errors.ts'
import { decodeFact, lostIn } from './record-codec.ts'
import type { LostEntry } from './session.ts'
import { type Arrived, type Arriving, gatherObjects } from './snapshot-read.ts'
import type { Base, StoredRecord } from './store.ts'

/** What is stored of a run, from where it is read. */
export interface Reading {
  /** `undefined` where the records begin with the run itself. */
  readonly base: Base | undefined
  readonly records: readonly StoredRecord[]
}

/** A run as it was read, and what there was to read. */
export interface ReadRun {
  readonly picture: Arrived
  /** In characters and bytes. */
  readonly sizes: { readonly behindBase: number; readonly base: number }
}

/** Changes a fact on the way; `pending` finds a request that is open then. */
export type ChangeFact = (fact: AnyEventObject, record: StoredRecord, actor: AnyActorRef) => AnyEventObject

/**
 * Where a run is after its records: the newest base, and what is behind it, folded by the workflow's own transitions.
 *
 * @throws SnapshotError for what is damaged, or was written by another workflow than this one.
 */
export function readStoredRun(compiled: Compiled, { base, records }: Reading, change?: ChangeFact): ReadRun {
  const [first] = records
  const from = base ?? (first?.kind === 'started' ? first : undefined)
  if (from === undefined)
    throw new SnapshotError('The records of the run do not begin with its start, and there is no base.')
  const { at = from === first ? first.at : undefined, ...snapshot } = parse(from.body)
  const started = readSnapshot(compiled.definition, compiled.blueprint, snapshot, { blobs: from.bytes })
  const actor = createActor(compiled.machine, { snapshot: new ArrivedRun(started.picture) as never })
  const lost = new Map(started.picture.lost.state.map((entry) => [entry.key, entry]))
  const behind = records.filter(({ seq }) => seq > from.seq)
  const picture = compiled.fold(actor, factsIn(behind, compiled, actor, lost, change), at)
  checkMigrated(snapshot, picture.status, behind, compiled)
  // A record holds those fields of an object that have changed.
  const state = new Map(picture.data.state)
  gatherObjects(state, 'state')
  const lostState = [...lost.values()].filter(({ key }) => !state.has(key))
  return {
    picture: {
      ...picture,
      data: { ...picture.data, state },
      ...{ session: [], lost: { session: started.picture.lost.session, state: lostState } },
    },
    sizes: { behindBase: sizeOf(behind), base: sizeOf([from]) },
  }
}

/** What is needed to read a workflow's records. */
function arrivingFor({ definition, blueprint }: Compiled, blobs: Uint8Array | null): Arriving {
  return {
    workflow: definition.name,
    steps: new Set(definition.steps.map(({ name }) => name)),
    types: undefined,
    classes: blueprint.classes,
    blobs,
  }
}

function* factsIn(
  records: readonly StoredRecord[],
  compiled: Compiled,
  actor: AnyActorRef,
  lost: Map<string, LostEntry>,
  change: ChangeFact | undefined,
): Generator<Fact> {
  const arriving = arrivingFor(compiled, null)
  for (const record of records) {
    const { kind, body, seq, at, bytes } = record
    const where = `${actor.getSnapshot().context.run.id}/${seq}`
    const fact = decodeFact(kind, body, { ...arriving, blobs: bytes }, where)
    if (fact === undefined) continue
    if (fact.type === 'blazen.settled') {
      checkStep(fact as unknown as Settled, actor, compiled.definition.name, where)
      for (const key of lostIn(kind, body)) lost.set(key, { key, step: fact.step, at })
    }
    yield { event: change === undefined ? fact : change(fact, record, actor), at }
  }
}

/** A run that another version wrote does not fail for what this version makes of its records: it is left to the other. */
function checkMigrated(
  snapshot: { readonly version?: string | null },
  status: string,
  behind: readonly StoredRecord[],
  { definition: { name, options } }: Compiled,
): void {
  const { version: from = null } = snapshot
  const to = options.version ?? null
  const last = behind.at(-1)
  if (from === to || status !== 'error' || last === undefined || ['failed', 'aborted'].includes(last.kind)) return
  throw new SnapshotError(
    `The records behind the snapshot were written by version ${JSON.stringify(from)} of workflow "${name}", and version ${JSON.stringify(to)} does not route their events. A migration changes snapshots, and no records: let the version that wrote them finish the run, and give the changed workflow another name.`,
    `${last.seq}`,
  )
}

/** Whether the workflow routes as it did when the record was written. */
function checkStep({ step, execution }: Settled, actor: AnyActorRef, workflow: string, where: string): void {
  const open = actor.getSnapshot().context.run.open.get(execution)
  if (open === undefined || open.step === step) return
  throw new SnapshotError(
    `The record ${where} is of step "${step}", and workflow "${workflow}" has routed its event to step "${open.step}". The workflow has changed since: run the one that wrote it, give the changed one a new version with a migration, and pause runs before you deploy it.`,
    where,
  )
}

function parse(body: string): { readonly at?: number } {
  try {
    return JSON.parse(body)
  } catch (cause) {
    throw new SnapshotError('The base of the run is damaged: it is no JSON text.', '', { cause })
  }
}
