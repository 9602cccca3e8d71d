import type { AnyActorRef, AnyEventObject } from 'xstate'
import {
  type Activity,
  computeFlowState,
  type Flow,
  type SeenEdge,
  type Sent,
  type Settled,
  type StepActivity,
  toFlowChart,
} from '../../machines/index.ts'
import type { Message, ShownSnapshot } from './message.ts'

/** The flow of one run as a live statechart: an actor that there is only for whoever looks. */
export class FlowView {
  readonly #flow: Flow
  readonly #run: AnyActorRef
  readonly #show: (message: Message) => void
  readonly #ids: { readonly sessionId: string; readonly rootId: string }
  readonly #settled = new Map<string, number>()
  readonly #seen = new Map<string, SeenEdge>()
  readonly #undeclared: ReadonlySet<string>
  #last = ''

  constructor(flow: Flow, run: AnyActorRef, rootId: string, show: (message: Message) => void) {
    this.#flow = flow
    this.#run = run
    this.#show = show
    this.#ids = { sessionId: `${run.sessionId}.flow`, rootId }
    this.#undeclared = new Set(flow.steps.filter(({ emits }) => emits === undefined).map(({ name }) => name))
    this.#begin()
  }

  /** Takes in what was sent to the run. */
  take(event: AnyEventObject, source: AnyActorRef | undefined): void {
    if (event.type === 'blazen.settled') {
      const { step, events } = event as Settled
      this.#settled.set(step, (this.#settled.get(step) ?? 0) + 1)
      for (const { type } of events) this.#see(step, type)
    } else if (event.type === 'blazen.sent' && source !== undefined) {
      this.#see(source.id, (event as Sent).event.type)
    }
  }

  /** Shows where the run is, if that has changed. */
  update(type: string): void {
    const snapshot = this.#snapshot()
    const text = JSON.stringify(snapshot)
    if (text === this.#last) return
    this.#last = text
    this.#show({ type: '@xstate.snapshot', ...this.#ids, event: { type }, snapshot })
  }

  #begin(): void {
    const snapshot = this.#snapshot()
    this.#last = JSON.stringify(snapshot)
    const definition = toFlowChart(this.#flow, this.#seen.values())
    const name = `${this.#flow.name} (flow)`
    this.#show({
      ...{ type: '@xstate.actor', ...this.#ids, parentId: this.#run.sessionId },
      ...{ name, definition, snapshot },
    })
  }

  /** An edge that nobody has declared is drawn when it is first seen. */
  #see(step: string, type: string): void {
    const key = `${step} ${type}`
    if (!this.#undeclared.has(step) || this.#seen.has(key)) return
    this.#seen.set(key, { step, type })
    this.#begin()
  }

  #snapshot(): ShownSnapshot {
    const { status, value, children } = this.#run.getSnapshot()
    const activity = new Map<string, StepActivity>()
    for (const { name } of this.#flow.steps) {
      const step: Activity | undefined = children[name]?.getSnapshot().activity
      const isOver = status !== 'active' || step === undefined
      const under = isOver ? { running: 0, waiting: 0 } : { running: step.running.size, waiting: step.queued.size }
      activity.set(name, { ...under, settled: this.#settled.get(name) ?? 0 })
    }
    return { status, ...computeFlowState(this.#flow, String(value), activity) }
  }
}
