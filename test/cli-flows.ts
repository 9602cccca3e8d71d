import {
  type AnyWorkflow,
  BlazenState,
  defineEvent,
  InputRequestEvent,
  InputResponseEvent,
  registerClass,
  StartEvent,
  StopEvent,
  workflow,
} from 'blazen-xstate'

// Workflows for the tests of the command line: it loads this file as a user's module, in a process of its own.

export class Money {
  constructor(readonly cents: number) {}
}

export class Secret {
  readonly #word: string
  constructor(word: string) {
    this.#word = word
  }
  get word(): string {
    return this.#word
  }
}

export class Cart extends BlazenState {
  items: string[] = []
  total = new Money(0)
}

registerClass(Money)
registerClass(Secret, { encode: (secret: Secret) => secret.word, decode: (word: string) => new Secret(word) })
registerClass(Cart)

const Draft = defineEvent<{ text: string }>('Draft')

/** Asks somebody; its answer has to be yes or no. */
export const review = workflow('review', {
  version: '2',
  requests: {
    approval: {
      response: {
        '~standard': {
          version: 1,
          vendor: 'test',
          validate: (value: unknown) =>
            value === 'yes' || value === 'no' ? { value } : { issues: [{ message: 'expected yes or no' }] },
        },
      },
    },
  },
})
  .step('draft', { accepts: StartEvent, emits: Draft }, (event, ctx) => {
    const cart = new Cart()
    cart.items = ['tea', 'milk']
    cart.total = new Money(450)
    ctx.set('cart', cart)
    ctx.set('price', new Money(1250))
    ctx.set('secret', new Secret('sesame'))
    ctx.set('tags', new Set(['a', 'b']))
    ctx.setBytes('cover', new Uint8Array([1, 2, 3]))
    ctx.set('gone', 1)
    return Draft({ text: String((event as { text?: unknown }).text) })
  })
  .step('ask', { accepts: Draft, emits: InputRequestEvent }, (_, ctx) => {
    ctx.state.delete('gone')
    return InputRequestEvent({ requestId: 'approve', prompt: 'Publish it?', kind: 'approval' })
  })
  .step('publish', { accepts: InputResponseEvent, emits: StopEvent }, (event) =>
    StopEvent({ result: { published: event.response === 'yes' } }),
  )

/** Hangs until a process is told to go. */
export const slow: AnyWorkflow = workflow('slow')
  .step('prepare', { accepts: StartEvent, emits: Draft }, (_, ctx) => {
    ctx.set('prepared', true)
    return Draft({ text: 'ready' })
  })
  .step('work', { accepts: Draft, emits: StopEvent }, async (event) => {
    if (process.env.BLAZEN_TEST_GO === undefined) await new Promise(() => {})
    return StopEvent({ result: `done with ${event.text}` })
  })

export const quick = workflow('quick').step('answer', { accepts: StartEvent, emits: StopEvent }, () =>
  StopEvent({ result: new Map([['answer', 42n]]) }),
)

const failing = workflow('failing').step('throw', { accepts: StartEvent, emits: StopEvent }, () => {
  throw new RangeError('out of paper')
})

export default { more: [failing] }
