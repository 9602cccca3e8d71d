import type { AnyActorRef } from 'xstate'
import { clockOf, now, type Run, type RunPicture, toData } from '../machines/index.ts'
import { Blobs } from './codec.ts'
import { type Departing, toSnapshot } from './snapshot-write.ts'
import type { Base, StoredRecord } from './store.ts'

/** The picture of a run as a store keeps it. */
export function toBase(
  picture: RunPicture,
  departing: (run: Run, blobs: Blobs) => Departing,
  run: Run,
  seq: number,
  at: number,
): Base {
  const { data } = picture
  const isAtWork = picture.value === 'running' || picture.value === 'pausing'
  const spentMs = isAtWork && run.runningSince !== undefined ? at - run.runningSince : 0
  const timeLeftMs = data.timeLeftMs === undefined ? undefined : data.timeLeftMs - spentMs
  const blobs = new Blobs()
  const whence = departing(run, blobs)
  const snapshot = toSnapshot({ ...picture, data: { ...data, timeLeftMs } }, whence, seq === 1 ? 'start' : undefined)
  return { seq, body: JSON.stringify({ ...snapshot, at, ...whence.plan }), bytes: blobs.toBytes() }
}

/** Characters and bytes. */
export function sizeOf(parts: readonly { readonly body: string; readonly bytes: Uint8Array | null }[]): number {
  return parts.reduce((size, { body, bytes }) => size + body.length + (bytes?.length ?? 0), 0)
}

/** What is known of how a record is written. */
type Write = (run: Run, blobs: Blobs) => Departing

/** The first record of the run of `actor`, which has not started. */
export function toStarted(actor: AnyActorRef, departing: Write): StoredRecord {
  return toBaseRecord('started', actor, departing, 1)
}

/** The record with which the run of `actor`, which has not started, went over to a workflow that has changed. */
export function toMigrated(actor: AnyActorRef, departing: Write, seq: number): StoredRecord {
  return toBaseRecord('migrated', actor, departing, seq)
}

/** Whether a record is a base: the fold of what is behind it begins with it. */
export function isBase({ kind }: StoredRecord): boolean {
  return kind === 'started' || kind === 'migrated'
}

function toBaseRecord(kind: 'started' | 'migrated', actor: AnyActorRef, departing: Write, seq: number): StoredRecord {
  const { status, value, context } = actor.getSnapshot()
  const at = Math.round(now(clockOf(actor)))
  const base = toBase({ status, value, data: toData(context.run) }, departing, context.run, seq, at)
  return { ...base, at, kind }
}
