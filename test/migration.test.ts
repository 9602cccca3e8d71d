import {
  defineEvent,
  InputRequestEvent,
  InputResponseEvent,
  type Migration,
  SnapshotError,
  StartEvent,
  StopEvent,
  type WorkflowSnapshot,
  workflow,
} from 'blazen-xstate'
import { describe, expect, test } from 'vitest'
import { rejection, turns } from './waiting.ts'

const Job = defineEvent<{ n: number }>('Job')
const Task = defineEvent<{ n: number }>('Task')
const asText = (snapshot: WorkflowSnapshot): WorkflowSnapshot => JSON.parse(JSON.stringify(snapshot))
const refusal = async (resume: () => unknown) =>
  (await rejection(Promise.resolve().then(resume))) as SnapshotError & { cause: Error }

/** What version 1 leaves behind: two jobs in flight, one collected, one queued, one delayed, a request, and state. */
async function oldSnapshot(version: string | undefined = '1'): Promise<WorkflowSnapshot> {
  const flow = workflow('versioned', { ...(version === undefined ? {} : { version }), external: Job })
    .step('begin', { accepts: StartEvent }, (_event, ctx) => {
      ctx.state.count = 1
      ctx.state.when = new Date(5)
      ctx.state.obsolete = true
      ctx.sendEvent(Job({ n: 5 }), { delay: '1h' })
      return [1, 2, 3].map((n) => Job({ n })).concat(InputRequestEvent({ requestId: 'a', prompt: 'Old?' }) as never)
    })
    .step('job', { accepts: Job }, ({ n }, ctx) => {
      if (n === 1) return ctx.collect(Job, 9) === undefined ? null : null
      return new Promise<null>(() => {})
    })
    .step('hear', { accepts: InputResponseEvent }, () => null)
  const handler = flow.run()
  await turns()
  await handler.pause({ inFlight: 'abort' })
  await handler.sendEvent(Job({ n: 4 }))
  const snapshot = asText(handler.snapshot())
  handler.abort()
  const { executions, queue, timers, collections, requests } = snapshot.context
  expect([executions, queue, timers, collections, requests].map((part) => part.length)).toEqual([2, 1, 1, 1, 1])
  return snapshot
}

/** The workflow at a version whose step and event have other names. */
function renamed(migrate: Record<string, Migration>, version = '2') {
  const log: string[] = []
  const flow = workflow('versioned', { version, migrate, external: Task, idle: 'wait' })
    .step('begin', { accepts: StartEvent }, () => null)
    .step('task', { accepts: Task }, ({ n }, ctx) => {
      log.push(`task ${n}`)
      const all = n > 1 ? ctx.collect(Task, 4) : undefined
      return all === undefined ? null : StopEvent({ result: { all: all.map((each) => each.n), state: [...ctx.state] } })
    })
    .step('hear', { accepts: InputResponseEvent }, () => null)
  return { flow, log }
}

const renames: Migration = (draft) => {
  draft.renameStep('job', 'task')
  draft.renameEvent('Job', 'Task')
}

