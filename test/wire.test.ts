import { beforeAll, describe, expect, test } from 'vitest'
import { checkTypes } from './type-check.ts'

const prelude = `
import { defineEvent, InputRequestEvent, StartEvent, StopEvent, step, typeOnly, workflow } from 'blazen-xstate'
const Greet = defineEvent('Greet', typeOnly<{ name: string }>())
const Count = defineEvent('Count', typeOnly<{ n: number }>())
const greet = step({ accepts: StartEvent, emits: Greet }, () => Greet({ name: 'Zach' }))
`

/** Each with what the compiler's text has to hold. */
const cases = {
  'a returned event that nobody accepts': {
    source: "workflow('w').step('begin', { accepts: StartEvent }, () => Greet({ name: '' })).run()",
    text: 'Step "begin" emits "Greet", which no step accepts. Add a step that accepts it.',
  },
  'the same where run has an input': {
    source:
      "workflow('w', { input: typeOnly<{ n: number }>() }).step('begin', { accepts: StartEvent }, () => Greet({ name: '' })).run({ n: 1 })",
    text: 'Step "begin" emits "Greet", which no step accepts. Add a step that accepts it.',
  },
  'the same where run has options too': {
    source:
      "workflow('w').step('begin', { accepts: StartEvent }, async () => [Greet({ name: '' })]).run(undefined, { timeout: '5s' })",
    text: 'Step "begin" emits "Greet", which no step accepts. Add a step that accepts it.',
  },
  'a declared event that nobody accepts': {
    source: "workflow('w').step('begin', { accepts: StartEvent, emits: [Count, StopEvent] }, () => null).run()",
    text: 'Step "begin" emits "Count", which no step accepts. Add a step that accepts it.',
  },
  'a step out of an array': {
    source: "workflow('w').steps([['first', greet]]).run()",
    text: 'Step "first" emits "Greet", which no step accepts. Add a step that accepts it.',
  },
  'an accepted event that nobody emits': {
    source: "workflow('w').step('end', { accepts: [StartEvent, Count], emits: StopEvent }, () => StopEvent()).run()",
    text: 'Step "end" accepts "Count", which no step emits. Have a step emit it, or name it in the workflow\'s external.',
  },
  'a question without anyone to take the answer': {
    source: "workflow('w').step('ask', { accepts: StartEvent }, () => InputRequestEvent({ prompt: 'Go on?' })).run()",
    text: 'Step "ask" emits InputRequestEvent, and no step accepts InputResponseEvent. Add a step that takes the answer.',
  },
  'a step that accepts what reaches none': {
    source: "workflow('w').step('end', { accepts: [StartEvent, StopEvent] }, () => null).run()",
    text: 'Step "end" accepts "blazen::StopEvent", which reaches no step.',
  },
  'a misspelt type of a plain object': {
    source:
      "workflow('w').step('begin', { accepts: StartEvent }, () => ({ type: 'Gret', name: '' })).step('greet', { accepts: Greet }, () => StopEvent()).run()",
    text: 'Step "begin" emits "Gret", which no step accepts. Add a step that accepts it.',
  },
  'a number that is returned': {
    source: "workflow('w').step('begin', { accepts: StartEvent }, () => 5)",
    text: "Type 'number' is not assignable to type 'StepReturn<",
  },
  'an object without a type that is returned': {
    source: "workflow('w').step('begin', { accepts: StartEvent }, () => ({ name: '' }))",
    text: "is not assignable to type 'StepReturn<",
  },
  'a step that asks for another state': {
    source:
      "workflow('w', { state: typeOnly<{ count: number }>() }).step('count', step({ accepts: StartEvent }, (_event, ctx: import('blazen-xstate').StepContext<{ count: string }>) => void ctx))",
    text: 'The function of this step takes another ctx.state than this workflow declares.',
  },
  'a step that asks for another event': {
    source:
      "workflow('w', { input: typeOnly<{ n: number }>() }).step('begin', step({ accepts: StartEvent }, (event: { type: 'blazen::StartEvent'; n: string }) => void event))",
    text: 'The function of this step takes another event than what it accepts is in this workflow.',
  },
}

const sound = `workflow('w').step('greet', greet).step('end', { accepts: Greet, emits: StopEvent }, () => StopEvent()).run()`

describe('the compiler names the event and the step', () => {
  let said: string[][]
  beforeAll(() => {
    said = checkTypes([sound, ...Object.values(cases).map(({ source }) => source)].map((source) => prelude + source))
  }, 60_000)

  test('and says nothing where all is well', () => {
    expect(said[0]).toEqual([])
  })

  test.each(Object.entries(cases).map(([name, { text }], index) => [name, text, index + 1] as const))(
    'for %s',
    (_name, text, index) => {
      expect(said[index]).toHaveLength(1)
      // The compiler writes the sentence as a string literal type, in single or in escaped double quotes.
      expect(said[index]?.[0]?.replaceAll('\\', '')).toContain(text)
    },
  )
})
