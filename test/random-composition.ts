import {
  type AnyWorkflow,
  defineEvent,
  InputRequestEvent,
  InputResponseEvent,
  pipeline,
  StartEvent,
  type StepContext,
  StopEvent,
  subWorkflow,
  typeOnly,
  workflow,
} from 'blazen-xstate'
import fc from 'fast-check'

/** A random workflow of workflows. Each takes `{ value }` and comes to `{ value }`. */
export type Node =
  | { readonly kind: 'leaf'; readonly does: 'returns' | 'asks' | 'sleeps' | 'delays' | 'retries'; readonly id: number }
  | { readonly kind: 'inside'; readonly child: Node }
  | { readonly kind: 'both'; readonly children: readonly Node[] }
  | { readonly kind: 'stages'; readonly stages: readonly StagePlan[] }

type StagePlan =
  | { readonly kind: 'stage'; readonly run: Node; readonly isSkipped: boolean }
  | { readonly kind: 'parallel'; readonly runs: readonly Node[]; readonly skipped: number }
  | { readonly kind: 'first'; readonly run: Node }
  | { readonly kind: 'loop'; readonly run: Node; readonly rounds: number }

const modulus = 999_983
const mix = (value: number, id: number) => (value * 31 + id) % modulus
const join = (values: readonly number[]) => values.reduce((sum, value) => (sum * 7 + value) % modulus, 1)

/** What a composition comes to: the plain interpreter. */
export function interpret(node: Node, value: number): number {
  switch (node.kind) {
    case 'leaf':
      return mix(value, node.id)
    case 'inside':
      return interpret(node.child, value) + 1
    case 'both':
      return join(node.children.map((child) => interpret(child, value)))
    case 'stages':
      return node.stages.reduce((last, stage) => {
        switch (stage.kind) {
          case 'stage':
            return stage.isSkipped ? last : interpret(stage.run, last)
          case 'parallel':
            return join(stage.runs.filter((_, at) => at !== stage.skipped).map((run) => interpret(run, last)))
          case 'first':
            return interpret(stage.run, last)
          default:
            return Array.from({ length: stage.rounds }).reduce<number>((sum) => interpret(stage.run, sum), last)
        }
      }, value)
  }
}

/** What a step does while it is watched. */
export interface Watcher {
  onStart(ctx: StepContext): void
  sleep(): Promise<void>
}

const input = { input: typeOnly<{ value: number }>() }
const Value = defineEvent('Value', typeOnly<{ value: number }>())
const Given = defineEvent('Given', typeOnly<{ value: number }>())

/** The same as workflows and pipelines. */
export function build(node: Node, watcher: Watcher): AnyWorkflow {
  switch (node.kind) {
    case 'leaf':
      return leaf(node, watcher)
    case 'inside':
      return workflow('inside', input)
        .step('begin', { accepts: StartEvent, emits: Given }, ({ value }, ctx) => {
          watcher.onStart(ctx as StepContext)
          return Given({ value })
        })
        .step(
          'child',
          subWorkflow(build(node.child, watcher), {
            accepts: Given,
            emits: Value,
            output: (result) => Value({ value: numberOf(result) }),
          }),
        )
        .step('end', { accepts: Value, emits: StopEvent }, ({ value }, ctx) => {
          watcher.onStart(ctx as StepContext)
          return StopEvent({ result: { value: value + 1 } })
        }) as AnyWorkflow
    case 'both': {
      const branches = Object.fromEntries(node.children.map((child, at) => [`b${at}`, build(child, watcher)]))
      return workflow('both', input).step(
        'fan',
        subWorkflow(branches, {
          accepts: StartEvent,
          emits: StopEvent,
          output: (results) => StopEvent({ result: { value: numberOf(results) } }),
        }),
      ) as AnyWorkflow
    }
    case 'stages':
      return node.stages.reduce<AnyWorkflow>(
        (flow, stage, at) => {
          const name = `s${at}`
          const grown = flow as unknown as Record<string, (...args: unknown[]) => AnyWorkflow>
          // What a parallel stage comes to is joined by whoever is next.
          const mapped = { input: ({ last }: { last: unknown }) => ({ value: numberOf(last) }) }
          switch (stage.kind) {
            case 'stage':
              return (grown.stage as typeof grown.stage & object).call(flow, name, build(stage.run, watcher), {
                ...mapped,
                ...(stage.isSkipped ? { when: async () => false } : {}),
              })
            case 'parallel': {
              const branches = stage.runs.map((run, at) => [
                `p${at}`,
                { run: build(run, watcher), ...mapped, ...(at === stage.skipped ? { when: () => false } : {}) },
              ])
              return (grown.parallel as typeof grown.stage & object).call(flow, name, Object.fromEntries(branches))
            }
            case 'first': {
              const branches = { bad: { run: failing, ...mapped }, good: { run: build(stage.run, watcher), ...mapped } }
              return (grown.parallel as typeof grown.stage & object).call(flow, name, branches, { join: 'first' })
            }
            default:
              return (grown.loop as typeof grown.stage & object).call(flow, name, build(stage.run, watcher), {
                ...mapped,
                max: 9,
                until: (_result: unknown, round: number) => round === stage.rounds,
              })
          }
        },
        pipeline('stages', input) as unknown as AnyWorkflow,
      )
  }
}