describe('a migration', () => {
  test('renames steps and events, in flight, queued, delayed and collected, and changes state', async () => {
    const snapshot = await oldSnapshot()
    const before = JSON.stringify(snapshot)
    const { flow, log } = renamed({
      '1': (draft) => {
        renames(draft)
        expect([draft.state.has('count'), draft.state.size, [...draft.state.keys()]]).toEqual([
          true,
          3,
          ['count', 'when', 'obsolete'],
        ])
        draft.state.set('count', (draft.state.get('count') as number) + 1)
        draft.state.set('added', new Map([[draft.state.get('when'), 1n]]))
        expect([draft.state.delete('obsolete'), draft.state.delete('obsolete')]).toEqual([true, false])
        expect(draft.raw.context.timers).toHaveLength(1)
      },
    })
    const result = (await flow.resume(snapshot).result()) as { all: number[]; state: unknown }
    expect(result.all).toEqual([1, 2, 3, 4])
    expect(log).toEqual(['task 2', 'task 3', 'task 4'])
    expect(new Map(result.state as [string, unknown][])).toEqual(
      new Map<string, unknown>([
        ['count', 2],
        ['when', new Date(5)],
        ['added', new Map([[new Date(5), 1n]])],
      ]),
    )
    expect(JSON.stringify(snapshot)).toBe(before)
  })

  test('changes the pending events of a type, and takes out those for which it gives null, with their executions', async () => {
    const seen: number[] = []
    const { flow, log } = renamed({
      '1': (draft) => {
        renames(draft)
        draft.mapEvents('Task', (event) => {
          const { n } = event as unknown as { n: number }
          seen.push(n)
          return n === 3 ? null : Task({ n: n * 10 })
        })
        draft.mapEvents(InputRequestEvent.type, () => null)
      },
    })
    const resumed = flow.resume(await oldSnapshot())
    await turns()
    expect(seen.toSorted()).toEqual([1, 2, 3, 4, 5])
    expect(log).toEqual(['task 20', 'task 40'])
    expect(resumed.pendingInputs).toEqual([])
    const { timers, collections } = resumed.snapshot().context
    expect(timers).toMatchObject([{ event: { json: { type: 'Task', n: 50 } } }])
    expect(collections[0]?.[1].map(({ event }) => event)).toMatchObject([
      { json: { n: 10 } },
      { json: { n: 20 } },
      { json: { n: 40 } },
    ])
    resumed.abort()
  })

  test('that renames an event to one that is collected already keeps both', async () => {
    const build = (version: string, migrate: Record<string, Migration>) =>
      workflow('merged', { version, migrate, external: [Job, Task], idle: 'wait' })
        .step('begin', { accepts: StartEvent }, () => [Job({ n: 1 }), Task({ n: 2 })])
        .step('job', { accepts: Job }, (_event, ctx) => void ctx.collect(Job, 9))
        .step('task', { accepts: Task }, (_event, ctx) => {
          const all = ctx.collect(Task, 3)
          return all === undefined ? null : StopEvent({ result: all.map(({ n }) => n) })
        })
    const handler = build('1', {}).run()
    await turns()
    const snapshot = asText(handler.snapshot())
    handler.abort()
    const resumed = build('2', { '1': (draft) => draft.renameEvent('Job', 'Task') }).resume(snapshot)
    await resumed.sendEvent(Task({ n: 3 }))
    expect(await resumed.result()).toEqual([1, 2, 3])
  })

  test('may change anything by hand', async () => {
    const { flow } = renamed({
      '1': (draft) => {
        renames(draft)
        draft.raw.context.requests = []
        draft.raw.context.timers = []
        draft.raw.context.state = [['only', { json: 1 }]]
      },
    })
    const resumed = flow.resume(await oldSnapshot())
    expect(resumed.pendingInputs).toEqual([])
    expect(await resumed.result()).toMatchObject({ state: [['only', 1]] })
  })

  test('follows on the one before it, from the version of the snapshot on, each once', async () => {
    const ran: string[] = []
    const migrate = {
      '1': (draft) => {
        ran.push('1')
        draft.renameStep('job', 'middle')
      },
      '2': (draft) => {
        ran.push('2')
        draft.renameStep('middle', 'task')
      },
      '3': (draft) => {
        ran.push('3')
        draft.renameEvent('Job', 'Task')
      },
    } satisfies Record<string, Migration>
    const { flow } = renamed(migrate, '4')
    const resumed = flow.resume(await oldSnapshot())
    expect(await resumed.result()).toMatchObject({ all: [1, 2, 3, 4] })
    expect(ran).toEqual(['1', '2', '3'])
    // The snapshot of the resumed run is of the current version, from which nothing leads on.
    ran.length = 0
    const again = asText(resumed.snapshot())
    expect(again.version).toBe('4')
    expect(await flow.resume(again).result()).toMatchObject({ all: [1, 2, 3, 4] })
    expect(ran).toEqual([])
    const fromThree = { ...(await oldSnapshot()), version: '3' }
    expect(await refusal(() => flow.resume(fromThree))).toMatchObject({ path: expect.stringContaining('step') })
    expect(ran).toEqual(['3'])
  })

  test('that throws refuses the snapshot, with its cause, and nothing has run', async () => {
    const cause = new Error('cannot')
    const { flow, log } = renamed({
      '1': () => {
        throw cause
      },
    })
    const error = await refusal(async () => flow.resume(await oldSnapshot()))
    expect(error).toBeInstanceOf(SnapshotError)
    expect(error.cause).toBe(cause)
    expect(error.message).toContain('"1"')
    await turns()
    expect(log).toEqual([])
  })

  test('of a damaged snapshot drops nothing of it: the damage is found', async () => {
    const snapshot = await oldSnapshot()
    const damaged = asText({ ...snapshot, context: { ...snapshot.context, queue: [{ json: 'no event' }] } })
    const error = await refusal(() => renamed({ '1': renames }).flow.resume(damaged))
    expect(error).toBeInstanceOf(SnapshotError)
    expect(error.path).toBe('context.queue[0]')
    for (const context of [undefined, null, 5, {}]) {
      const cut = { ...snapshot, context } as never
      expect(await refusal(() => renamed({ '1': renames }).flow.resume(cut))).toBeInstanceOf(SnapshotError)
    }
  })
})

