import { appendFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { defineEvent, InputRequestEvent, InputResponseEvent, StartEvent, StopEvent, workflow } from 'blazen-xstate'

const Part = defineEvent<{ n: number }>('Part')
const Later = defineEvent<{ n: number }>('Later')
const Done = defineEvent<{ n: number }>('Done')

export const rounds = 2
/** How many parts a round has: the first ones are sent early, the last but one is delayed, the last ones are returned. */
export const parts = 6
/** How many attempts fail of each part of a round. */
const failures = [0, 1, 0, 0, 2, 0]
const bytesLength = 5_000

/** A call of a step's function, as it is noted in the file of effects. */
export interface Call {
  readonly executionId: string
  readonly step: string
  /** Which call it was: it is in what the call wrote, so that a record tells which call settled. */
  readonly call: string
}

/** Under which key of the state an execution leaves its call. */
export function toCallKey(executionId: string): string {
  return `call of ${executionId}`
}

/** The bytes that part `n` leaves in the state. */
export function bytesOf(n: number): Uint8Array {
  return Uint8Array.from({ length: bytesLength }, (_, at) => (at * 7 + n) % 256)
}

/** What a run of the ledger comes to, however often its processes died. */
export function expectedOf(runId: string): object {
  const all = Array.from({ length: rounds * parts }, (_, n) => n)
  return {
    count: all.length,
    seen: all,
    bytes: all.map((n) => `${n} ok`),
    answers: Array.from({ length: rounds }, (_, round) => `${runId} ${round}`),
  }
}

/**
 * Rounds of everything that can go wrong: fan-out and fan-in, events sent early and late, failed attempts, values and
 * bytes that concurrent steps write, and a question at the end of each round. Every call is noted in a file.
 */
export function ledger(effects: string) {
  const note = (ctx: { executionId: string; step: string; set(key: string, value: unknown): void }) => {
    const call = crypto.randomUUID()
    // One write at the end of the file, which the death of the process leaves whole.
    appendFileSync(
      effects,
      `${JSON.stringify({ executionId: ctx.executionId, step: ctx.step, call } satisfies Call)}\n`,
    )
    ctx.set(toCallKey(ctx.executionId), call)
  }
  const begin = (round: number, ctx: Parameters<typeof note>[0] & { sendEvent: SendEvent }) => {
    note(ctx)
    const [first, second, late, ...rest] = Array.from({ length: parts }, (_, at) => round * parts + at)
    ctx.sendEvent(Part({ n: first as number }))
    ctx.sendEvent(Part({ n: second as number }))
    ctx.sendEvent(Later({ n: late as number }), { delay: 15 })
    return rest.map((n) => Part({ n }))
  }
  return workflow('ledger')
    .step('begin', { accepts: StartEvent, emits: [Part, Later] }, (_, ctx) => begin(0, ctx))
    .step('later', { accepts: Later, emits: Part }, (event, ctx) => {
      note(ctx)
      return Part({ n: event.n })
    })
    .step(
      'work',
      { accepts: Part, emits: Done, concurrency: 3, retry: { attempts: 3, delay: 3 } },
      async (event, ctx) => {
        note(ctx)
        ctx.state.update('count', (before: number = 0) => before + 1)
        ctx.setBytes(`bytes ${event.n}`, bytesOf(event.n))
        await sleep(Math.random() * 8)
        ctx.state.update('seen', (before: number[] = []) => [...before, event.n].sort((one, other) => one - other))
        if (ctx.attempt <= (failures[event.n % parts] ?? 0)) throw new Error(`attempt ${ctx.attempt}`)
        return Done({ n: event.n })
      },
    )
    .step('join', { accepts: Done, emits: InputRequestEvent }, (_, ctx) => {
      note(ctx)
      const all = ctx.collect(Done, parts)
      if (all === undefined) return null
      const round = Number(ctx.get('round', 0))
      return InputRequestEvent({ requestId: `round ${round}`, prompt: `Go on after round ${round}?` })
    })
    .step('answer', { accepts: InputResponseEvent, emits: [Part, Later, StopEvent] }, (event, ctx) => {
      note(ctx)
      ctx.state.update('answers', (before: unknown[] = []) => [...before, event.response])
      const round = Number(ctx.get('round', 0)) + 1
      ctx.set('round', round)
      if (round < rounds) return begin(round, ctx)
      const count = ctx.get('count')
      const seen = ctx.get<number[]>('seen', [])
      const bytes = seen.map((n) => `${n} ${isSame(ctx.getBytes(`bytes ${n}`), bytesOf(n)) ? 'ok' : 'damaged'}`)
      return StopEvent({ result: { count, seen, bytes, answers: ctx.get('answers') } })
    })
}

type SendEvent = (event: { type: string }, options?: { delay?: number }) => void

function isSame(one: Uint8Array | undefined, other: Uint8Array): boolean {
  return one !== undefined && Buffer.compare(one, other) === 0
}
