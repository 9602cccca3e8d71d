import { type } from 'arktype'
import {
  type AnyEvent,
  type AnyEventType,
  type AnyWorkflow,
  defineEvent,
  type EventOf,
  InputRequestEvent,
  InputResponseEvent,
  StartEvent,
  type Step,
  type StepContext,
  StopEvent,
  step,
  typeOnly,
  type Workflow,
  workflow,
} from 'blazen-xstate'
import * as v from 'valibot'
import { describe, expectTypeOf, test } from 'vitest'
import { z } from 'zod'

const Greet = defineEvent('Greet', z.object({ name: z.string() }))
const Count = defineEvent('Count', typeOnly<{ n: number }>())
const Loose = defineEvent<{ text: string }>('Loose')
const Empty = defineEvent('Empty')

type ResultOf<W> =
  W extends Workflow<infer _Input, infer _Start, infer Result, infer _State, infer _Wires> ? Result : never

describe('an event', () => {
  const Article = defineEvent(
    'Article',
    z.object({
      title: z.string(),
      tags: z.array(z.string()).default([]),
      published: z.string().transform((text) => new Date(text)),
    }),
  )

  test('holds what its schema gives, and is made from what its schema takes', () => {
    expectTypeOf(Article).parameters.toEqualTypeOf<
      [data: { title: string; tags?: string[] | undefined; published: string }]
    >()
    const article = Article({ title: 'On types', published: '2024-01-01' })
    expectTypeOf(article.type).toEqualTypeOf<'Article'>()
    expectTypeOf(article.tags).toEqualTypeOf<string[]>()
    expectTypeOf(article.published).toEqualTypeOf<Date>()
  })

  test('is inferred from any Standard Schema', () => {
    const Valibot = defineEvent('V', v.object({ n: v.optional(v.number(), 1) }))
    expectTypeOf(Valibot({})).toExtend<{ type: 'V'; n: number }>()
    const ArkType = defineEvent('A', type({ n: 'string.numeric.parse' }))
    expectTypeOf(ArkType({ n: '1' })).toExtend<{ type: 'A'; n: number }>()
  })

  test('needs no data where none is required', () => {
    const Defaults = defineEvent('Defaults', z.object({ n: z.number().default(1) }))
    expectTypeOf(Defaults().n).toEqualTypeOf<number>()
    expectTypeOf(Empty().type).toEqualTypeOf<'Empty'>()
    // @ts-expect-error `name` has no default
    Greet()
  })

  test('may have a type and no schema', () => {
    expectTypeOf(Loose({ text: 'hi' }).text).toEqualTypeOf<string>()
    expectTypeOf(Loose({ text: 'hi' }).type).toEqualTypeOf<string>()
    expectTypeOf(Count({ n: 1 }).type).toEqualTypeOf<'Count'>()
    expectTypeOf(Count({ n: 1 }).n).toEqualTypeOf<number>()
  })

  test('cannot be made from other data', () => {
    // @ts-expect-error a number is no name
    Greet({ name: 1 })
    // @ts-expect-error there is no `nam`
    Greet({ nam: 'Zach' })
    // @ts-expect-error there is nothing but `name`
    Greet({ name: 'Zach', age: 5 })
    // @ts-expect-error a number is no text
    Loose({ text: 1 })
    // @ts-expect-error `n` is missing
    Count({})
    // @ts-expect-error an event is not changed
    Count({ n: 1 }).n = 2
    // @ts-expect-error a schema gives an object: its fields stand on the event
    defineEvent('Text', z.string())
  })

  test('is recognised by its type', () => {
    const event: unknown = Greet({ name: 'Zach' })
    if (Greet.is(event)) expectTypeOf(event.name).toEqualTypeOf<string>()
    expectTypeOf<EventOf<typeof Greet | typeof Count>>().toExtend<{ type: 'Greet' | 'Count' }>()
    expectTypeOf<EventOf<AnyEventType>>().toEqualTypeOf<AnyEvent>()
  })

  test('of the engine is typed as any other', () => {
    expectTypeOf(StopEvent().result).toEqualTypeOf<undefined>()
    expectTypeOf(StopEvent({ result: 'done' }).result).toEqualTypeOf<string>()
    expectTypeOf(InputRequestEvent({ prompt: 'Go on?' }).requestId).toEqualTypeOf<string>()
    expectTypeOf(InputResponseEvent({ requestId: '1', response: true }).response).toEqualTypeOf<boolean>()
    // @ts-expect-error there is no question without a prompt
    InputRequestEvent({})
    // @ts-expect-error the engine makes it
    StartEvent({})
  })
})

