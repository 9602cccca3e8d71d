import type { AnyEventObject } from 'xstate'
import {
  type Answered,
  type Begun,
  deleted,
  type Failed,
  type Fired,
  type Paused,
  type Retried,
  type Sent,
  type Settled,
  Writes,
} from '../machines/index.ts'
import type { PersistedValue, Stored } from './codec.ts'
import { SnapshotError } from './errors.ts'
import { type Hop, wrap } from './inner-fact.ts'
import { type Arriving, Part } from './snapshot-read.ts'
import type { Packer } from './snapshot-write.ts'

/** What a record says, before it is text. */
export interface RecordBody {
  readonly kind: RecordKind
  readonly body: object
}

/** The kinds of records: bases, where folds begin, facts, which are folded, and notes, which only tell. */
export type RecordKind = 'started' | 'migrated' | FactKind | 'waiting' | 'paused' | 'completed'

type FactKind =
  | 'event'
  | 'sent'
  | 'settled'
  | 'begun'
  | 'retried'
  | 'failed'
  | 'aborted'
  | 'fired'
  | 'answered'
  | 'pausing'
  | 'resumed'

/** Writes a fact down. */
export function encodeFact(event: AnyEventObject, pack: Packer): RecordBody {
  switch (event.type) {
    case 'blazen.settled': {
      const { step, execution, events, writes, shared, collected, durationMs } = event as Settled
      // Written out, since there is one for every step, and spreads cost more than the rest of it.
      const body: SettledBody = { step, execution, events: [] }
      for (const each of events) body.events.push(pack.event(each, `the "${each.type}" that step "${step}" returned`))
      if (writes !== undefined) encodeWrites(body, writes, step, pack)
      if (shared !== undefined) {
        const kept: WritesBody = {}
        encodeWrites(kept, shared, step, pack)
        body.shared = kept.writes
      }
      if (collected !== undefined && collected.length > 0) body.collected = collected
      body.durationMs = durationMs
      return { kind: 'settled', body }
    }
    case 'blazen.begun': {
      const { execution, step, child, drop, writes } = event as Begun
      const kept: WritesBody = {}
      if (writes !== undefined) encodeWrites(kept, writes, step, pack)
      return { kind: 'begun', body: { step, execution, drop, ...kept, child: pack.child(child) } }
    }
    case 'blazen.sent': {
      const { execution, event: sent, dueAt } = event as Sent
      return { kind: 'sent', body: { execution, dueAt, event: pack.event(sent, `the sent "${sent.type}"`) } }
    }
    case 'blazen.retried': {
      const { execution, attempt, dueAt, error } = event as Retried
      return { kind: 'retried', body: { execution, attempt, dueAt, error: pack.thrown(error) } }
    }
    case 'blazen.failed': {
      const { failure } = event as Failed
      return { kind: failure.kind === 'aborted' ? 'aborted' : 'failed', body: { failure: pack.failure(failure) } }
    }
    case 'blazen.fired':
      return { kind: 'fired', body: { timer: (event as Fired).timer } }
    case 'blazen.answered': {
      const { requestId, response } = event as Answered
      return { kind: 'answered', body: { requestId, response: pack.event(response, `the answer to "${requestId}"`) } }
    }
    case 'blazen.pause':
      return { kind: 'pausing', body: { inFlight: (event as Paused).inFlight } }
    case 'blazen.resume':
      return { kind: 'resumed', body: {} }
    default:
      return { kind: 'event', body: { event: pack.event(event, `the "${event.type}" from outside`) } }
  }
}

/** Whether the fact was brought by somebody outside, not by a step or a timer. */
export function isFromOutside({ type, execution }: AnyEventObject): boolean {
  return (
    !type.startsWith('blazen.') || type === 'blazen.answered' || (type === 'blazen.sent' && execution === undefined)
  )
}

/** The status of a run in its store once a fact is there, as far as the fact alone tells. */
export function computeStatus(before: string, fact: AnyEventObject): string {
  switch (fact.type) {
    case 'blazen.failed':
      return (fact as unknown as Failed).failure.kind === 'aborted' ? 'aborted' : 'failed'
    case 'blazen.pause':
      return before === 'paused' ? 'paused' : 'pausing'
    case 'blazen.resume':
      return before === 'paused' || before === 'pausing' ? 'running' : before
    default:
      return before === 'waiting' ? 'running' : before
  }
}

