import type {
  AnyActorRef,
  AnyEventObject,
  MachineSnapshot,
  MetaObject,
  ParameterizedObject,
  ProvidedActor,
  StateMachine,
  StateValue,
} from 'xstate'
import type { RunEvent } from './record.ts'
import type { Run, RunData } from './run.ts'

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
