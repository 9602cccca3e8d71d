import { BlazenError } from '../errors.ts'
import type { PauseOptions, WorkflowHandler } from '../handler.ts'
import type { OnInput } from '../live-run.ts'
import type { WorkflowSnapshot } from '../snapshot.ts'
import type { RunOptions } from '../workflow.ts'

/** What can be run: a workflow, without its wiring. */
export interface Runnable<Result, State extends object> {
  run(input?: unknown, options?: RunOptions): WorkflowHandler<Result, State>
  resume(snapshot: WorkflowSnapshot, options?: Pick<RunOptions, 'onInput'>): WorkflowHandler<Result, State>
}

/** What a component asks of its runs. */
export interface OwnerOptions {
  readonly onInput?: OnInput | undefined
  readonly keepAlive?: boolean | undefined
}

/** The run of a component, or why there is none. */
export interface Owned<Result, State extends object> {
  readonly handler: WorkflowHandler<Result, State> | undefined
  /** A run that was refused before it began. */
  readonly refusal: { readonly error: unknown } | undefined
}

const nothing = { handler: undefined, refusal: undefined }

/**
 * The one run that a component owns at a time. A run that it lets go of, for another one or since the component is
 * gone, is aborted, unless it is to be kept alive.
 */
export class RunOwner<Result, State extends object> {
  #workflow: Runnable<Result, State>
  #options: OwnerOptions
  #owned: Owned<Result, State> = nothing
  readonly #listeners = new Set<() => void>()
  #mounts = 0
  #isGone = false

  constructor(workflow: Runnable<Result, State>, options: OwnerOptions) {
    this.#workflow = workflow
    this.#options = options
  }

  /** What the last render said. */
  update(workflow: Runnable<Result, State>, options: OwnerOptions): void {
    this.#workflow = workflow
    this.#options = options
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  readonly get = (): Owned<Result, State> => this.#owned

  /** The component is there until it calls what this gives, and is not there again in the same breath. */
  mount(): () => void {
    this.#mounts++
    this.#isGone = false
    return () => {
      this.#mounts--
      // StrictMode takes every component away once, to put it back at once: its run goes on.
      queueMicrotask(() => {
        if (this.#mounts > 0) return
        this.#isGone = true
        this.reset()
      })
    }
  }

  readonly start = (input?: unknown, options: RunOptions = {}): WorkflowHandler<Result, State> | undefined =>
    this.#own(() => this.#workflow.run(input, { ...this.#runOptions, ...options }))

  readonly resume = (snapshot?: WorkflowSnapshot): WorkflowHandler<Result, State> | undefined => {
    if (snapshot !== undefined) return this.#own(() => this.#workflow.resume(snapshot, this.#runOptions))
    const handler = this.#require('resume')
    handler.resume()
    return handler
  }

  readonly pause = async (options?: PauseOptions): Promise<WorkflowSnapshot> => this.#require('pause').pause(options)

  readonly abort = (reason?: unknown): void => this.#owned.handler?.abort(reason)

  readonly respond = async (requestId: string, response: unknown): Promise<void> =>
    this.#require('respond').respondToInput(requestId, response)

  readonly reset = (): void => {
    if (this.#owned !== nothing) this.#set(nothing)
  }

  #own(begin: () => WorkflowHandler<Result, State>): WorkflowHandler<Result, State> | undefined {
    try {
      const handler = begin()
      this.#set({ handler, refusal: undefined })
      // The component went while something else was awaited.
      if (this.#isGone) this.reset()
      return handler
    } catch (error) {
      this.#set({ handler: undefined, refusal: { error } })
      return undefined
    }
  }

  #set(owned: Owned<Result, State>): void {
    const { handler } = this.#owned
    this.#owned = owned
    if (handler !== owned.handler && !this.#options.keepAlive) {
      handler?.abort(new DOMException('The component that owned the run has let go of it.', 'AbortError'))
    }
    for (const listener of [...this.#listeners]) listener()
  }

  /** The function of the last render answers, not that of the render in which the run began. */
  get #runOptions(): Pick<RunOptions, 'onInput'> {
    const { onInput } = this.#options
    return onInput === undefined ? {} : { onInput: (request) => (this.#options.onInput ?? onInput)(request) }
  }

  #require(what: string): WorkflowHandler<Result, State> {
    const { handler } = this.#owned
    if (handler !== undefined) return handler
    throw new BlazenError('no_run', `useWorkflow: ${what} needs a run, and there is none. Call start first.`)
  }
}
