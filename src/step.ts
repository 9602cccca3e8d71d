import type { RetryPolicy } from '../machines/index.ts'
import { BranchesFailedError } from './composition-errors.ts'
import type { StepContext } from './context.ts'
import type { RetryOptions, Step, StepOptions } from './definition.ts'
import { toMs } from './duration.ts'
import { BlazenError, FatalError } from './errors.ts'
import type { AnyEvent, AnyEventType, EventOf, InputRequestEvent, StartEvent, StopEvent } from './event.ts'

/** What a step's function may return: an event, several to be routed in order, or nothing. */
export type StepReturn<Event = AnyEvent> = Event | readonly Event[] | null | undefined | void

/** `unknown` where a step goes into a workflow: it can take the events and the state there. Else a sentence why not. */
export type Fits<Event, Context, Given, State extends object> = [Event] extends [never]
  ? unknown
  : [Given] extends [Event]
    ? [Context] extends [StepContext<infer Own>]
      ? FitsState<Own, State>
      : unknown
    : 'The function of this step takes another event than what it accepts is in this workflow.'

type FitsState<Own extends object, State extends object> = string extends keyof Own | keyof State
  ? unknown
  : [State] extends [Own]
    ? [Own] extends [Pick<State, keyof State & keyof Own>]
      ? unknown
      : StateMisfit
    : StateMisfit

type StateMisfit = 'The function of this step takes another ctx.state than this workflow declares.'

/** The events that a step sees for what it accepts. `Start` is what the workflow's input puts on the `StartEvent`. */
export type Accepted<Accepts extends AnyEventType, Start> = Accepts extends { readonly type: 'blazen::StartEvent' }
  ? StartEvent<Start>
  : EventOf<Accepts>

/** The events that a step which declares `emits` may return; any where it does not. */
export type Returnable<Emits extends AnyEventType> = AnyEventType extends Emits
  ? EventObject
  : Emits extends { readonly type: 'blazen::StopEvent' }
    ? StopEvent
    : Emits extends { readonly type: 'blazen::InputRequestEvent' }
      ? InputRequestEvent
      : EventOf<Emits> & NoFunction

/** Refuses `return Greet`, which has a type as events do, where `return Greet({ … })` was meant. */
interface NoFunction {
  readonly [Symbol.hasInstance]?: never
}

interface EventObject extends AnyEvent, NoFunction {}

/**
 * Defines a step apart from a workflow, so that steps can be shared and workflows built from arrays.
 *
 * @example
 * const greet = step({ accepts: Greet, emits: StopEvent }, (event) => StopEvent({ result: `Hello, ${event.name}!` }))
 * const greeter = workflow('greeter').step('greet', greet)
 */
export function step<
  Accepts extends AnyEventType,
  Returned extends StepReturn<Returnable<Emits>>,
  Emits extends AnyEventType = AnyEventType,
  Event = Accepted<Accepts, unknown>,
  State extends object = Record<string, unknown>,
>(
  options: StepOptions<Accepts, Emits>,
  run: (event: Event, ctx: StepContext<State>) => Returned | Promise<Returned>,
): Step<Accepts, Emits, Returned, Event, StepContext<State>> {
  return { options, run }
}

/** The policy that the machine keeps to. */
export function toRetryPolicy(options: RetryOptions, where: string): RetryPolicy {
  const { attempts, delay = 0, factor = 2, maxDelay, jitter = 0, when } = options
  checkNumber(
    attempts,
    Number.isInteger(attempts) && attempts >= 1,
    `${where}: attempts`,
    'a whole number of at least 1',
  )
  checkNumber(factor, factor > 0 && Number.isFinite(factor), `${where}: factor`, 'a finite number above 0')
  checkNumber(jitter, jitter >= 0 && jitter <= 1, `${where}: jitter`, 'a share from 0 to 1')
  return {
    attempts,
    delayMs: toMs(delay, `${where}: delay`),
    factor,
    maxDelayMs: maxDelay === undefined ? 2 ** 31 - 1 : toMs(maxDelay, `${where}: maxDelay`),
    jitter,
    when: (error, attempt) => !isFatal(error) && (when?.(error, attempt) ?? true),
  }
}

/** Whether a step has thrown a `FatalError`, this one or one of a run inside it, or a mapper of a stage has. */
function isFatal(error: unknown): boolean {
  if (error instanceof BranchesFailedError) return error.errors.every(isFatal)
  return error instanceof FatalError || (error instanceof BlazenError && error.cause instanceof FatalError)
}

/** @throws BlazenError (`invalid_option`) */
export function checkNumber(value: number, holds: boolean, where: string, expected: string): void {
  if (holds && typeof value === 'number') return
  throw new BlazenError('invalid_option', `${where} has to be ${expected}, got ${String(value)}.`)
}