describe('the event that a step gets', () => {
  test('is of the type that the step accepts', () => {
    workflow('one').step('greet', { accepts: Greet }, (event) => {
      expectTypeOf(event.type).toEqualTypeOf<'Greet'>()
      expectTypeOf(event.name).toEqualTypeOf<string>()
    })
    workflow('loose').step('read', { accepts: Loose }, (event) => {
      expectTypeOf(event.text).toEqualTypeOf<string>()
    })
  })

  test('is one of the types that the step accepts, told apart by `type`', () => {
    workflow('several').step('either', { accepts: [Greet, Count, StartEvent] }, (event) => {
      expectTypeOf(event.type).toEqualTypeOf<'Greet' | 'Count' | 'blazen::StartEvent'>()
      if (event.type === 'Greet') expectTypeOf(event.name).toEqualTypeOf<string>()
      if (Count.is(event)) expectTypeOf(event.n).toEqualTypeOf<number>()
    })
  })

  test('is some event where the type is known only when the program runs', () => {
    const types: AnyEventType[] = [Greet, Count]
    workflow('unknown').step('any', { accepts: types }, (event) => {
      expectTypeOf(event).toEqualTypeOf<AnyEvent>()
    })
  })

  test('is the same in a step that is defined apart', () => {
    step({ accepts: Greet }, (event, ctx) => {
      expectTypeOf(event.name).toEqualTypeOf<string>()
      expectTypeOf(ctx).toEqualTypeOf<StepContext>()
    })
    step({ accepts: [Greet, Count] }, (event) => {
      expectTypeOf(event.type).toEqualTypeOf<'Greet' | 'Count'>()
    })
  })

  test('has no fields that its schema does not give', () => {
    // @ts-expect-error a Greet has no `n`
    workflow('wrong').step('greet', { accepts: Greet }, (event) => Count({ n: event.n }))
  })
})

describe('the StartEvent', () => {
  test('has the fields of an object input, as its schema gives them', () => {
    workflow('fields', { input: z.object({ name: z.string().default('World'), at: z.coerce.date() }) }).step(
      'begin',
      { accepts: StartEvent },
      (event) => {
        expectTypeOf(event.name).toEqualTypeOf<string>()
        expectTypeOf(event.at).toEqualTypeOf<Date>()
        // @ts-expect-error there is no `nam`
        event.nam
      },
    )
  })

  test('has any other input as `input`', () => {
    workflow('text', { input: z.string() }).step('begin', { accepts: StartEvent }, (event) => {
      expectTypeOf(event.input).toEqualTypeOf<string>()
    })
    workflow('list', { input: z.array(z.number()) }).step('begin', { accepts: StartEvent }, (event) => {
      expectTypeOf(event.input).toEqualTypeOf<number[]>()
    })
    workflow('date', { input: z.date() }).step('begin', { accepts: StartEvent }, (event) => {
      expectTypeOf(event.input).toEqualTypeOf<Date>()
    })
    workflow('map', { input: typeOnly<Map<string, number>>() }).step('begin', { accepts: StartEvent }, (event) => {
      expectTypeOf(event.input).toEqualTypeOf<Map<string, number>>()
    })
  })

  test('may hold anything where the workflow declares no input', () => {
    workflow('open').step('begin', { accepts: StartEvent }, (event) => {
      expectTypeOf(event.name).toEqualTypeOf<unknown>()
      expectTypeOf(event.input).toEqualTypeOf<unknown>()
    })
  })
})

