import { useEffect, useMemo, useRef, useSyncExternalStore } from 'react'
import type { WorkflowHandler } from '../handler.ts'
import type { SeenProperties, SeenState } from '../seen-state.ts'

/** What a selector gets: the state of a run, to be read. */
export type ReadableState<State extends object> = SeenState<State> & SeenProperties<State>

/**
 * What `selector` takes out of a run's state. Renders only when that has changed, within a frame of the `ctx.set`,
 * also while the step that wrote it goes on. Without a handler, it is `undefined`.
 *
 * @param isEqual whether two selections count as the same; give one where the selector makes a new object. `Object.is`
 * when left out, which does for values of state as they are: each is the same until it is written again.
 *
 * @example
 * const done = useRunState(handler, (state) => state.done)
 */
export function useRunState<State extends object, Selection>(
  handler: WorkflowHandler<unknown, State>,
  selector: (state: ReadableState<State>) => Selection,
  isEqual?: (before: Selection, after: Selection) => boolean,
): Selection
export function useRunState<State extends object, Selection>(
  handler: WorkflowHandler<unknown, State> | undefined,
  selector: (state: ReadableState<State>) => Selection,
  isEqual?: (before: Selection, after: Selection) => boolean,
): Selection | undefined
export function useRunState<State extends object, Selection>(
  handler: WorkflowHandler<unknown, State> | undefined,
  selector: (state: ReadableState<State>) => Selection,
  isEqual: (before: Selection, after: Selection) => boolean = Object.is,
): Selection | undefined {
  const source = useMemo(() => new Source(handler), [handler])
  /** What is on the screen: a selection that equals it is given as this very one. */
  const shown = useRef<{ readonly handler: unknown; readonly selection: Selection } | undefined>(undefined)

  const get = useMemo(() => {
    let version = -1
    let last: { readonly selection: Selection } | undefined
    return (): Selection | undefined => {
      if (handler === undefined || (last !== undefined && version === source.version)) return last?.selection
      const selection = selector(handler.state)
      const before = last ?? (shown.current?.handler === handler ? shown.current : undefined)
      last = before !== undefined && isEqual(before.selection, selection) ? before : { selection }
      version = source.version
      return last.selection
    }
  }, [handler, source, selector, isEqual])

  const selection = useSyncExternalStore(source.subscribe, get, get)
  useEffect(() => {
    shown.current = handler === undefined ? undefined : { handler, selection: selection as Selection }
  }, [handler, selection])
  return selection
}

/** The changes of a run, counted: a selection stands for as long as the number does. */
class Source {
  version = 0
  readonly #handler: WorkflowHandler | undefined

  constructor(handler: WorkflowHandler | undefined) {
    this.#handler = handler
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    // What has happened since the render was seen by nobody.
    this.version++
    const unsubscribe = this.#handler?.subscribe(() => {
      this.version++
      listener()
    })
    return () => unsubscribe?.()
  }
}
