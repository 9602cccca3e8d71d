import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createMachine } from 'xstate'
import {
  computeEdges,
  computeFlowState,
  type Flow,
  requestType,
  responseType,
  startType,
  stopType,
  toFlowChart,
  toKey,
} from '../machines/index.ts'

const review: Flow = {
  name: 'review',
  steps: [
    { name: 'read', accepts: [startType, 'Again'], emits: [requestType, 'Noted'] },
    { name: 'decide', accepts: [responseType], emits: ['Again', stopType] },
    { name: 'note', accepts: ['Noted'], emits: undefined },
  ],
}

const inWords = (flow: Flow, seen: Parameters<typeof computeEdges>[1] = []) =>
  computeEdges(flow, seen).map(({ from, type, to, isDeclared }) => {
    const [one, other] = [from, to].map((place) => (typeof place === 'object' ? place.step : `(${place})`))
    return `${one} ${isDeclared ? '-' : '~'} ${type.replace('blazen::', '')} > ${other}`
  })

test('edges lead from the step that emits an event to the steps that accept it, and to a person and back', () => {
  expect(inWords(review)).toEqual([
    '(start) - StartEvent > read',
    'read - InputRequestEvent > (person)',
    'read - Noted > note',
    'decide - Again > read',
    'decide - StopEvent > (stop)',
    '(person) - InputResponseEvent > decide',
  ])
})

test('what a step was seen to emit is an edge that is not declared', () => {
  expect(inWords(review, [{ step: 'note', type: 'Again' }]).filter((edge) => edge.includes('~'))).toEqual([
    'note ~ Again > read',
  ])
})

test('what nobody emits comes from outside, or from a step that does not say', () => {
  const steps = [
    { name: 'begin', accepts: [startType], emits: [stopType] },
    { name: 'hear', accepts: ['Called'], emits: [] },
  ]
  expect(inWords({ name: 'called', steps })).toContain('(outside) - Called > hear')
  const silent = { name: 'mute', accepts: ['Called'], emits: undefined }
  expect(inWords({ name: 'called', steps: [...steps, silent] })).toContain('(outside) ~ Called > hear')
})

test('a chart lights the steps that run, and where the run stands', () => {
  const machine = createMachine(toFlowChart(review))
  const activity = new Map([['read', { running: 2, waiting: 1, settled: 4 }]])
  const state = computeFlowState(review, 'waiting', activity)
  expect(machine.resolveState(state).value).toEqual({
    read: 'running',
    decide: 'idle',
    note: 'idle',
    'the run': 'waiting',
  })
  expect(state.context.read).toEqual({ running: 2, waiting: 1, settled: 4 })
  expect(state.context.note).toEqual({ running: 0, waiting: 0, settled: 0 })
})

test('any names make a chart that XState takes, in which every state can be lit', () => {
  const awkward = fc.constantFrom(
    'end',
    'the run',
    'a.b',
    '#x',
    'x y',
    '"',
    '\\',
    'constructor',
    'valueOf',
    '1',
    '日本',
    'a\\.b',
  )
  const types = fc.uniqueArray(fc.oneof(awkward, fc.constantFrom(startType, stopType, requestType)), { maxLength: 4 })
  const step = fc.record({ name: fc.oneof(awkward, fc.string({ minLength: 1 })), accepts: types, emits: types })
  const flows = fc.record({
    name: fc.oneof(awkward, fc.string({ minLength: 1 })),
    steps: fc.uniqueArray(step, { minLength: 1, maxLength: 6, selector: ({ name }) => toKey(name) }),
  })
  fc.assert(
    fc.property(flows, (flow) => {
      fc.pre(flow.steps.every(({ name }) => name !== '__proto__'))
      const machine = createMachine(toFlowChart(flow))
      const activity = new Map(flow.steps.map(({ name }) => [name, { running: 1, waiting: 0, settled: 0 }]))
      const { value } = computeFlowState(flow, 'paused', activity)
      expect(machine.resolveState({ value }).value).toEqual(value)
      const reachable = Object.values(machine.states).flatMap(({ states }) => Object.values(states))
      expect(reachable.flatMap(({ transitions }) => [...transitions.values()]).flat()).toBeDefined()
    }),
  )
})
