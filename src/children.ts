import { type Attempt, Child, toPlace } from '../machines/index.ts'
import type { ChildStart, ChildType } from './child-type.ts'
import { BranchesFailedError, fromBelow } from './composition-errors.ts'

/** How a run inside another one has ended. */
export type Ended =
  | { readonly child: Child; readonly result: unknown }
  | { readonly child: Child; readonly error: unknown }

/** The run that this execution calls `name`, if it has begun it: also before its process died. */
export function childOf({ execution }: Attempt, name: string): Child | undefined {
  const child = execution.children?.get(name)
  return child instanceof Child ? child : undefined
}

/** Goes on with the run that this execution calls `name`, or begins it. */
export function openChild(
  attempt: Attempt,
  type: ChildType,
  name: string,
  start: () => Omit<ChildStart, 'name'>,
): Child {
  return childOf(attempt, name) ?? type.begin(attempt, { name, ...start() })
}

/**
 * Waits for runs inside: until `isDone` says so of those that have ended, in the order of their end. Meanwhile the
 * execution is not at work, so that the run around it can be paused, and can wait.
 */
export function untilEnded(
  attempt: Attempt,
  children: readonly Child[],
  isDone: (ended: readonly Ended[]) => boolean,
): Promise<readonly Ended[]> {
  return new Promise((resolve) => {
    const ended: Ended[] = []
    let isOver = false
    const end = (one: Ended) => {
      if (isOver) return
      ended.push(one)
      if (!isDone(ended) && ended.length < children.length) return
      isOver = true
      attempt.wake()
      resolve(ended)
    }
    attempt.doze()
    for (const child of children) {
      child.actor.subscribe({
        complete: () => {
          const { status, output } = child.actor.getSnapshot()
          // An actor that was stopped has left the process with the run around it.
          if (status === 'done') end({ child, result: output })
        },
        error: (error) => end({ child, error: fromBelow(error, toPlace(attempt.execution, child.name)) }),
      })
    }
  })
}

/** @throws what the run has failed with. */
export function resultOf(ended: Ended | undefined): unknown {
  if (ended !== undefined && 'error' in ended) throw ended.error
  return ended?.result
}

/** The results by name, in the order of the names. @throws what the first that failed has failed with. */
export function allOf(names: Iterable<string>, ended: readonly Ended[]): object {
  const results = new Map(ended.map((each) => [each.child.name, resultOf(each)]))
  return Object.fromEntries(Array.from(names, (name) => [name, results.get(name)]))
}

/** The first success. @throws BranchesFailedError if there is none. */
export function firstOf(
  ended: readonly Ended[],
  { execution }: Attempt,
): { readonly branch: string; readonly result: unknown } {
  const errors: unknown[] = []
  for (const each of ended) {
    if (!('error' in each)) return { branch: each.child.name, result: each.result }
    errors.push(each.error)
  }
  throw fromBelow(new BranchesFailedError(errors), execution.step)
}
