import type {
  AnyActorRef,
  AnyActorScope,
  AnyEventObject,
  MachineSnapshot,
  MetaObject,
  ParameterizedObject,
  ProvidedActor,
  Snapshot,
  StateMachine,
  StateValue,
} from 'xstate'
import type { StepConfig } from './activity.ts'
import type { RoutedEvent } from './execution.ts'
import type { Journal } from './journal.ts'
import type { Answered, Failed, Failure, InputRequest, RunEvent } from './record.ts'
import type { Run, RunData } from './run.ts'

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
  readonly restore: (persisted: unknown) => RunPicture & Pick<Beginning, 'inline' | 'local' | 'journal'>
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
}

/** A run between two events: where it is in its life, and all that is known of it. */
export interface RunPicture {
  readonly status: 'active' | 'done' | 'error' | 'stopped'
  readonly value: StateValue
  readonly data: RunData
}

/** The context of a workflow's machine: the run, which changes in place. */
export interface WorkflowContext {
  readonly run: Run
}

/** The events that go in and out of a workflow's machine: those of its steps, and the reports of its step actors. */
export type WorkflowMachineEvent = RunEvent | AnyEventObject

/** The snapshot of a workflow's actor. */
export type WorkflowMachineSnapshot<Output> = MachineSnapshot<
  WorkflowContext,
  WorkflowMachineEvent,
  Record<string, AnyActorRef | undefined>,
  StateValue,
  string,
  Output,
  MetaObject,
  object
>

/** The machine of a workflow: ordinary XState logic, to be run by `createActor`, `invoke` or `useMachine`. */
export type WorkflowMachine<Input = unknown, Output = unknown> = StateMachine<
  WorkflowContext,
  WorkflowMachineEvent,
  Record<string, AnyActorRef | undefined>,
  ProvidedActor,
  ParameterizedObject,
  ParameterizedObject,
  string,
  StateValue,
  string,
  Input,
  Output,
  AnyEventObject,
  MetaObject,
  object
>
