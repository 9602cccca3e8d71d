import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createHost, defineEvent, StartEvent, StopEvent, workflow } from '../../dist/index.js'
import { sqliteStore } from '../../dist/sqlite.js'
import { createParts, type DurableAdapter, partOf } from '../durable-adapter.ts'

const manifest = new URL('../../package.json', import.meta.url)
const { name, version } = JSON.parse(readFileSync(manifest, 'utf8')) as { name: string; version: string }

interface Step {
  left: number
  value: number
  pad: string
}

const Ping = defineEvent<Step>('Ping')
const Pong = defineEvent<Step>('Pong')

function pingPong(pad: string) {
  return workflow('pingPong')
    .step('start', { accepts: StartEvent, emits: Ping }, async (event) => {
      const { left, value } = event as object as Step
      return Ping({ left, value, pad })
    })
    .step('ping', { accepts: Ping, emits: [Pong, StopEvent] }, async ({ left, value }) =>
      left === 2 ? StopEvent({ result: value + 2 }) : Pong({ left: left - 1, value: value + 1, pad }),
    )
    .step('pong', { accepts: Pong, emits: [Ping, StopEvent] }, async ({ left, value }) =>
      left === 2 ? StopEvent({ result: value + 2 }) : Ping({ left: left - 1, value: value + 1, pad }),
    )
}

interface Change {
  left: number
  value: number
}

const Changed = defineEvent<Change>('Changed')

/** The parts are entries of the state. */
const withState = workflow('withState')
  .step('fill', { accepts: StartEvent, emits: Changed }, async (event, ctx) => {
    createParts().forEach((part, index) => {
      ctx.set(`part${index}`, part)
    })
    const { left } = event as object as Change
    return Changed({ left: left - 1, value: 1 })
  })
  .step('change', { accepts: Changed, emits: [Changed, StopEvent] }, async ({ left, value }, ctx) => {
    ctx.set(`part${value % 1_000}`, partOf(value % 1_000, value))
    return left === 1 ? StopEvent({ result: value + 1 }) : Changed({ left: left - 1, value: value + 1 })
  })

const sizeOf = (parts: readonly { body: string; bytes: Uint8Array | null }[]): number =>
  parts.reduce((size, { body, bytes }) => size + body.length + (bytes?.length ?? 0), 0)

export const adapter: DurableAdapter = {
  name: 'blazen',
  version: `${name} ${version}`,
  open: async ({ folder, payload }) => {
    const store = sqliteStore(join(folder, 'runs.db'))
    const flow = pingPong(payload)
    let logical = 0
    // The account of what is written is kept in a host of its own, so that it costs the others nothing.
    const counted = Object.create(store) as typeof store
    counted.create = (run, owner) => {
      logical += sizeOf(run.records)
      return store.create(run, owner)
    }
    counted.append = (appends) => {
      for (const { records } of appends) logical += sizeOf(records)
      return store.append(appends)
    }
    counted.compact = (runId, owner, base, dropTo) => {
      logical += sizeOf([base])
      return store.compact(runId, owner, base, dropTo)
    }
    for (const method of ['load', 'records', 'info', 'list', 'claim', 'renew', 'release', 'inbox', 'watch'] as const)
      Object.assign(counted, { [method]: (store[method] as (...args: unknown[]) => unknown).bind(store) })
    const host = createHost({ store, workflows: [flow] })
    const countedHost = createHost({ store: counted, workflows: [withState] })
    const start = async (steps: number) => host.run(flow, { left: steps, value: 0 } as never)
    return {
      run: async (steps) => Number(await (await start(steps)).result()),
      runWithState: async (steps) => {
        const handler = await countedHost.run(withState, { left: steps, value: 0 } as never)
        return Number(await handler.result())
      },
      logicalBytes: () => {
        const bytes = logical
        logical = 0
        return bytes
      },
      recordSize: async () => {
        const handler = await start(10)
        await handler.result()
        const [record] = await store.records(handler.runId, { from: 4, limit: 1 })
        return record?.body.length ?? 0
      },
      close: async () => {
        await host.close()
        await countedHost.close()
        await store.close()
      },
    }
  },
}
