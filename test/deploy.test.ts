import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type AnyWorkflow,
  createHost,
  defineEvent,
  type Host,
  InputRequestEvent,
  InputResponseEvent,
  SnapshotError,
  StartEvent,
  StopEvent,
  type Store,
  workflow,
} from 'blazen-xstate'
import { expect, onTestFinished, test } from 'vitest'
import { sqliteStore } from '../src/sqlite/index.ts'
import { rejection } from './waiting.ts'

const Job = defineEvent<{ n: number }>('Job')
const Task = defineEvent<{ n: number }>('Task')
const Done = defineEvent<{ n: number }>('Done')

async function until(holds: () => unknown): Promise<void> {
  for (let tries = 0; !(await holds()); tries++) {
    if (tries > 4_000) throw new Error('It did not come to pass.')
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}

/** A file, and processes on it that can be killed: from then on, nothing of them reaches it. */
function createMachine() {
  const path = join(mkdtempSync(join(tmpdir(), 'deploy-')), 'runs.db')
  const file = sqliteStore(path)
  onTestFinished(() => file.close())
  const boot = (...workflows: AnyWorkflow[]) => {
    let isDead = false
    const errors: unknown[] = []
    const store = new Proxy(file, {
      get: (target, method) => {
        const value: unknown = Reflect.get(target, method)
        if (typeof value !== 'function') return value
        if (method === 'watch') return () => ({ unsubscribe: () => {} })
        return (...args: unknown[]) => (isDead ? new Promise(() => {}) : Reflect.apply(value, target, args))
      },
    }) as Store
    const host: Host = createHost({
      ...{ store, workflows, leaseMs: 200, pollMs: 5, graceMs: 0, onStoreError: (error) => errors.push(error) },
    })
    const kill = () => {
      isDead = true
      void host.close()
    }
    onTestFinished(kill)
    return { host, errors, kill }
  }
  return { file, boot }
}

/** Splits into three jobs, of which the second and third hang where they were first run; the sum of all is the result. */
function summing(name: string, options: { hangs?: boolean; extra?: boolean; version?: string } = {}) {
  const { hangs = false, extra = false, version } = options
  const base = workflow(name, version === undefined ? {} : { version })
  const flow = extra ? base.step('audit', { accepts: Job }, (event, ctx) => ctx.set(`audited ${event.n}`, true)) : base
  return flow
    .step('split', { accepts: StartEvent, emits: Job }, () => [1, 2, 3].map((n) => Job({ n })))
    .step('work', { accepts: Job, emits: Done }, async ({ n }, ctx) => {
      if (hangs && n > 1) await new Promise(() => {})
      ctx.set(`done ${n}`, true)
      return Done({ n: n * 10 })
    })
    .step('join', { accepts: Done, emits: StopEvent }, (_, ctx) => {
      const all = ctx.collect(Done, 3)
      return all && StopEvent({ result: [all.reduce((sum, { n }) => sum + n, 0), [...ctx.state.keys()].sort()] })
    })
}

/** Starts a run, and kills its process when it has so many records. */
async function killAt(
  machine: ReturnType<typeof createMachine>,
  flow: AnyWorkflow,
  seq: number,
  input?: unknown,
): Promise<string> {
  const { host, kill } = machine.boot(flow)
  const { runId } = await host.run(flow, input as never)
  await until(async () => ((await machine.file.info(runId))?.seq ?? 0) >= seq)
  kill()
  return runId
}

const resultOf = async (host: Host, runId: string) => (await host.get(runId))?.result()
const kindsOf = async (host: Host, runId: string) => (await host.history(runId)).map(({ kind }) => kind)

test('a step is added: runs that were killed go on, and what was routed before is not routed to it', async () => {
  const machine = createMachine()
  const runId = await killAt(machine, summing('sum', { hangs: true }), 4)
  const { host, errors } = machine.boot(summing('sum', { extra: true }))
  expect(await resultOf(host, runId)).toEqual([60, ['done 1', 'done 2', 'done 3']])
  expect(errors).toEqual([])
  expect(await kindsOf(host, runId)).toEqual([
    ...['started', 'settled', 'settled', 'settled', 'migrated', 'settled', 'settled', 'settled', 'settled'],
    'completed',
  ])
})

test('the run goes on from its own routes after the change as well, however often it is deployed', async () => {
  const machine = createMachine()
  const chain = (names: string[], hangs: string) => {
    let flow: AnyWorkflow = workflow('chain')
    for (const name of names) {
      const accepts = name === 'a' ? StartEvent : defineEvent<object>(name)
      flow = flow.step(`step ${name}`, { accepts }, async (_, ctx) => {
        if (name === hangs) await new Promise(() => {})
        const path = `${ctx.get('path', '')}${name}`
        ctx.set('path', path)
        const next = names[names.indexOf(name) + 1]
        return (next === undefined ? StopEvent({ result: path }) : { type: next }) as never
      })
    }
    return flow
  }
  const runId = await killAt(machine, chain(['a', 'b', 'c', 'd'], 'c'), 3)
  // The step `b` is settled and gone; before `c` there is another one, so that names and numbers of steps shift.
  const second = machine.boot(chain(['a', 'x', 'c', 'd', 'e'], 'd'))
  await until(async () => (await machine.file.info(runId))?.seq === 5)
  second.kill()
  const third = machine.boot(chain(['a', 'x', 'y', 'd', 'f'], ''))
  expect(await resultOf(third.host, runId)).toBe('abcdf')
  expect(await kindsOf(third.host, runId)).toEqual([
    ...['started', 'settled', 'settled', 'migrated', 'settled', 'migrated', 'settled', 'settled', 'completed'],
  ])
  // Forks of what each of the three had done.
  const results: unknown[] = []
  const forkAt = async (at: number) => (await third.host.fork(runId, { at })).result()
  for (const at of [1, 2, 4, 5, 6, 7, 9]) results.push(await forkAt(at).catch(String))
  expect(results).toEqual([
    'axydf',
    // What comes next there is a step that is gone.
    expect.stringMatching(/"step b" under way/),
    expect.stringMatching(/"step c" under way/),
    'abcdf',
    'abcdf',
    'abcdf',
    'abcdf',
  ])
})

test('a step is removed that has nothing open', async () => {
  const machine = createMachine()
  const runId = await killAt(machine, summing('sum', { hangs: true, extra: true }), 7)
  const { host } = machine.boot(summing('sum'))
  const [sum] = (await resultOf(host, runId)) as [number]
  expect(sum).toBe(60)
})

test('other steps accept what is on its way: what was opened stays, what comes is routed anew', async () => {
  const machine = createMachine()
  const flow = (isOld: boolean) =>
    workflow('accepts')
      .step('begin', { accepts: StartEvent, emits: [Job, Task] }, () => [Job({ n: 1 }), Task({ n: 2 })])
      .step('one', { accepts: isOld ? [Job, Task] : Job, emits: Done }, async (event) => {
        if (isOld) await new Promise(() => {})
        return Done({ n: event.n })
      })
      .step('two', { accepts: isOld ? Done : [Task, Done], emits: StopEvent }, (event, ctx) => {
        ctx.state.update('seen', (seen: string[] = []) => [...seen, `${event.type} ${event.n}`])
        const seen = ctx.get<string[]>('seen', [])
        return seen.length === 2 ? StopEvent({ result: [...seen].sort() }) : null
      })
  const runId = await killAt(machine, flow(true), 2)
  const { host } = machine.boot(flow(false))
  expect(await resultOf(host, runId)).toEqual(['Done 1', 'Done 2'])
})

test('another version goes through its migration: a step and its events are renamed in mid-run', async () => {
  const machine = createMachine()
  const runId = await killAt(machine, summing('sum', { hangs: true, version: '1' }), 4)
  const renamed = workflow('sum', {
    version: '2',
    migrate: {
      '1': (draft) => {
        draft.renameStep('work', 'toil')
        draft.renameEvent('Job', 'Task')
        draft.state.set('done 1', 'migrated')
      },
    },
  })
    .step('split', { accepts: StartEvent, emits: Task }, () => Task({ n: 0 }))
    .step('toil', { accepts: Task, emits: Done }, (event) => Done({ n: event.n }))
    .step('join', { accepts: Done, emits: StopEvent }, (_, ctx) => {
      const all = ctx.collect(Done, 3)
      return all && StopEvent({ result: [all.map(({ n }) => n), ctx.get('done 1')] })
    })
  const { host } = machine.boot(renamed)
  expect(await resultOf(host, runId)).toEqual([[10, 2, 3], 'migrated'])
  const history = await host.history(runId)
  expect(history.find(({ kind }) => kind === 'migrated')).toEqual({
    ...{ seq: 5, at: expect.any(Number), kind: 'migrated', version: '2' },
  })
  // What has ended needs no migration to be read.
  await until(async () => (await machine.file.info(runId))?.status === 'completed')
  const { host: later } = machine.boot(summing('sum', { version: '7' }))
  expect(await resultOf(later, runId)).toEqual([[10, 2, 3], 'migrated'])
})

test('a run whose open step is gone is refused and says so, and the others go on', async () => {
  const machine = createMachine()
  const old = summing('sum', { hangs: true })
  const stuck = await killAt(machine, old, 4)
  const fine = await killAt(machine, summing('other', { hangs: true }), 4)
  const without = workflow('sum')
    .step('split', { accepts: StartEvent, emits: Done }, () => Done({ n: 1 }))
    .step('join', { accepts: Done, emits: StopEvent }, () => StopEvent())
  const { host, errors } = machine.boot(without, summing('other'))
  expect(await resultOf(host, fine)).toMatchObject([60, {}])
  await until(() => errors.length > 0)
  expect(errors[0]).toBeInstanceOf(SnapshotError)
  expect(String(errors[0])).toMatch(/step "work" under way.*workflow "sum" does not have.*"split", "join"/)
  expect((await machine.file.info(stuck))?.seq).toBe(4)
})

test('a version without a migration is refused, and goes on with one', async () => {
  const machine = createMachine()
  const runId = await killAt(machine, summing('sum', { hangs: true, version: '1' }), 4)
  const bare = machine.boot(summing('sum', { version: '2' }))
  await until(() => bare.errors.length > 0)
  expect(String(bare.errors[0])).toMatch(/version "1".*at version "2".*no migration/)
  bare.kill()
  const { host } = machine.boot(summing('sum', { version: '1' }))
  expect(await resultOf(host, runId)).toMatchObject([60, {}])
})

test('a run that waits for a person is asked again by a workflow that has changed', async () => {
  const machine = createMachine()
  const asks = (more: boolean) => {
    const flow = workflow('asks')
      .step('ask', { accepts: StartEvent, emits: InputRequestEvent }, (_, ctx) => {
        ctx.set('sets', new Set([1n]))
        return InputRequestEvent({ requestId: 'q', prompt: '?' })
      })
      .step('answer', { accepts: InputResponseEvent, emits: StopEvent }, (event, ctx) =>
        StopEvent({ result: [event.response, ctx.get('sets'), ctx.get('noted', false)] }),
      )
    return more ? flow.step('note', { accepts: InputResponseEvent }, (_, ctx) => ctx.set('noted', true)) : flow
  }
  const runId = await killAt(machine, asks(false), 3)
  const { host } = machine.boot(asks(true))
  await until(async () => ((await machine.file.info(runId))?.seq ?? 0) >= 4)
  await host.respondToInput(runId, 'q', 'yes')
  expect(await resultOf(host, runId)).toEqual(['yes', new Set([1n]), false])
})

test('records of before there were routes in bases are refused at the first step that is another', async () => {
  const machine = createMachine()
  const old = summing('sum', { hangs: true })
  const { host: first, kill } = machine.boot(old)
  const { runId } = await first.run(old)
  await until(async () => (await machine.file.info(runId))?.seq === 4)
  kill()
  const records = (await machine.file.records(runId)).map((record) => {
    const { routes: _, ...body } = JSON.parse(record.body)
    return { ...record, body: JSON.stringify(body) }
  })
  await machine.file.delete(runId)
  const owner = { id: 'nobody', epoch: 1, leaseMs: 1 }
  const run = { runId, workflow: 'sum', version: null, idempotencyKey: null, status: 'running', records }
  await machine.file.create(run, owner)
  const { host, errors, kill: end } = machine.boot(summing('sum', { extra: true }))
  await until(() => errors.length > 0)
  expect(String(errors[0])).toMatch(/is of step "work".*has routed its event to step "audit"/)
  expect(await rejection(host.fork(runId, { at: 4 }))).toBeInstanceOf(SnapshotError)
  end()
  const { host: same } = machine.boot(summing('sum'))
  expect(await resultOf(same, runId)).toMatchObject([60, {}])
})
