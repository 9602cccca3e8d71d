import type { AnyActorRef } from 'xstate'
import { type Duration, toMs } from '../duration.ts'
import { BlazenError } from '../errors.ts'
import { Host, watchRuns } from '../host.ts'
import type { Limits } from './cut.ts'
import { type Inspector, linkTo } from './inspector.ts'
import { type Redactor, redactNothing, redactSecrets } from './redact.ts'
import { type View, watch } from './watch.ts'

/** What is shown of values, and of flows. */
export interface InspectOptions {
  /**
   * What stands for a field in what is shown. `false` shows everything.
   *
   * @default redactSecrets
   */
  readonly redact?: Redactor | false
  /** How many characters of a text are shown. At least 1. @default 200 */
  readonly maxLength?: number
  /** How many levels of a value are shown. At least 1. @default 6 */
  readonly maxDepth?: number
  /** How many items of a list, or fields of an object, are shown. At least 1. @default 50 */
  readonly maxItems?: number
  /** Whether the flow of each run is shown as a statechart too. @default true */
  readonly flow?: boolean
}

/** A run, wherever one is: a handler or what else has an `actor`, an actor itself, or a host with all its runs here. */
export type Inspectable = Host | { readonly actor: AnyActorRef } | AnyActorRef

/** An inspection that goes on. */
export interface Inspection {
  /** Shows nothing more. The inspector is left as it is. */
  stop(): void
  /**
   * Resolves when all that was shown has gone out: before a `process.exit`, say. Without an inspector that listens, it
   * resolves when the time is up.
   */
  flush(options?: { readonly timeout?: Duration }): Promise<void>
}

/**
 * Shows a run to an inspector, as it goes: its statechart, the actors of its steps, every event between them, and its
 * flow as a statechart of its own, in which running steps are lit. Secrets are taken out and large values cut. Nothing
 * that the inspector does disturbs the run, and it does not keep the process alive.
 *
 * Called in the same moment as `run`, it misses nothing; later, it shows how things stand, and what comes.
 *
 * @throws BlazenError (`invalid_option`)
 *
 * @example
 * const handler = greeter.run({ name: 'Zach' })
 * inspect(handler, createBrowserInspector())
 */
export function inspect(target: Inspectable, inspector: Inspector, options: InspectOptions = {}): Inspection {
  const { redact = redactSecrets, flow = true } = options
  const limits: Limits = {
    redact: redact === false ? redactNothing : redact,
    maxLength: atLeastOne(options.maxLength ?? 200, 'maxLength'),
    maxDepth: atLeastOne(options.maxDepth ?? 6, 'maxDepth'),
    maxItems: atLeastOne(options.maxItems ?? 50, 'maxItems'),
  }
  const link = linkTo(inspector)
  const view: View = { limits, flow, show: (message) => link.show(message) }
  const stop = target instanceof Host ? watchHost(target, view) : watch(toActor(target), view)
  return {
    stop: () => {
      stop()
      link.close()
    },
    flush: async ({ timeout = '1s' } = {}) => {
      const until = Date.now() + toMs(timeout, 'flush: timeout')
      while (!link.isDrained && Date.now() < until) await new Promise((resolve) => setTimeout(resolve, 5))
    },
  }
}

function watchHost(host: Host, view: View): () => void {
  const stops = new Map<AnyActorRef, () => void>()
  const stopWatching = watchRuns(host, (actor) => {
    stops.set(actor, watch(actor, view))
    const forget = () => stops.delete(actor)
    actor.subscribe({ complete: forget, error: forget })
  })
  return () => {
    stopWatching()
    for (const stop of stops.values()) stop()
  }
}

function toActor(target: Exclude<Inspectable, Host>): AnyActorRef {
  const actor: unknown = 'actor' in target ? target.actor : target
  if (typeof actor === 'object' && actor !== null && 'system' in actor) return actor as AnyActorRef
  throw new BlazenError(
    'invalid_option',
    'inspect expects the handler of a run, the actor of one, or a host. What has neither an actor nor runs has nothing to show.',
  )
}

function atLeastOne(value: number, option: string): number {
  if (value >= 1) return value
  throw new BlazenError('invalid_option', `inspect: ${option} is ${value}, and has to be a number of at least 1.`)
}
