import { Effect, Exit, Layer, ManagedRuntime, Queue, Schema, Scope, Stream } from 'effect'
import { Activity, Workflow, WorkflowEngine } from 'effect/workflow'
import { type Adapter, type Prepared, sumOfRuns, versionOf, type Work } from '../adapter.ts'

/**
 * Effect's workflow engine, in memory. Version 4 carries it in `effect` itself; `@effect/workflow` is its predecessor for
 * version 3 and several times slower. The engine keeps every execution and activity until it is disposed of, so each
 * scenario registers its workflow in one shared engine under a name of its own.
 */
const runtime = ManagedRuntime.make(WorkflowEngine.layerMemory)

let names = 0
let runIds = 0

type Body = Effect.Effect<number, never, WorkflowEngine.WorkflowEngine | WorkflowEngine.WorkflowInstance>

/** Registers `body` as a workflow; `start` runs it once, under a new id, since the id is what Effect deduplicates by. */
async function register(body: () => Body): Promise<{ start: () => Promise<number>; close: () => Promise<void> }> {
  const workflow = Workflow.make(`bench${names++}`, {
    payload: { id: Schema.Number },
    success: Schema.Number,
    idempotencyKey: ({ id }) => `${id}`,
  })
  const scope = Scope.makeUnsafe()
  await runtime.runPromise(Layer.buildWithScope(workflow.toLayer(body), scope))
  return {
    start: () => runtime.runPromise(workflow.execute({ id: runIds++ })),
    close: () => runtime.runPromise(Scope.close(scope, Exit.void)),
  }
}

const activity = (name: string, execute: () => Promise<number>) =>
  Activity.make({ name, success: Schema.Number, execute: Effect.promise(execute) })

function countingActivity(name: string, work: Work) {
  return activity(name, async () => {
    work.ran()
    return 1
  })
}

/** A fixed chain lets its activities be made once, outside the run. */
async function chain(size: number, work: Work): Promise<Prepared> {
  const steps = Array.from({ length: size }, (_, index) => countingActivity(`step${index}`, work))
  const { start, close } = await register(
    Effect.fnUntraced(function* () {
      let value = 0
      for (const step of steps) value += yield* step
      return value
    }),
  )
  return { run: start, close }
}

/** An activity is known by its name, so a loop makes a new one for each round. */
async function pingPong(size: number, work: Work): Promise<Prepared> {
  const { start, close } = await register(
    Effect.fnUntraced(function* () {
      let value = 0
      while (value < size) value += yield* countingActivity(`${value % 2 === 0 ? 'ping' : 'pong'}${value}`, work)
      return value
    }),
  )
  return { run: start, close }
}

async function fanOut(size: number, work: Work): Promise<Prepared> {
  const indexes = Array.from({ length: size }, (_, index) => index)
  const { start, close } = await register(
    Effect.fnUntraced(function* () {
      const items = Effect.forEach(indexes, (index) => countingActivity(`item${index}`, work), {
        concurrency: 'unbounded',
      })
      return (yield* items).reduce((sum, item) => sum + item, 0)
    }),
  )
  return { run: start, close }
}

async function runs(size: number, work: Work): Promise<Prepared> {
  const first = countingActivity('first', work)
  const second = activity('second', async () => {
    await work.hold()
    return 1
  })
  const third = countingActivity('third', work)
  const { start, close } = await register(
    Effect.fnUntraced(function* () {
      return (yield* first) + (yield* second) + (yield* third)
    }),
  )
  return { run: () => sumOfRuns(size, start), close }
}

/** The engine has no stream of its own: an activity fills a `Queue`, and the reader runs it as a `Stream`. */
async function stream(size: number, work: Work): Promise<Prepared> {
  let queue = await runtime.runPromise(Queue.unbounded<number, never>())
  const { start, close } = await register(
    Effect.fnUntraced(function* () {
      return yield* Activity.make({
        name: 'write',
        success: Schema.Number,
        execute: Effect.gen(function* () {
          work.ran()
          for (let index = 0; index < size; index++) yield* Queue.offer(queue, index)
          return size
        }),
      })
    }),
  )
  const run = async (): Promise<number> => {
    queue = await runtime.runPromise(Queue.unbounded<number, never>())
    let read = 0
    const readAll = Stream.runForEach(Stream.take(Stream.fromQueue(queue), size), (index) =>
      Effect.sync(() => {
        if (index === read) read++
      }),
    )
    await Promise.all([runtime.runPromise(readAll), start()])
    return read
  }
  return { run, close }
}

export const adapter: Adapter = {
  name: 'effect',
  version: versionOf('effect'),
  chain,
  pingPong,
  fanOut,
  runs,
  stream,
}
