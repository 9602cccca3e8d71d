import type { AnyActorScope, Snapshot } from 'xstate'
import type { StepConfig } from './activity.ts'
import type { RoutedEvent } from './execution.ts'
import type { Journal } from './journal.ts'
import type { RunPicture } from './machine.ts'
import type { Answered, Failed, Failure, InputRequest } from './record.ts'
import type { RetryPolicy } from './retry.ts'
import type { Run } from './run.ts'

/** A workflow, as its machine needs to know it: its steps, and what the API around the machine does for it. */
export interface WorkflowConfig {
  readonly name: string
  readonly version: string | undefined
  readonly steps: readonly StepConfig[]
  /** With `wait`, a run in which nothing happens waits for events from outside instead of failing. */
  readonly idle: 'fail' | 'wait'
  /** What a run begins with. Throws if the input is not what the workflow takes. */
  readonly begin: (input: unknown) => Beginning
  /** Called once when the run starts to live in this process; what it returns is kept as `run.local`. */
  readonly open: (run: Run, scope: AnyActorScope) => unknown
  /** What has to be done before any step runs; `undefined` if nothing. A rejection fails the run. */
  readonly prepare: (run: Run) => Promise<void> | undefined
  /** Called once when the run has left this process: ended, or its actor was stopped. */
  readonly close: (run: Run) => void
  /** A person is asked. */
  readonly ask: (run: Run, request: InputRequest) => void
  /** What happens to a request whose time is up: an answer, or the failure of the run. */
  readonly expire: (request: InputRequest) => Answered | Failed
  /** The event to route for one that came from outside, parsed; `undefined` refuses it. */
  readonly admit: (run: Run, event: RoutedEvent) => RoutedEvent | undefined
  /** The snapshot of a run as plain JSON data. Throws if something in it cannot be kept. */
  readonly persist: (picture: RunPicture, run: Run) => Snapshot<unknown>
  /** What `persist` gave, checked whole. Throws before anything runs. */
  readonly restore: (
    persisted: unknown,
  ) => RunPicture & Pick<Beginning, 'inline' | 'local' | 'journal' | 'sharing' | 'retry'>
  /** The error that a run fails with. */
  readonly toError: (failure: Failure, run: Run) => unknown
}

/** What a run begins with. */
export interface Beginning {
  readonly runId: string
  readonly event: RoutedEvent
  /** For the whole run; it stands still while the run waits for a person. */
  readonly timeoutMs: number | undefined
  /** Input requests are answered by a function in this process. */
  readonly inline: boolean
  /** What the run's state begins with. */
  readonly state: Iterable<readonly [string, unknown]>
  /** What `open` finds in `run.local`. */
  readonly local: unknown
  /** Where what happens is written down before it counts. */
  readonly journal: Journal | undefined
  /** The run whose state its executions share. */
  readonly sharing: Run | undefined
  /** For steps that have no policy of their own. */
  readonly retry: RetryPolicy | undefined
}
