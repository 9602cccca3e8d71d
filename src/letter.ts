import type { ClassRegistry } from './class-codec.ts'
import { Blobs, persist, read, revive, store } from './codec.ts'
import type { AnyEvent } from './event.ts'
import { storeFailure } from './failure.ts'
import type { Letter } from './store.ts'

/** What somebody outside has to say to a run. */
export type Message =
  | {
      readonly kind: 'answer'
      readonly requestId: string
      readonly response: unknown
      /** The number of the run's last record when the answer was given: it answers nothing that was answered since. */
      readonly seq: number
    }
  | { readonly kind: 'event'; readonly event: AnyEvent; readonly dueAt: number | undefined }
  | { readonly kind: 'abort'; readonly reason: unknown }

/** @throws CodecError for a value that cannot leave the process. */
export function toLetter(message: Message, at: number, classes: ClassRegistry): Letter {
  const blobs = new Blobs()
  const value = 'response' in message ? message.response : 'event' in message ? message.event : undefined
  const stored = message.kind === 'abort' ? storeFailure(message.reason, classes) : store(value, classes)
  const body = { ...message, response: undefined, event: undefined, reason: undefined, value: persist(stored, blobs) }
  return { id: crypto.randomUUID(), at, body: JSON.stringify(body), bytes: blobs.toBytes() }
}

/** @throws CodecError or SyntaxError for a letter that is damaged. */
export function fromLetter({ id, body, bytes }: Letter, classes: ClassRegistry): Message {
  const { kind, requestId, seq, dueAt, value: persisted } = JSON.parse(body)
  const value = read(revive(persisted, classes, `letter ${id}`, bytes))
  switch (kind) {
    case 'answer':
      return { kind, requestId, response: value, seq }
    case 'event':
      return { kind, event: value as AnyEvent, dueAt }
    case 'abort':
      return { kind, reason: value }
    default:
      throw new SyntaxError(`The letter ${id} is of a kind that this version does not know: "${String(kind)}".`)
  }
}
