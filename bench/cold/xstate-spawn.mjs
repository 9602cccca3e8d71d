import { assign, createActor, fromPromise, setup, spawnChild, toPromise } from 'xstate'

const machine = setup({ actors: { step: fromPromise(async ({ input }) => input + 1) } }).createMachine({
  context: { ran: 0 },
  initial: 'running',
  states: {
    running: {
      entry: spawnChild('step', { input: 0 }),
      on: {
        'xstate.done.actor.*': [
          { guard: ({ event }) => event.output === 3, target: 'completed', actions: assign({ ran: 3 }) },
          { actions: spawnChild('step', { input: ({ event }) => event.output }) },
        ],
      },
    },
    completed: { type: 'final' },
  },
  output: ({ context }) => context.ran,
})
const actor = createActor(machine)
actor.start()
console.log(await toPromise(actor))