describe('the arguments of run', () => {
  const begin = step({ accepts: StartEvent }, () => StopEvent())

  test('begin with the input, as its schema takes it', () => {
    const flow = workflow('required', { input: z.object({ name: z.string(), n: z.number().default(1) }) })
    const done = flow.step('begin', begin)
    done.run({ name: 'Zach' })
    done.run({ name: 'Zach', n: 2 }, { timeout: '5s', runId: 'r' })
    // @ts-expect-error `name` has no default, so there must be an input
    done.run()
    // @ts-expect-error `name` is missing
    done.run({})
    // @ts-expect-error a number is no name
    done.run({ name: 1 })
    // @ts-expect-error there is no `nam`
    done.run({ name: 'Zach', nam: 1 })
    // @ts-expect-error a duration has a unit
    done.run({ name: 'Zach' }, { timeout: '5' })
  })

  test('may be left out where all of the input has a default', () => {
    const flow = workflow('optional', { input: z.object({ n: z.number().default(1) }) }).step('begin', begin)
    flow.run()
    flow.run({})
    flow.run(undefined, { timeout: 5 })
    flow.run({ n: 2 })
    // @ts-expect-error a text is no number
    flow.run({ n: '2' })
    const text = workflow('text', { input: z.string().default('x') }).step('begin', begin)
    text.run()
    text.run(undefined, { timeout: 5 })
  })

  test('may be anything where the workflow declares no input', () => {
    const flow = workflow('open').step('begin', begin)
    flow.run()
    flow.run('text')
    flow.run({ any: 'thing' }, { signal: AbortSignal.timeout(1) })
  })

  test('take an input that is no object', () => {
    const flow = workflow('text', { input: z.string() }).step('begin', begin)
    flow.run('text')
    // @ts-expect-error a number is no text
    flow.run(1)
    // @ts-expect-error a text is required
    flow.run()
  })
})

describe('the result', () => {
  test('is what the StopEvents of all steps hold', () => {
    const flow = workflow('several')
      .step('text', { accepts: StartEvent }, () => StopEvent({ result: 'done' }))
      .step('number', { accepts: Greet }, async () => StopEvent({ result: 1 }))
      .step('maybe', { accepts: Count }, (event) => (event.n > 1 ? StopEvent({ result: true }) : null))
      .step('list', { accepts: Empty }, (event) => [event, StopEvent({ result: new Date() })])
    expectTypeOf(flow.run().result()).toEqualTypeOf<Promise<string | number | boolean | Date>>()
  })

  test('is undefined for a StopEvent without one', () => {
    const flow = workflow('bare').step('end', { accepts: StartEvent }, () => StopEvent())
    expectTypeOf(flow.run().result()).toEqualTypeOf<Promise<undefined>>()
  })

  test('is never where no step returns a StopEvent', () => {
    const flow = workflow('endless').step('nothing', { accepts: StartEvent }, () => null)
    expectTypeOf(flow.run().result()).toEqualTypeOf<Promise<never>>()
    const silent = workflow('silent').step('nothing', { accepts: StartEvent }, async () => {})
    expectTypeOf(silent.run().result()).toEqualTypeOf<Promise<never>>()
  })

  test('is never in the way of the results of other steps', () => {
    const flow = workflow('mixed')
      .step('side', { accepts: StartEvent }, () => undefined)
      .step('loose', { accepts: StartEvent }, () => Loose({ text: '' }))
      .step('throws', { accepts: Loose }, () => {
        throw new Error('no')
      })
      .step('end', { accepts: StartEvent }, () => StopEvent({ result: 1 }))
    expectTypeOf(flow.run().result()).toEqualTypeOf<Promise<number>>()
  })

  test('is unknown where the compiler cannot see the events', () => {
    const some = workflow('some').step('any', { accepts: StartEvent }, () => Empty() as AnyEvent)
    expectTypeOf(some.run().result()).toEqualTypeOf<Promise<unknown>>()
    const parsed = workflow('parsed').step('any', { accepts: StartEvent }, () => JSON.parse('null'))
    expectTypeOf(parsed.run().result()).toEqualTypeOf<Promise<unknown>>()
    const sent = workflow('sent').step('send', { accepts: StartEvent, emits: StopEvent }, (_event, ctx) =>
      ctx.sendEvent(StopEvent({ result: 1 })),
    )
    expectTypeOf(sent.run().result()).toEqualTypeOf<Promise<unknown>>()
  })

  test('keeps its class', () => {
    class Connection {
      readonly #open = true
      get open() {
        return this.#open
      }
    }
    const flow = workflow('live').step('end', { accepts: StartEvent }, () => StopEvent({ result: new Connection() }))
    expectTypeOf(flow.run().result()).toEqualTypeOf<Promise<Connection>>()
  })

  test('is the output of the machine too', () => {
    const flow = workflow('m', { input: z.number() }).step('end', { accepts: StartEvent }, ({ input }) =>
      StopEvent({ result: String(input) }),
    )
    type Output = NonNullable<Parameters<typeof flow.machine.getPersistedSnapshot>[0]['output']>
    expectTypeOf<Output>().toEqualTypeOf<string>()
  })
})

