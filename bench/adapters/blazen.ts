import { readFileSync } from 'node:fs'
import { defineEvent, StartEvent, StopEvent, step, workflow } from '../../dist/index.js'
import { type Adapter, type Prepared, sumOfRuns, type Work } from '../adapter.ts'

/** This package, as it is built. Events have no schema, as the other engines do not validate either. */
const manifest = new URL('../../package.json', import.meta.url)
const { name, version } = JSON.parse(readFileSync(manifest, 'utf8')) as { name: string; version: string }

/** One event type and one step for each link; the step number `held` waits for the others of its run. */
function chainWorkflow(size: number, work: Work, held = -1) {
  const events = Array.from({ length: size - 1 }, (_, index) => defineEvent<{ value: number }>(`Event${index + 1}`))
  const emit = (index: number, value: number) => events[index]?.({ value }) ?? StopEvent({ result: value })
  const first = step({ accepts: StartEvent, emits: events[0] ?? StopEvent }, async () => {
    work.ran()
    return emit(0, 1)
  })
  const others = events.map((accepts, index) => {
    const theStep = step({ accepts, emits: events[index + 1] ?? StopEvent }, async (event) => {
      if (index + 1 === held) await work.hold()
      else work.ran()
      return emit(index + 1, event.value + 1)
    })
    return [`step${index + 1}`, theStep] as const
  })
  return workflow('chain').step('step0', first).steps(others)
}

function chain(size: number, work: Work): Prepared {
  const flow = chainWorkflow(size, work)
  return { run: async () => Number(await flow.run().result()) }
}

function pingPong(size: number, work: Work): Prepared {
  const Ping = defineEvent<{ value: number }>('Ping')
  const Pong = defineEvent<{ value: number }>('Pong')
  const flow = workflow('pingPong')
    .step('start', { accepts: StartEvent, emits: Ping }, async () => Ping({ value: 0 }))
    .step('ping', { accepts: Ping, emits: [Pong, StopEvent] }, async (event) => {
      work.ran()
      const value = event.value + 1
      return value === size ? StopEvent({ result: value }) : Pong({ value })
    })
    .step('pong', { accepts: Pong, emits: [Ping, StopEvent] }, async (event) => {
      work.ran()
      const value = event.value + 1
      return value === size ? StopEvent({ result: value }) : Ping({ value })
    })
  return { run: async () => Number(await flow.run().result()) }
}

function fanOut(size: number, work: Work): Prepared {
  const Item = defineEvent<{ index: number }>('Item')
  const Done = defineEvent<{ index: number }>('Done')
  const flow = workflow('fanOut')
    .step('split', { accepts: StartEvent, emits: Item }, async () =>
      Array.from({ length: size }, (_, index) => Item({ index })),
    )
    .step('work', { accepts: Item, emits: Done }, async (event) => {
      work.ran()
      return Done({ index: event.index })
    })
    .step('join', { accepts: Done, emits: StopEvent }, async (_event, ctx) => {
      const all = ctx.collect(Done, size)
      return all ? StopEvent({ result: all.length }) : null
    })
  return { run: async () => Number(await flow.run().result()) }
}

function runs(size: number, work: Work): Prepared {
  const flow = chainWorkflow(3, work, 1)
  return { run: () => sumOfRuns(size, async () => Number(await flow.run().result())) }
}

function stream(size: number, work: Work): Prepared {
  const Token = defineEvent<{ index: number }>('Token')
  const flow = workflow('stream').step('write', { accepts: StartEvent, emits: StopEvent }, async (_event, ctx) => {
    work.ran()
    for (let index = 0; index < size; index++) ctx.writeEventToStream(Token({ index }))
    return StopEvent({ result: size })
  })
  const run = async (): Promise<number> => {
    const handler = flow.run()
    let read = 0
    for await (const event of handler.stream()) if (Token.is(event) && event.index === read) read++
    await handler.result()
    return read
  }
  return { run }
}

export const adapter: Adapter = { name: 'blazen', version: `${name} ${version}`, chain, pingPong, fanOut, runs, stream }
