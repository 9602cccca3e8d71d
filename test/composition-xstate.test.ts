import {
  InputRequestEvent,
  InputResponseEvent,
  pipeline,
  StartEvent,
  StopEvent,
  typeOnly,
  workflow,
} from 'blazen-xstate'
import { toMermaid, toStateChart } from 'blazen-xstate/inspect'
import { expect, test } from 'vitest'
import { assign, createActor, setup, toPromise, waitFor } from 'xstate'
import { WorkflowHandler } from '../src/handler.ts'

const numbers = { input: typeOnly<{ value: number }>() }
const add = workflow('add', numbers).step('work', { accepts: StartEvent, emits: StopEvent }, ({ value }) =>
  StopEvent({ result: { value: value + 1 } }),
)
const asker = workflow('asker', numbers)
  .step('ask', { accepts: StartEvent, emits: InputRequestEvent }, () =>
    InputRequestEvent({ requestId: 'q', prompt: 'Go on?' }),
  )
  .step('hear', { accepts: InputResponseEvent, emits: StopEvent }, ({ response }) =>
    StopEvent({ result: { value: Number(response) } }),
  )
const flow = pipeline('flow', numbers)
  .stage('first', add)
  .parallel('fan', { left: add, right: asker })
  .loop('grow', add, { max: 3, input: ({ last }) => ('value' in last ? last : last.right) })

test("a pipeline's machine runs inside a machine of your own", async () => {
  const simple = pipeline('simple', numbers).stage('one', add).loop('grow', add, { max: 3 })
  const machine = setup({
    types: { context: {} as { value: number } },
    actors: { simple: simple.machine },
  }).createMachine({
    context: { value: 0 },
    initial: 'working',
    states: {
      working: {
        invoke: {
          src: 'simple',
          input: { value: 5 },
          onDone: {
            target: 'done',
            actions: assign(({ event }) => ({ value: (event.output as { value: number }).value })),
          },
        },
      },
      done: { type: 'final' },
    },
    output: ({ context }) => context.value,
  })
  expect(await toPromise(createActor(machine).start())).toBe(9)
})

test('a persisted snapshot of a pipeline goes on in createActor, inside its stages', async () => {
  const actor = createActor(flow.machine, { input: { value: 1 } }).start()
  await waitFor(actor, ({ value }) => value === 'waiting')
  const snapshot = JSON.parse(JSON.stringify(actor.getPersistedSnapshot()))
  actor.stop()
  const again = createActor(flow.machine, { input: { value: 1 }, snapshot })
  const result = toPromise(again)
  again.start()
  const handler = new WorkflowHandler(again)
  await handler.respondToInput(handler.pendingInputs[0]?.requestId ?? '', 10)
  expect(await result).toEqual({ value: 13 })
})

test('an inspector sees the runs inside as actors', async () => {
  const actors: string[] = []
  const simple = pipeline('simple', numbers).stage('one', add).stage('two', add)
  const actor = createActor(simple.machine, {
    input: { value: 1 },
    inspect: (event) => {
      if (event.type === '@xstate.actor') actors.push(String((event.actorRef as { logic?: { id?: string } }).logic?.id))
    },
  })
  await toPromise(actor.start())
  expect(actors.filter((id) => id === 'add')).toHaveLength(2)
})

test('its stages are drawn', () => {
  const text = toMermaid(flow)
  for (const part of ['"first"', '"fan"', '"grow"', 'Start', 'Stop']) expect(text).toContain(part)
  expect(text).not.toContain('-.->')
  expect(JSON.stringify(toStateChart(flow))).toMatch(/first.*fan.*grow/s)
})