describe('ctx', () => {
  const counter = workflow('counter', { state: z.object({ count: z.number(), name: z.string().optional() }) })

  test('has the state that the workflow declares, by property and by get and set', () => {
    counter.step('begin', { accepts: StartEvent }, (_event, ctx) => {
      expectTypeOf(ctx.state.count).toEqualTypeOf<number>()
      expectTypeOf(ctx.state.name).toEqualTypeOf<string | undefined>()
      expectTypeOf(ctx.state.get('count')).toEqualTypeOf<number | undefined>()
      expectTypeOf(ctx.state.get('count', 0)).toEqualTypeOf<number>()
      expectTypeOf(ctx.get('count')).toEqualTypeOf<number | undefined>()
      expectTypeOf(ctx.get('count', 0)).toEqualTypeOf<number>()
      ctx.state.count += 1
      ctx.state.set('count', 1)
      ctx.set('count', 1)
    })
  })

  test('refuses other state', () => {
    counter.step('begin', { accepts: StartEvent }, (_event, ctx) => {
      // @ts-expect-error a text is no number
      ctx.state.count = '1'
      // @ts-expect-error there is no `cuont`
      ctx.state.cuont = 1
      // @ts-expect-error a text is no number
      ctx.state.set('count', '1')
      // @ts-expect-error there is no `cuont`
      ctx.state.set('cuont', 1)
      // @ts-expect-error there is no `cuont`
      ctx.state.get('cuont')
      // @ts-expect-error a text is no number
      ctx.set('count', '1')
      // @ts-expect-error there is no `cuont`
      ctx.set('cuont', 1)
    })
  })

  test('takes any state where the workflow declares none', () => {
    workflow('open').step('begin', { accepts: StartEvent }, (_event, ctx) => {
      ctx.state.anything = 1
      ctx.set('anything', 1)
      expectTypeOf(ctx.state.anything).toEqualTypeOf<unknown>()
      expectTypeOf(ctx.get('anything')).toEqualTypeOf<unknown>()
      expectTypeOf(ctx.get('anything', 1)).toEqualTypeOf<unknown>()
      expectTypeOf(ctx.get<number>('anything')).toExtend<number | undefined>()
    })
  })

  test('collects events of the type that it is given', () => {
    workflow('fan-in').step('join', { accepts: [Greet, Count] }, (event, ctx) => {
      if (Greet.is(event)) {
        expectTypeOf(ctx.collect(Greet, 3)).toEqualTypeOf<EventOf<typeof Greet>[] | undefined>()
        const names = ctx.collect(Greet, 3)?.map(({ name }) => name)
        expectTypeOf(names).toEqualTypeOf<string[] | undefined>()
      }
      // @ts-expect-error an event is no event type
      ctx.collect(Greet({ name: '' }), 3)
      // @ts-expect-error three is 3
      ctx.collect(Greet, '3')
    })
  })
})

