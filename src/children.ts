import { type Attempt, Child } from '../machines/index.ts'
import type { ChildStart, ChildType } from './child-type.ts'
import { fromBelow } from './errors.ts'

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
        error: (error) => end({ child, error: fromBelow(error, whereIs(attempt, child)) }),
      })
    }
  })
}

function whereIs({ execution: { step } }: Attempt, { name }: Child): string {
  return name === '' ? step : `${step}::${name}`
}
