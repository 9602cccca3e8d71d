import { keepMore } from './window-link.ts'

/** What is used of the WebSocket adapter of `@statelyai/inspect` 0.7. */
export interface SocketAdapter {
  ws?: Socket
  status: string
  readonly deferredEvents: unknown[]
  readonly options: { maxDeferredEvents?: number }
  start(): void
}

/** A WebSocket: of the browser, or of `ws`, which has sockets and requests of Node in it. */
interface Socket {
  readonly readyState: number
  readonly bufferedAmount: number
  onerror: unknown
  addEventListener(type: 'open' | 'close', listener: () => void): void
  readonly _socket?: { unref?(): void } | null
  readonly _req?: { readonly socket?: { unref?(): void } | null } | null
}

const isOpen = (socket: Socket | undefined): boolean => socket?.readyState === 1

/** How long a server that does not answer may keep the process alive, and after how long it is tried again. */
const patienceMs = 1_000

const links = new WeakMap<object, SocketLink>()

export function isSocketAdapter(adapter: unknown): adapter is SocketAdapter {
  return typeof adapter === 'object' && adapter !== null && 'deferredEvents' in adapter && !('targetWindow' in adapter)
}

/**
 * Sees to it that a WebSocket inspector never keeps a process alive: neither connected, nor by trying for ever to reach
 * a server that is not there. What has been shown still goes out, since pending writes do keep it.
 */
export class SocketLink {
  readonly #adapter: SocketAdapter
  #held: Socket | undefined
  #users = 1

  private constructor(adapter: SocketAdapter) {
    this.#adapter = adapter
    this.hold()
  }

  /** The one of an adapter, which may show several runs. */
  static of(adapter: SocketAdapter): SocketLink {
    const known = links.get(adapter)
    if (known !== undefined) {
      known.hold()
      const { ws } = adapter
      if (known.#users++ === 0 && ws?.readyState === 3) known.#reconnect(ws)
      return known
    }
    const link = new SocketLink(adapter)
    links.set(adapter, link)
    return link
  }

  /** Looks after the socket, which is another after each attempt to connect. */
  hold(): void {
    keepMore(this.#adapter.options)
    const { ws: socket } = this.#adapter
    if (socket === undefined || socket === this.#held) return
    this.#held = socket
    const patience = setTimeout(() => {
      if (!isOpen(socket)) socket._req?.socket?.unref?.()
    }, patienceMs)
    unref(patience)
    if (isOpen(socket)) socket._socket?.unref?.()
    else socket.addEventListener('open', () => this.#opened(socket))
    // In its place, the adapter tries for ever, with a timer that keeps the process alive.
    socket.onerror = () => {
      this.#adapter.status = 'closed'
      clearTimeout(patience)
      unref(setTimeout(() => this.#reconnect(socket), patienceMs))
    }
  }

  get isDrained(): boolean {
    const { ws, deferredEvents } = this.#adapter
    return isOpen(ws) && ws?.bufferedAmount === 0 && deferredEvents.length === 0
  }

  release(): void {
    this.#users--
  }

  #opened(socket: Socket): void {
    socket._socket?.unref?.()
    // They have been sent by now, and would be sent again at each new connection.
    this.#adapter.deferredEvents.length = 0
  }

  #reconnect(socket: Socket): void {
    if (this.#users === 0 || this.#adapter.ws !== socket) return
    this.#adapter.start()
    this.hold()
  }
}

function unref(timer: unknown): void {
  if (typeof timer === 'object' && timer !== null && 'unref' in timer && typeof timer.unref === 'function')
    timer.unref()
}