/** The value of a result: of a leaf, of branches, or of the first of them. */
export function numberOf(result: unknown): number {
  if (typeof result !== 'object' || result === null) throw new TypeError(`${String(result)} is no result.`)
  if ('value' in result) return result.value as number
  if ('branch' in result) return numberOf((result as unknown as { result: unknown }).result)
  return join(Object.values(result).map(numberOf))
}

const failing = workflow('failing').step('work', { accepts: StartEvent, emits: StopEvent }, () => {
  if (failing.name === 'failing') throw new Error('It fails.')
  return StopEvent()
}) as AnyWorkflow

function leaf({ does, id }: Extract<Node, { kind: 'leaf' }>, { onStart, sleep }: Watcher): AnyWorkflow {
  const attempts = does === 'retries' ? 2 : 1
  return workflow(`leaf ${id}`, input)
    .step('work', { accepts: StartEvent, retry: { attempts } }, async ({ value }, ctx) => {
      onStart(ctx as StepContext)
      if (does !== 'returns') await sleep()
      if (ctx.attempt < attempts) throw new Error('not yet')
      if (does === 'asks') {
        ctx.set('value', value)
        return InputRequestEvent({ requestId: 'q', prompt: 'Go on?' })
      }
      if (does !== 'delays') return Given({ value })
      ctx.sendEvent(Given({ value }), { delay: 30 })
      return null
    })
    .step('hear', { accepts: InputResponseEvent }, (_event, ctx) => {
      onStart(ctx as StepContext)
      return Given({ value: ctx.get('value') as number })
    })
    .step('end', { accepts: Given, emits: StopEvent }, ({ value }, ctx) => {
      onStart(ctx as StepContext)
      return StopEvent({ result: { value: mix(value, id) } })
    }) as AnyWorkflow
}

const leaves: fc.Arbitrary<Node> = fc.record({
  kind: fc.constant('leaf' as const),
  does: fc.constantFrom('returns', 'asks', 'sleeps', 'delays', 'retries'),
  id: fc.integer({ min: 1, max: 99 }),
})

function nodes(depth: number): fc.Arbitrary<Node> {
  if (depth === 0) return leaves
  const below = nodes(depth - 1)
  const stage: fc.Arbitrary<StagePlan> = fc.oneof(
    fc.record({ kind: fc.constant('stage' as const), run: below, isSkipped: fc.boolean() }),
    fc.record({
      kind: fc.constant('parallel' as const),
      runs: fc.array(below, { minLength: 2, maxLength: 3 }),
      skipped: fc.constantFrom(-1, 0, 1),
    }),
    fc.record({ kind: fc.constant('first' as const), run: below }),
    fc.record({ kind: fc.constant('loop' as const), run: below, rounds: fc.integer({ min: 1, max: 3 }) }),
  )
  const stages = fc.record({
    kind: fc.constant('stages' as const),
    stages: fc.array(stage, { minLength: 1, maxLength: 3 }),
  })
  return fc.oneof(
    { weight: 1, arbitrary: leaves },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('inside' as const), child: below }) },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant('both' as const),
        children: fc.array(below, { minLength: 1, maxLength: 2 }),
      }),
    },
    { weight: 4, arbitrary: stages },
  )
}

/** Compositions of workflows and pipelines, three deep. */
export const compositions: fc.Arbitrary<Node> = nodes(3).filter((node) => node.kind !== 'leaf')
