import type {
  AnyActorRef,
  AnyActorScope,
  AnyEventObject,
  MachineSnapshot,
  MetaObject,
  ParameterizedObject,
  ProvidedActor,
  StateMachine,
  StateValue,
} from 'xstate'
import type { StepConfig } from './activity.ts'
import type { RoutedEvent } from './execution.ts'
import type { Failure, InputRequest, Run, RunEvent } from './run.ts'

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
  /** Called once when the run has left this process: ended, or its actor was stopped. */
  readonly close: (run: Run) => void
  /** A person is asked. */
  readonly ask: (run: Run, request: InputRequest) => void
  /** The event to route for one that came from outside, parsed; `undefined` refuses it. */
  readonly admit: (run: Run, event: RoutedEvent) => RoutedEvent | undefined
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
  /** What `open` finds in `run.local`. */
  readonly local: unknown
}

export interface WorkflowContext {
  readonly run: Run
}

/** The events that go in and out of a workflow's machine: those of its steps, and the reports of its step actors. */
export type WorkflowMachineEvent = RunEvent | AnyEventObject

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
