import { useEffect, useState, useSyncExternalStore } from 'react'
import type { PauseOptions, WorkflowHandler } from '../handler.ts'
import type { OnInput } from '../live-run.ts'
import type { WorkflowSnapshot } from '../snapshot.ts'
import type { Checked, Problems } from '../wire.ts'
import type { RunArguments, Workflow } from '../workflow.ts'
import { type Runnable, RunOwner } from './run-owner.ts'
import { idle, type RunView } from './run-view.ts'
import { useRun } from './use-run.ts'

interface CommonOptions {
  /** Goes on with the run of this snapshot when the component is mounted, or as soon as it is given, if there is no run yet. */
  readonly snapshot?: WorkflowSnapshot | undefined
  /**
   * Leaves runs alone that the component lets go of: at its unmount, or when another one is started. Without it, they
   * are aborted.
   *
   * @default false
   */
  readonly keepAlive?: boolean | undefined
  /** Answers input requests in place of a person. The function of the last render is called. */
  readonly onInput?: OnInput | undefined
}

/** How `useWorkflow` begins, and what becomes of its run. */
export type UseWorkflowOptions<Input = unknown> = CommonOptions &
  (undefined extends RunArguments<Input>[0]
    ? Start<Input | undefined>
    :
        | (Start<Input | undefined> & { readonly autoStart?: false | undefined })
        | (Start<Input> & { readonly input: Input }))

interface Start<Input> {
  /**
   * Starts a run with `input` when the component is mounted, or as soon as this is true, if there is no run yet and no
   * `snapshot`.
   *
   * @default false
   */
  readonly autoStart?: boolean | undefined
  /** What `autoStart` starts with. Another input starts no other run: call `start`, or give the component a `key`. */
  readonly input?: Input
}

/** The run of a component, and the ways to steer it. The functions are the same at every render. */
export type WorkflowRun<
  Input = unknown,
  Result = unknown,
  State extends object = Record<string, unknown>,
> = RunView<Result> & {
  /** The run; `undefined` while there is none. For the other hooks, and all that a handler can. */
  readonly handler: WorkflowHandler<Result, State> | undefined
  /**
   * Starts a run, in place of the one before, which is aborted if it goes on (but see `keepAlive`). Never throws: an
   * input that does not fit gives the status `failed`, with its error, and no handler.
   */
  readonly start: (...args: RunArguments<Input>) => WorkflowHandler<Result, State> | undefined
  /** Stops the run where it is, and resolves to its snapshot. See `handler.pause`. */
  readonly pause: (options?: PauseOptions) => Promise<WorkflowSnapshot>
  /** Goes on with the paused run; or with the run of a snapshot, as `start` begins one. */
  readonly resume: (snapshot?: WorkflowSnapshot) => WorkflowHandler<Result, State> | undefined
  /** Ends the run. Does nothing without one. */
  readonly abort: (reason?: unknown) => void
  /** Answers one of `pendingInputs`. Rejects, and the question stays open, if the answer does not fit. */
  readonly respond: (requestId: string, response: unknown) => Promise<void>
  /** Lets go of the run: `idle` again. */
  readonly reset: () => void
}

/**
 * Runs a workflow for a component: one run at a time, which ends with the component. In StrictMode, too, one run is
 * started, and goes on. On a server it is `idle`, as nothing is started before the mount.
 *
 * @example
 * const greeting = useWorkflow(greeter)
 * if (greeting.status === 'completed') return <p>{greeting.result}</p>
 * return <button onClick={() => greeting.start({ name: 'Zach' })}>Greet</button>
 */
export function useWorkflow<Input, StartFields, Result, State extends object, Wires>(
  workflow: Workflow<Input, StartFields, Result, State, Wires> & Checked<Problems<Wires>, unknown>,
  options?: UseWorkflowOptions<Input>,
): WorkflowRun<Input, Result, State> {
  const { snapshot, autoStart = false, input, keepAlive, onInput } = (options ?? {}) as CommonOptions & Start<Input>
  const runnable = workflow as unknown as Runnable<Result, State>
  const [owner] = useState(() => new RunOwner(runnable, { keepAlive, onInput }))

  useEffect(() => owner.update(runnable, { keepAlive, onInput }))
  useEffect(() => owner.mount(), [owner])
  // biome-ignore lint/correctness/useExhaustiveDependencies: another input starts no other run.
  useEffect(() => {
    const { handler, refusal } = owner.get()
    if (handler !== undefined || refusal !== undefined) return
    if (snapshot !== undefined) owner.resume(snapshot)
    else if (autoStart) owner.start(input)
  }, [owner, snapshot, autoStart])

  const { handler, refusal } = useSyncExternalStore(owner.subscribe, owner.get, owner.get)
  const view = useRun(handler)
  const shown = refusal === undefined ? view : { ...idle, status: 'failed' as const, error: refusal.error }
  const { start, pause, resume, abort, respond, reset } = owner
  return {
    ...(shown as RunView<Result>),
    ...{ handler, pause, resume, abort, respond, reset },
    start: start as WorkflowRun<Input, Result, State>['start'],
  }
}
