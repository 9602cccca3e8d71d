import { type Attempt, type Run, type StepConfig, stopType } from '../machines/index.ts'
import { isFromBelow, StageError } from './composition-errors.ts'
import { StepContext } from './context.ts'
import { type NamedStep, typesOf, type WorkflowDefinition } from './definition.ts'
import { attempt, optionalMs } from './definition-problem.ts'
import {
  EventValidationError,
  RunAbortedError,
  StateValidationError,
  StepReturnError,
  StepTimeoutError,
} from './errors.ts'
import { type AnyEvent, isEvent } from './event.ts'

import { LiveRun } from './live-run.ts'
import { checkNumber, toRetryPolicy } from './step.ts'

/** What the machine is told of a step; what is wrong with it goes to `problems`. */
export function toStepConfig(
  { name, options, run, child }: NamedStep,
  { options: defaults }: WorkflowDefinition,
  problems: string[],
): StepConfig {
  const { concurrency = Number.POSITIVE_INFINITY, retry = defaults.retry } = options
  const where = `Step "${name}"`
  const isCount = concurrency === Number.POSITIVE_INFINITY || Number.isInteger(concurrency)
  attempt(problems, () =>
    checkNumber(concurrency, isCount && concurrency >= 1, `${where}: concurrency`, 'a whole number of at least 1'),
  )
  const [timeoutMs] = attempt(problems, () => optionalMs(options.timeout, `${where}: timeout`))
  const [policy] = attempt(problems, () => retry && toRetryPolicy(retry, `${where}: retry`))
  return {
    name,
    accepts: typesOf(options.accepts),
    emits: options.emits === undefined ? undefined : typesOf(options.emits),
    concurrency,
    timeoutMs,
    retry: policy,
    invoke: (attempt) => run(attempt.execution.event as never, new StepContext(attempt) as never),
    toEvents,
    save: (attempt) => LiveRun.of(attempt.run).saver.save(attempt),
    toFailure: (cause, { execution, number }) => {
      // What a run inside has failed with is told as it is, with the path to it.
      if (isFromBelow(cause) || cause instanceof StageError) return { kind: 'error', error: cause }
      if (!(cause instanceof EventValidationError)) {
        return { kind: 'step', step: name, event: execution.event, attempt: number, cause }
      }
      blame(cause, name)
      return { kind: 'error', error: cause }
    },
    child,
    timedOut: ({ execution, number }) => new StepTimeoutError(name, execution.event, number, timeoutMs ?? 0),
    stopReason,
  }
}

function stopReason({ id, failure }: Run): unknown {
  if (failure?.kind === 'aborted') return new RunAbortedError(id, failure.reason)
  return new DOMException(`Run ${id} has ended without this step.`, 'AbortError')
}

const nothing: readonly AnyEvent[] = []

/** The events that a step returned. */
function toEvents(returned: unknown, attempt: Attempt): readonly AnyEvent[] {
  if (returned === null || returned === undefined) return nothing
  const live = LiveRun.of(attempt.run)
  const { step, event } = attempt.execution
  try {
    if (isEvent(returned)) {
      if (returned.type === stopType) live.checkState()
      return [live.check(returned)]
    }
    if (!Array.isArray(returned)) throw new StepReturnError(step, event, describe(returned))
    return Array.from(returned, (each, at) => {
      if (!isEvent(each)) throw new StepReturnError(step, event, `an array with ${describe(each)} at place ${at}`)
      if (each.type === stopType) live.checkState()
      return live.check(each)
    })
  } catch (error) {
    if (error instanceof EventValidationError || error instanceof StateValidationError) blame(error, step)
    throw error
  }
}

/** Says in an error which step it came from. */
function blame(error: EventValidationError | StateValidationError, step: string): void {
  if (error.step !== undefined) return
  error.step = step
  error.message = `Step "${step}": ${error.message}`
}

function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value)
  if (value instanceof Promise) return 'a promise (await it, or await Promise.all of several)'
  if (typeof value === 'function' && 'is' in value && 'type' in value)
    return `the creator of "${String(value.type)}" (call it)`
  if (typeof value === 'object')
    return 'type' in value ? 'an object whose `type` is no text' : 'an object without `type`'
  return `a ${typeof value}`
}
