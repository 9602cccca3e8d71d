import { fromDatabaseText } from '../store-rules.ts'
import type { PostgresClient } from './pool.ts'

const firstDelayMs = 50
const maxDelayMs = 5000
/** How often the connection is tried: a peer that is gone may never say so. */
const heartbeatMs = 15_000

/**
 * Tells listeners of letters that are posted anywhere, on a connection of its own, which is made anew whenever it breaks.
 * What was posted while there was none is told when there is one again.
 */
export class LetterWatch {
  readonly #listeners = new Set<(runId: string) => void>()
  readonly #connect: () => Promise<PostgresClient>
  readonly #listen: string
  readonly #waiting: string
  #running: AbortController | undefined

  constructor({
    connect,
    channel,
    waiting,
  }: { connect: () => Promise<PostgresClient>; channel: string; waiting: string }) {
    this.#connect = connect
    this.#listen = `LISTEN ${channel}`
    this.#waiting = waiting
  }

  add(listener: (runId: string) => void): { unsubscribe(): void } {
    const own = (runId: string) => listener(runId)
    this.#listeners.add(own)
    if (this.#running === undefined) {
      this.#running = new AbortController()
      void this.#run(this.#running.signal)
    }
    return {
      unsubscribe: () => {
        this.#listeners.delete(own)
        if (this.#listeners.size === 0) this.stop()
      },
    }
  }

  stop(): void {
    this.#listeners.clear()
    this.#running?.abort()
    this.#running = undefined
  }

  async #run(stopped: AbortSignal): Promise<void> {
    let delayMs = firstDelayMs
    while (!stopped.aborted) {
      try {
        const client = await this.#connect()
        try {
          await this.#hear(client, stopped, () => {
            delayMs = firstDelayMs
          })
        } finally {
          client.release(true)
        }
      } catch {
        // Nothing is lost by a broken connection: letters wait in their table.
      }
      if (!stopped.aborted) await sleep(delayMs, stopped)
      delayMs = Math.min(delayMs * 2, maxDelayMs)
    }
  }

  /** Settles when the connection is broken, or no longer needed. */
  async #hear(client: PostgresClient, stopped: AbortSignal, onListening: () => void): Promise<void> {
    const broken = new AbortController()
    client.on('error', () => broken.abort())
    client.on('end', () => broken.abort())
    client.on('notification', ({ payload }) => this.#tell(payload))
    await client.query({ text: this.#listen })
    onListening()
    const { rows } = await client.query({ text: this.#waiting })
    for (const row of rows) this.#tell((row as { run_id: string }).run_id)
    const over = AbortSignal.any([stopped, broken.signal])
    while (!over.aborted) {
      await sleep(heartbeatMs, over)
      if (!over.aborted) await Promise.race([client.query({ text: 'SELECT 1' }), refuseAfter(heartbeatMs)])
    }
  }

  #tell(payload: string | undefined): void {
    if (payload === undefined) return
    const runId = fromDatabaseText(payload)
    for (const listener of this.#listeners) queueMicrotask(() => listener(runId))
  }
}

/** Waits, at most until the signal fires. */
function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done)
    if (signal.aborted) done()
  })
}

function refuseAfter(ms: number): Promise<never> {
  return new Promise((_, reject) => {
    setTimeout(() => reject(new Error('The connection does not answer.')), ms).unref()
  })
}