describe('what a step returns', () => {
  test('is an event, a list of events, or nothing, now or later', () => {
    workflow('all')
      .step('event', { accepts: StartEvent }, () => Greet({ name: '' }))
      .step('later', { accepts: StartEvent }, async () => Greet({ name: '' }))
      .step('list', { accepts: StartEvent }, () => [Greet({ name: '' }), Count({ n: 1 })])
      .step('tuple', { accepts: StartEvent }, () => [Greet({ name: '' }), Count({ n: 1 })] as const)
      .step('null', { accepts: StartEvent }, () => null)
      .step('undefined', { accepts: StartEvent }, () => undefined)
      .step('void', { accepts: StartEvent }, () => {})
      .step('either', { accepts: StartEvent }, async (event) => (event.x ? Greet({ name: '' }) : [Count({ n: 1 })]))
      .step('sometimes', { accepts: [Greet, Count] }, (event) => {
        if (Greet.is(event)) return StopEvent()
      })
      .run()
  })

  test('is nothing else', () => {
    const flow = workflow('wrong')
    // @ts-expect-error a number is no event
    flow.step('number', { accepts: StartEvent }, () => 5)
    // @ts-expect-error a number is no event, later either
    flow.step('later', { accepts: StartEvent }, async () => 5)
    // @ts-expect-error an object without `type` is no event
    flow.step('object', { accepts: StartEvent }, () => ({ name: 'Zach' }))
    // @ts-expect-error a list of numbers is no list of events
    flow.step('list', { accepts: StartEvent }, () => [1, 2])
    // @ts-expect-error the event type is not the event
    flow.step('type', { accepts: StartEvent }, () => Greet)
    // @ts-expect-error the same for a step defined apart
    step({ accepts: StartEvent }, () => 5)
  })

  test('is what it says that it emits', () => {
    const flow = workflow('declared')
    flow.step('good', { accepts: StartEvent, emits: [Greet, StopEvent] }, (event) =>
      event.x ? Greet({ name: '' }) : StopEvent({ result: 1 }),
    )
    flow.step('silent', { accepts: StartEvent, emits: [Greet] }, () => null)
    // @ts-expect-error a Count is not declared
    flow.step('other', { accepts: StartEvent, emits: Greet }, () => Count({ n: 1 }))
    // @ts-expect-error a StopEvent is not declared
    flow.step('stop', { accepts: StartEvent, emits: [Greet, Count] }, () => StopEvent())
    // @ts-expect-error the same for a step defined apart
    step({ accepts: StartEvent, emits: Greet }, () => Count({ n: 1 }))
  })
})

describe('run does not compile', () => {
  test('while a step returns an event that no step accepts', () => {
    const flow = workflow('unaccepted').step('begin', { accepts: StartEvent }, () => Greet({ name: '' }))
    // @ts-expect-error nobody accepts "Greet"
    flow.run()
    // @ts-expect-error nobody accepts "Greet"
    flow.run({ x: 1 })
    flow.step('greet', { accepts: Greet }, () => StopEvent()).run()
  })

  test('while one of several is accepted by no step', () => {
    const flow = workflow('several').step('greet', { accepts: Greet }, () => StopEvent())
    const list = flow.step('begin', { accepts: StartEvent }, async () => [Greet({ name: '' }), Count({ n: 1 })])
    // @ts-expect-error nobody accepts "Count"
    list.run()
    const plain = flow.step('begin', { accepts: StartEvent }, () => ({ type: 'Gret', name: '' }))
    // @ts-expect-error nobody accepts "Gret"
    plain.run()
    flow.step('begin', { accepts: StartEvent }, () => ({ type: 'Greet', name: '' })).run()
  })

  test('while a step declares an event that no step accepts', () => {
    const flow = workflow('declared').step('begin', { accepts: StartEvent, emits: [Greet, StopEvent] }, () => null)
    // @ts-expect-error nobody accepts "Greet"
    flow.run()
  })

  test('while every step says what it emits, and one accepts what nobody emits', () => {
    const greet = step({ accepts: [Greet, Count], emits: StopEvent }, () => StopEvent())
    const flow = workflow('unemitted').step('greet', greet)
    const all = flow.step('begin', { accepts: StartEvent, emits: Greet }, () => Greet({ name: '' }))
    // @ts-expect-error nobody emits "Count"
    all.run()
    // This one does not say, so it may send a Count by ctx.sendEvent.
    flow.step('begin', { accepts: StartEvent }, () => Greet({ name: '' })).run()
    all.step('count', { accepts: StartEvent, emits: Count }, () => Count({ n: 1 })).run()
  })

  test('unless what nobody emits comes from outside', () => {
    const all = step({ accepts: [StartEvent, InputResponseEvent, Greet, Count], emits: StopEvent }, () => StopEvent())
    workflow('one', { external: [Greet, Count] })
      .step('all', all)
      .run()
    workflow('none', { external: Greet })
      .step('some', { accepts: [StartEvent, Greet], emits: StopEvent }, () => StopEvent())
      .run()
    const flow = workflow('wrong', { external: Greet }).step('all', all)
    // @ts-expect-error nobody emits "Count"
    flow.run()
  })

  test('while a step asks a person and no step takes the answer', () => {
    const ask = step({ accepts: StartEvent, emits: InputRequestEvent }, () => InputRequestEvent({ prompt: 'Go on?' }))
    const declared = workflow('ask').step('ask', ask)
    // @ts-expect-error nobody accepts InputResponseEvent
    declared.run()
    const returned = workflow('ask').step('ask', { accepts: StartEvent }, () => InputRequestEvent({ prompt: 'Go on?' }))
    // @ts-expect-error nobody accepts InputResponseEvent
    returned.run()
    declared.step('go on', { accepts: InputResponseEvent, emits: StopEvent }, () => StopEvent()).run()
  })

  test('while a step accepts what reaches no step', () => {
    const stop = workflow('stop').step('end', { accepts: [StartEvent, StopEvent] }, () => null)
    // @ts-expect-error a StopEvent ends the run
    stop.run()
    const request = workflow('request').step('ask', { accepts: [StartEvent, InputRequestEvent] }, () => null)
    // @ts-expect-error an InputRequestEvent goes to a person
    request.run()
  })

  test('but it does where types are known only when the program runs', () => {
    workflow('loose')
      .step('begin', { accepts: StartEvent, emits: Loose }, () => Loose({ text: '' }))
      .step('end', { accepts: [Loose, Count], emits: StopEvent }, () => StopEvent())
      .run()
    const named = (index: number) => defineEvent(`Event ${index}`, typeOnly<{ n: number }>())
    workflow('template')
      .step('begin', { accepts: StartEvent, emits: named(1) }, () => named(1)({ n: 1 }))
      .step('end', { accepts: named(1), emits: StopEvent }, () => StopEvent())
      .run()
  })
})

