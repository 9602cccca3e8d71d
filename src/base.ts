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
  const snapshot = toSnapshot({ ...picture, data: { ...data, timeLeftMs } }, departing(run, blobs))
  return { seq, body: JSON.stringify({ ...snapshot, at }), bytes: blobs.toBytes() }
}

/** Characters and bytes. */
export function sizeOf(parts: readonly { readonly body: string; readonly bytes: Uint8Array | null }[]): number {
  return parts.reduce((size, { body, bytes }) => size + body.length + (bytes?.length ?? 0), 0)
}

/** The first record of the run of `actor`, which has not started. */
export function toStarted(actor: AnyActorRef, departing: (run: Run, blobs: Blobs) => Departing): StoredRecord {
  const { status, value, context } = actor.getSnapshot()
  const at = Math.round(now(clockOf(actor)))
  const base = toBase({ status, value, data: toData(context.run) }, departing, context.run, 1, at)
  return { ...base, at, kind: 'started' }
}
