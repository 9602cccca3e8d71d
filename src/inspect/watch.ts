import type { AnyActorRef, InspectionEvent } from 'xstate'
import type { Execution, Run } from '../../machines/index.ts'
import type { Limits } from './cut.ts'
import { findFlow } from './flow-of.ts'
import { FlowView } from './flow-view.ts'
import type { Message } from './message.ts'
import { showDefinition, showEvent, showSnapshot } from './picture.ts'

/** What is to be seen of a system of actors. */
export interface View {
  readonly limits: Limits
  /** Whether the flow of each run is shown as a chart too. */
  readonly flow: boolean
  readonly show: (message: Message) => void
}

/**
 * Shows a system of actors from here on, and first what there is already: its actors, and the events that steps have
 * not settled. So whoever looks in the moment in which a run was started misses nothing.
 *
 * @returns what ends it.
 */
export function watch(actor: AnyActorRef, { limits, flow: withFlow, show }: View): () => void {
  const known = new Set<string>()
  /** By the session of a run. */
  const flows = new Map<string, FlowView>()

  const announce = (each: AnyActorRef, rootId: string): void => {
    const { sessionId, _parent } = each
    if (known.has(sessionId)) return
    known.add(sessionId)
    const definition = showDefinition(each, limits)
    const name = each.id === sessionId && 'id' in definition ? String(definition.id) : each.id
    const snapshot = showSnapshot(each.getSnapshot(), limits)
    show({ type: '@xstate.actor', sessionId, rootId, parentId: _parent?.sessionId, name, definition, snapshot })
  }

  const showFlow = (each: AnyActorRef, rootId: string): void => {
    const flow = withFlow && !flows.has(each.sessionId) ? findFlow(each) : undefined
    if (flow !== undefined) flows.set(each.sessionId, new FlowView(flow, each, rootId, show))
  }

  const announceAll = (each: AnyActorRef, rootId: string): void => {
    announce(each, rootId)
    const { children = {}, context } = each.getSnapshot()
    for (const child of Object.values<AnyActorRef | undefined>(children))
      if (child !== undefined) announceAll(child, rootId)
    showFlow(each, rootId)
    const run: Run | undefined = findFlow(each) === undefined ? undefined : context?.run
    if (run?.delivered !== true) return
    for (const execution of run.open.values()) {
      const step = children[execution.step]
      if (step !== undefined) showSent(step, execution, each, rootId)
    }
  }

  const showSent = (to: AnyActorRef, event: Execution, from: AnyActorRef, rootId: string): void => {
    const { sessionId } = to
    show({ type: '@xstate.event', sessionId, rootId, sourceId: from.sessionId, event: showEvent(event, limits) })
  }

  const take = (told: InspectionEvent): void => {
    const { rootId } = told
    // XState's type leaves open what an actor is; in its system there are none but its own.
    const actorRef = told.actorRef as AnyActorRef
    const { sessionId } = actorRef
    switch (told.type) {
      case '@xstate.actor':
        announce(actorRef, rootId)
        break
      case '@xstate.event': {
        announce(actorRef, rootId)
        const { event, sourceRef } = told
        if (isEcho(actorRef, event)) break
        show({
          ...{ type: '@xstate.event', sessionId, rootId, sourceId: sourceRef?.sessionId },
          event: showEvent(event, limits),
        })
        flows.get(sessionId)?.take(event, sourceRef as AnyActorRef | undefined)
        break
      }
      case '@xstate.snapshot': {
        announce(actorRef, rootId)
        showFlow(actorRef, rootId)
        const { event, snapshot } = told
        show({
          ...{ type: '@xstate.snapshot', sessionId, rootId, event: showEvent(event, limits) },
          snapshot: showSnapshot(snapshot, limits),
        })
        const run = flows.has(sessionId) ? sessionId : actorRef._parent?.sessionId
        if (run !== undefined) flows.get(run)?.update(event.type)
      }
    }
  }

  /** Where a run is written down, a fact is sent again when it is: what happened once is shown once. */
  const heard = new WeakSet<object>()
  const isEcho = (each: AnyActorRef, event: object): boolean => {
    if (findFlow(each) === undefined) return false
    const { run }: { run: Run } = each.getSnapshot().context
    if (run.journal === undefined) return false
    const isKnown = heard.has(event)
    heard.add(event)
    return isKnown && run.journal.folding === event
  }

  const subscription = actor.system.inspect({ next: take })
  const root = rootOf(actor)
  announceAll(root, root.sessionId)
  return () => subscription.unsubscribe()
}

function rootOf(actor: AnyActorRef): AnyActorRef {
  let root = actor
  while (root._parent !== undefined) root = root._parent
  return root
}