describe('a step that was defined apart', () => {
  const begin = step({ accepts: StartEvent, emits: Greet }, () => Greet({ name: 'Zach' }))
  const greet = step({ accepts: Greet, emits: StopEvent }, ({ name }) => StopEvent({ result: `Hello, ${name}!` }))

  test('brings its wiring and its result with it', () => {
    const flow = workflow('apart').step('begin', begin)
    // @ts-expect-error nobody accepts "Greet"
    flow.run()
    expectTypeOf(flow.step('greet', greet).run().result()).toEqualTypeOf<Promise<string>>()
  })

  test('goes into workflows of any input and state, unless it asks for one', () => {
    workflow('typed', { input: z.object({ name: z.string() }), state: z.object({ count: z.number() }) })
      .step('begin', begin)
      .steps([['greet', greet]])
      .run({ name: '' })
  })

  test('may ask for a part of the state', () => {
    const count = step({ accepts: StartEvent }, (_event, ctx: StepContext<{ count: number }>) => {
      expectTypeOf(ctx.state.count).toEqualTypeOf<number>()
    })
    workflow('more', { state: z.object({ count: z.number(), name: z.string() }) }).step('count', count)
    const text = workflow('other', { state: z.object({ count: z.string() }) })
    // @ts-expect-error `count` is a text in this workflow
    text.step('count', count)
    // @ts-expect-error the same among several
    text.steps([['count', count]])
    const wider = step({ accepts: StartEvent }, (_event, ctx: StepContext<{ count: number | string }>) => {
      ctx.state.count = 'one'
    })
    // @ts-expect-error it would write a number where a text has to be
    text.step('wider', wider)
  })

  test('may ask for an input', () => {
    type Start = EventOf<typeof StartEvent> & { readonly name: string }
    const named = step({ accepts: StartEvent }, (event: Start) => StopEvent({ result: event.name }))
    workflow('named', { input: z.object({ name: z.string(), n: z.number() }) }).step('named', named)
    // @ts-expect-error `name` is a number in this workflow
    workflow('number', { input: z.object({ name: z.number() }) }).step('named', named)
  })

  test('comes in arrays, each with its own types', () => {
    const flow = workflow('array').steps([
      ['begin', begin],
      ['greet', greet],
    ])
    expectTypeOf(flow.run().result()).toEqualTypeOf<Promise<string>>()
    const open = workflow('array').steps([['begin', begin]])
    // @ts-expect-error nobody accepts "Greet"
    open.run()
  })

  test('comes in records and maps', () => {
    expectTypeOf(workflow('record').steps(Object.entries({ begin, greet })).run().result()).toEqualTypeOf<
      Promise<string>
    >()
    const map = new Map([['greet', greet]])
    expectTypeOf(workflow('map').step('begin', begin).steps(map).run().result()).toEqualTypeOf<Promise<string>>()
  })

  test('may be of any type, and then the result is unknown', () => {
    const steps: Record<string, Step> = { begin, greet }
    for (let n = 0; n < 3; n++) steps[`count ${n}`] = step({ accepts: Count }, () => null)
    expectTypeOf(workflow('wide').steps(Object.entries(steps)).run().result()).toEqualTypeOf<Promise<unknown>>()
    const list: Step[] = [begin, greet]
    workflow('list')
      .steps(list.map((each, index) => [`step ${index}`, each]))
      .run()
    workflow('one')
      .step('any', list[0] as Step)
      .run()
  })

  test('of the same making goes in many times', () => {
    const flow = workflow('loop')
      .step('begin', begin)
      .steps(Array.from({ length: 3 }, (_, index) => [`greet ${index}`, greet] as const))
    expectTypeOf(flow.run().result()).toEqualTypeOf<Promise<string>>()
  })
})