interface WritesBody {
  writes?: [string, PersistedValue?][]
  lost?: string[]
}

interface SettledBody extends WritesBody {
  readonly step: string
  readonly execution: number
  readonly events: PersistedValue[]
  shared?: WritesBody['writes']
  collected?: Settled['collected']
  durationMs?: number | undefined
}

/** Deleted keys stand alone, and so do those whose value the pause policy leaves out. */
function encodeWrites(body: WritesBody, writes: Writes, step: string, pack: Packer): void {
  const lost: string[] = []
  body.writes = [...writes].map(([key, value]): [string, PersistedValue?] => {
    if (value === deleted) return [key]
    const kept = pack.entry(key, value as Stored, step)
    if (kept !== undefined) return [key, kept]
    lost.push(key)
    return [key]
  })
  if (lost.length > 0) body.lost = lost
}

/** The keys whose value a record had to leave out. */
export function lostIn(kind: string, body: string): readonly string[] {
  return kind === 'settled' && body.includes('"lost"') ? (JSON.parse(body).lost ?? []) : []
}

/** The fact that was written down, or `undefined` for a note. */
export function decodeFact(
  kind: string,
  body: string,
  arriving: (way: readonly Hop[]) => Arriving,
  where: string,
): AnyEventObject | undefined {
  const raw = parse(body, where)
  const way: readonly Hop[] = Reflect.get(Object(raw), 'in') ?? []
  const fact = decode(kind, new Part(raw, where, arriving(way)), where)
  return fact === undefined ? undefined : wrap(way, fact)
}

function decode(kind: string, part: Part, where: string): AnyEventObject | undefined {
  const dueAt = () => part.optional('dueAt', (each) => each.asNumber())
  switch (kind) {
    case 'settled': {
      const settled: Settled = {
        type: 'blazen.settled',
        step: part.text('step'),
        execution: part.number('execution'),
        events: part.list('events', (each) => each.event()),
        writes: part.optional('writes', () => new Writes(part.list('writes', (each) => each.write()))),
        ...part.optional('shared', () => ({ shared: new Writes(part.list('shared', (each) => each.write())) })),
        collected: part.optional('collected', () => part.list('collected', (each) => each.taking())),
        durationMs: part.optional('durationMs', (each) => each.asNumber()),
      }
      return settled
    }
    case 'begun': {
      return {
        type: 'blazen.begun',
        step: part.text('step'),
        execution: part.number('execution'),
        child: part.part('child').child(part.text('step')),
        drop: part.list('drop', (each) => each.asText()),
        writes: part.optional('writes', () => new Writes(part.list('writes', (each) => each.write()))),
      } satisfies Begun
    }
    case 'sent': {
      const execution = part.optional('execution', (each) => each.asNumber())
      return { type: 'blazen.sent', execution, event: part.part('event').event(), dueAt: dueAt() } satisfies Sent
    }
    case 'retried': {
      const error = part.optional('error', (each) => each.value())
      const [execution, attempt] = [part.number('execution'), part.number('attempt')]
      return { type: 'blazen.retried', execution, attempt, dueAt: dueAt(), error } satisfies Retried
    }
    case 'failed':
    case 'aborted':
      return { type: 'blazen.failed', failure: part.part('failure').failure() } satisfies Failed
    case 'fired':
      return { type: 'blazen.fired', timer: part.text('timer') } satisfies Fired
    case 'answered': {
      const response = part.part('response').event()
      return { type: 'blazen.answered', requestId: part.text('requestId'), response } satisfies Answered
    }
    case 'pausing':
      return { type: 'blazen.pause', inFlight: part.oneOf('inFlight', ['wait', 'abort'] as const) } satisfies Paused
    case 'resumed':
      return { type: 'blazen.resume' }
    case 'event':
      return part.part('event').event()
    case 'started':
    case 'migrated':
    case 'waiting':
    case 'paused':
    case 'completed':
      return undefined
    default:
      throw new SnapshotError(
        `The record ${where} is of a kind that this version does not know: "${kind}". Use the version that wrote it, or a newer one.`,
        where,
      )
  }
}

function parse(body: string, where: string): unknown {
  try {
    return JSON.parse(body)
  } catch (cause) {
    throw new SnapshotError(
      `The record ${where} is damaged: it is no JSON text. Restore the store from a backup, or delete the run.`,
      where,
      { cause },
    )
  }
}
