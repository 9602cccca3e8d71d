import type { InspectionEvent } from 'xstate'
import { warn } from '../warn.ts'
import type { Message } from './message.ts'
import { isSocketAdapter, type SocketAdapter, SocketLink } from './socket-link.ts'
import { type BrowserAdapter, isBrowserAdapter, openWindow } from './window-link.ts'

/** What `@statelyai/inspect` calls an inspector: what its `create…Inspector` functions give. */
export interface StatelyInspector {
  readonly adapter: { send(event: never): void }
  readonly inspect: { next?: (event: InspectionEvent) => void }
}

/** Whatever can be shown a run: an inspector of `@statelyai/inspect`, or a function that gets every message. */
export type Inspector = StatelyInspector | { send(message: Message): void } | ((message: Message) => void)

/** The way to an inspector. */
export interface Link {
  /** Hands over a message; it never throws. */
  show(message: Message): void
  /** Whether all that was handed over has gone out, as far as this process can know. */
  readonly isDrained: boolean
  /** Nothing more will be shown. */
  close(): void
}

/** The way to `inspector`. */
export function linkTo(inspector: Inspector): Link {
  if (typeof inspector === 'function') return new DirectLink(inspector)
  if ('inspect' in inspector) return new StatelyLink(inspector)
  return new DirectLink((message) => inspector.send(message))
}

class DirectLink implements Link {
  readonly isDrained = true
  readonly #take: (message: Message) => void
  #hasWarned = false

  constructor(take: (message: Message) => void) {
    this.#take = take
  }

  show(message: Message): void {
    try {
      this.#take(message)
    } catch (error) {
      // What is shown must not disturb the run that it tells of.
      if (this.#hasWarned) return
      this.#hasWarned = true
      warn('BLAZEN_INSPECTOR_FAILED', `The inspector has thrown, and is shown the rest of the run: ${String(error)}`)
    }
  }

  close(): void {}
}

/**
 * An inspector converts what XState tells it when the process, or the page, has time. So it is told of pictures, which
 * nothing changes any more, and what it has not converted yet is counted.
 */
class StatelyLink implements Link {
  readonly #socket: SocketLink | undefined
  readonly #next: DirectLink
  #unconverted = 0

  constructor(inspector: StatelyInspector) {
    const adapter: unknown = inspector.adapter
    this.#socket = isSocketAdapter(adapter) ? SocketLink.of(adapter as SocketAdapter) : undefined
    this.#next = new DirectLink((message) => {
      if (isBrowserAdapter(adapter)) openWindow(adapter as BrowserAdapter)
      this.#socket?.hold()
      this.#unconverted++
      inspector.inspect.next?.(this.#toInspectionEvent(message))
    })
  }

  get isDrained(): boolean {
    return this.#unconverted === 0 && this.#socket?.isDrained !== false
  }

  show(message: Message): void {
    this.#next.show(message)
  }

  close(): void {
    this.#socket?.release()
  }

  /** An event as XState would tell it, of an actor that has nothing live. */
  #toInspectionEvent(message: Message): InspectionEvent {
    const { type, rootId, sessionId } = message
    let isCounted = true
    const common = {
      type,
      /** It is the last thing that a conversion looks at. */
      get rootId() {
        if (isCounted) link.#unconverted--
        isCounted = false
        return rootId
      },
    }
    const link = this
    const told = (rest: object) => Object.defineProperties(rest, Object.getOwnPropertyDescriptors(common)) as never
    switch (message.type) {
      case '@xstate.actor': {
        const { name: id, definition: config, parentId, snapshot } = message
        const _parent = parentId === undefined ? undefined : { sessionId: parentId }
        return told({ actorRef: { sessionId, id, logic: { config }, _parent, getSnapshot: () => snapshot } })
      }
      case '@xstate.event': {
        const { event, sourceId } = message
        return told({ actorRef: { sessionId }, event, sourceRef: sourceId && { sessionId: sourceId } })
      }
      case '@xstate.snapshot':
        return told({ actorRef: { sessionId }, event: message.event, snapshot: message.snapshot })
    }
  }
}
