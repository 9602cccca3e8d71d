import { defineEvent, InputRequestEvent, InputResponseEvent, StartEvent, StopEvent, workflow } from 'blazen-xstate'
import { toMermaid, toStateChart } from 'blazen-xstate/inspect'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createMachine } from 'xstate'
import { book, wordCounter } from '../examples/03-fan-out-fan-in.ts'

const Draft = defineEvent<{ text: string }>('Draft')
const Rejected = defineEvent('Rejected')

const review = workflow('review')
  .step('write', { accepts: [StartEvent, Rejected], emits: Draft }, () => Draft({ text: 'a letter' }))
  .step('ask', { accepts: Draft, emits: InputRequestEvent }, () => InputRequestEvent({ prompt: 'Is it fine?' }))
  .step('decide', { accepts: InputResponseEvent, emits: [Rejected, StopEvent] }, ({ response }) =>
    response === 'yes' ? StopEvent({ result: 'sent' }) : Rejected(),
  )

/** A line of a flowchart that Mermaid can read in one way only. */
const line =
  /^ {2}(\w+(\(\["[^"`]*"\]\)|\["[^"`]*"\]|\[\/"[^"`]*"\/\])|\w+ (-->|-\.->)\|"[^"`]*"\| \w+|classDef failed \S+|class \w+ failed)$/

describe('toMermaid', () => {
  test('draws steps, and events on the way between them, to a person, and to the end', () => {
    expect(toMermaid(review)).toBe(`flowchart TD
  at_start(["Start"])
  at_person[/"a person"/]
  at_stop(["Stop"])
  step1["write"]
  step2["ask"]
  step3["decide"]
  at_start -->|"StartEvent"| step1
  step1 -->|"Draft"| step2
  step2 -->|"InputRequestEvent"| at_person
  step3 -->|"Rejected"| step1
  step3 -->|"StopEvent"| at_stop
  at_person -->|"InputResponseEvent"| step3`)
  })

  test('draws of a run how often, and what was seen without being declared is dashed', async () => {
    const undeclared = workflow('undeclared')
      .step('write', { accepts: StartEvent }, () => [Draft({ text: 'a' }), Draft({ text: 'b' })])
      .step('end', { accepts: Draft }, (_event, ctx) => ctx.collect(Draft, 2) && StopEvent({ result: 2 }))
    const handler = undeclared.run(undefined, { history: true })
    await handler.result()
    const drawn = toMermaid(undeclared, { history: await handler.history(), direction: 'LR' })
    expect(drawn.replace(/\d+ ms/g, '0 ms')).toBe(`flowchart LR
  at_start(["Start"])
  at_stop(["Stop"])
  step1["write<br/>1 ×, 0 ms"]
  step2["end<br/>2 ×, 0 ms"]
  at_start -->|"StartEvent"| step1
  step1 -.->|"Draft × 2"| step2
  step2 -.->|"StopEvent × 1"| at_stop`)
  })

  test('marks the step that a run has failed of, what was tried again, and what was not reached', async () => {
    let tries = 0
    const shaky = workflow('shaky')
      .step('write', { accepts: StartEvent, emits: Draft, retry: { attempts: 2 } }, () => {
        if (tries++ === 0) throw new Error('not yet')
        return Draft({ text: '' })
      })
      .step('send', { accepts: Draft, emits: Rejected }, () => {
        throw new Error('no stamp')
      })
      .step('end', { accepts: Rejected, emits: StopEvent }, () => StopEvent({ result: 1 }))
    const handler = shaky.run(undefined, { history: true })
    await expect(handler.result()).rejects.toThrow('no stamp')
    const drawn = toMermaid(shaky, { history: await handler.history() })
    expect(drawn).toMatch(/step1\["write<br\/>1 ×, \d+ ms, 1 retried"\]/)
    expect(drawn).toContain('step2["send<br/>0 ×, 0 ms, failed"]')
    expect(drawn).toContain('step3["end<br/>not run"]')
    expect(drawn).toContain('  class step2 failed')
  })

  test('takes a machine, or the actor of a run, for the workflow', async () => {
    const handler = wordCounter.run({ book })
    expect(toMermaid(handler.actor)).toBe(toMermaid(wordCounter))
    expect(toMermaid(wordCounter.machine)).toBe(toMermaid(wordCounter))
    await handler.result()
    expect(() => toMermaid({})).toThrow('A diagram is drawn of a workflow')
  })

  test('writes any name so that Mermaid reads it as a name', () => {
    const names = fc.oneof(
      fc.constantFrom('end', 'a "b"', 'x]', '`', '1. one', '- two', '<b>', '#35;', '%%', 'a\nb'),
      fc.string(),
    )
    fc.assert(
      fc.property(names, names, (name, type) => {
        fc.pre(name !== '' && name !== '__proto__' && !/^(blazen|xstate\.)|\*/.test(type))
        const Named = defineEvent(`E${type}`)
        const flow = workflow('named')
          .step(name, { accepts: StartEvent, emits: Named }, () => Named())
          .step(`${name}2`, { accepts: Named, emits: StopEvent }, () => StopEvent({ result: 1 }))
        const [first, ...lines] = toMermaid(flow).split('\n')
        expect(first).toBe('flowchart TD')
        expect(lines.filter((each) => !line.test(each))).toEqual([])
      }),
    )
  })
})

describe('toStateChart', () => {
  test('is JSON data that XState takes, in which events lead from step to step', () => {
    const chart = toStateChart(review)
    expect(JSON.parse(JSON.stringify(chart))).toEqual(chart)
    const machine = createMachine(chart)
    const next = (state: string, type: string) =>
      machine.states[state]?.transitions.get(type)?.flatMap(({ target }) => target?.map(({ key }) => key))
    expect(chart.initial).toBe('Start')
    expect(next('Start', 'blazen::StartEvent')).toEqual(['write'])
    expect(next('ask', 'blazen::InputRequestEvent')).toEqual(['Person'])
    expect(next('Person', 'blazen::InputResponseEvent')).toEqual(['decide'])
    expect(next('decide', 'Rejected')).toEqual(['write'])
    expect(next('decide', 'blazen::StopEvent')).toEqual(['Stop'])
    expect(machine.states.Stop?.type).toBe('final')
  })

  test('keeps apart a step that is called like what is around the steps', () => {
    const Called = defineEvent('Called')
    const Value = defineEvent('valueOf')
    const odd = workflow('odd', { external: Called })
      .step('Start', { accepts: StartEvent, emits: Draft }, () => Draft({ text: '' }))
      .step('a.b', { accepts: [Draft, Called], emits: [StopEvent, Value] }, () => StopEvent({ result: 1 }))
      .step('c', { accepts: Value, emits: [] }, () => {})
    const chart = toStateChart(odd)
    const machine = createMachine(chart)
    expect(chart.initial).toBe("Start'")
    const [called] = machine.root.transitions.get('Called') ?? []
    expect(called?.target?.map(({ key }) => key)).toEqual(['a·b'])
  })
})