describe('a workflow that grows in a loop', () => {
  const begin = step({ accepts: StartEvent, emits: Greet }, () => Greet({ name: 'Zach' }))

  test('is an AnyWorkflow', () => {
    let flow: AnyWorkflow = workflow('loop', { input: z.string() }).step('begin', begin)
    for (const name of ['a', 'b']) {
      flow = flow.step(name, { accepts: Greet }, (event, ctx) => {
        expectTypeOf(event.name).toEqualTypeOf<string>()
        ctx.state.count = 1
        ctx.set('count', 1)
        return StopEvent({ result: event.name })
      })
      flow = flow.steps([[`${name} again`, begin]])
    }
    expectTypeOf(flow.run('input', { timeout: 1 }).result()).toEqualTypeOf<Promise<unknown>>()
  })

  test('keeps the state that it declares', () => {
    let flow: AnyWorkflow<{ count: number }> = workflow('loop', { state: z.object({ count: z.number() }) })
    for (const name of ['a', 'b']) {
      flow = flow.step(name, { accepts: StartEvent }, (_event, ctx) => {
        expectTypeOf(ctx.state.count).toEqualTypeOf<number>()
        // @ts-expect-error a text is no number
        ctx.state.count = 'one'
      })
    }
    // @ts-expect-error another state
    flow = workflow('other', { state: z.object({ count: z.string() }) })
  })

  test('cannot be a variable of fewer steps, which would forget the wiring', () => {
    let flow = workflow('plain').step('begin', { accepts: StartEvent }, () => null)
    // @ts-expect-error the type of `flow` knows nothing of this step; make it an AnyWorkflow
    flow = flow.step('more', { accepts: StartEvent }, () => null)
    flow.run()
  })

  test('is what functions take that take any workflow', () => {
    const nameOf = (flow: AnyWorkflow) => flow.name
    nameOf(workflow('empty'))
    nameOf(workflow('typed', { input: typeOnly<{ name: string }>(), state: typeOnly<{ n: number }>() }))
    const wired = workflow('wired', { input: z.number() }).step('begin', begin)
    nameOf(wired)
    nameOf(wired.step('greet', { accepts: Greet, emits: StopEvent }, () => StopEvent({ result: 1 })))
    expectTypeOf<ResultOf<AnyWorkflow>>().toEqualTypeOf<unknown>()
  })
})

describe('options', () => {
  test('of a step are checked', () => {
    const flow = workflow('options')
    // @ts-expect-error a duration has a unit
    flow.step('begin', { accepts: StartEvent, timeout: '5 minutes' }, () => null)
    // @ts-expect-error attempts are required
    flow.step('begin', { accepts: StartEvent, retry: {} }, () => null)
    // @ts-expect-error a step accepts something
    flow.step('begin', {}, () => null)
    // @ts-expect-error an event is no event type
    flow.step('begin', { accepts: Greet({ name: '' }) }, () => null)
    // @ts-expect-error a name is no event type
    flow.step('begin', { accepts: 'Greet' }, () => null)
    // @ts-expect-error there is no `emit`
    flow.step('begin', { accepts: StartEvent, emit: Greet }, () => null)
  })

  test('of a workflow are checked', () => {
    // @ts-expect-error `idle` is 'fail' or 'wait'
    workflow('options', { idle: 'stop' })
    // @ts-expect-error a state is an object
    workflow('options', { state: z.string() })
    // @ts-expect-error an event type is no schema
    workflow('options', { input: Greet })
  })
})