describe('a snapshot is refused, before anything runs,', () => {
  test('that is of another workflow: both are named', async () => {
    const snapshot = await oldSnapshot()
    const other = workflow('other').step('begin', { accepts: StartEvent }, () => StopEvent())
    const error = await refusal(() => other.resume(snapshot))
    expect(error).toBeInstanceOf(SnapshotError)
    expect(error.path).toBe('workflow')
    for (const name of ['"versioned"', '"other"']) expect(error.message).toContain(name)
  })

  test.each<[string, string | undefined, string | undefined, Record<string, Migration>]>([
    ['of an older version without a migration', '1', '2', {}],
    ['of an older version that the chain does not begin with', '1', '3', { '2': renames }],
    ['of a newer version', '3', '2', { '1': renames }],
    ['with a version, for a workflow without', '1', undefined, {}],
    ['without a version, for a workflow with', undefined, '1', {}],
  ])('that is %s: both versions are named', async (_name, from, to, migrate) => {
    const snapshot = { ...(await oldSnapshot()), version: from ?? null }
    let ran = 0
    const flow = workflow('versioned', { ...(to === undefined ? {} : { version: to }), migrate })
      .step('begin', { accepts: StartEvent }, () => StopEvent())
      .step('job', { accepts: [Job, InputResponseEvent] }, () => void ran++)
    const error = await refusal(() => flow.resume(snapshot))
    expect(error).toBeInstanceOf(SnapshotError)
    expect(error.path).toBe('version')
    for (const version of [from, to]) {
      expect(error.message).toContain(version === undefined ? 'none' : `"${version}"`)
    }
    await turns()
    expect(ran).toBe(0)
  })

  test('that has a step under way which is not there: it is named, with those that are', async () => {
    const { flow, log } = renamed({ '1': (draft) => draft.renameEvent('Job', 'Task') })
    const error = await refusal(async () => flow.resume(await oldSnapshot()))
    expect(error.path).toBe('context.executions[0].step')
    for (const part of ['"job"', '"task"', 'draft.renameStep']) expect(error.message).toContain(part)
    await turns()
    expect(log).toEqual([])
  })

  test('that holds an event which nobody accepts: it is named', async () => {
    const { flow, log } = renamed({ '1': (draft) => draft.renameStep('job', 'task') })
    const error = await refusal(async () => flow.resume(await oldSnapshot()))
    expect(error.path).toBe('context.executions[0].event')
    for (const part of ['"Job"', 'draft.renameEvent']) expect(error.message).toContain(part)
    await turns()
    expect(log).toEqual([])
  })
})

test('a snapshot without a version is resumed by a workflow without one', async () => {
  const build = () =>
    workflow('none', { external: Job, idle: 'wait' })
      .step('begin', { accepts: StartEvent }, () => null)
      .step('job', { accepts: Job }, () => StopEvent({ result: 'done' }))
  const handler = build().run()
  await turns()
  const snapshot = asText(handler.snapshot())
  handler.abort()
  const resumed = build().resume(snapshot)
  await resumed.sendEvent(Job({ n: 1 }))
  expect(await resumed.result()).toBe('done')
})
