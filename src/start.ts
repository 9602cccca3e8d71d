import type { AnyEvent } from './event.ts'
import type { OnInput } from './live-run.ts'

/** What a run begins with. */
export interface Start {
  readonly runId: string
  readonly idempotencyKey: string | null
  readonly event: AnyEvent
  readonly timeoutMs: number | undefined
  readonly onInput: OnInput | undefined
  readonly signal: AbortSignal | undefined
}
