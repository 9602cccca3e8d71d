import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, test } from 'vitest'
import type { TypeCheck } from './type-check.ts'

const steps = 60

/** What is promised; on a slow machine, three times what it takes to read nothing but the declarations. */
let limitMs = 5_000
beforeAll(async () => {
  const { cpuMs } = await checkInProcess(
    "export { workflow } from 'blazen-xstate'\nexport { z } from 'zod'\nexport { createActor } from 'xstate'",
  )
  limitMs = Math.max(limitMs, 3 * cpuMs)
}, 60_000)

describe(`a workflow of ${steps} steps`, () => {
  test.each([
    ['types alone', false, (n: number) => `typeOnly<{ field${n}: number; text: string }>()`],
    ['types alone, and says what they emit', true, (n: number) => `typeOnly<{ field${n}: number; text: string }>()`],
    [
      'zod schemas, and says what they emit',
      true,
      (n: number) => `z.object({ field${n}: z.number(), text: z.string() })`,
    ],
  ])('type-checks in time where its events have %s', { timeout: 60_000 }, async (_name, emits, schema) => {
    const { problems, cpuMs } = await checkInProcess(writeWorkflow(emits, schema))
    expect(problems).toEqual([])
    expect(cpuMs).toBeLessThan(limitMs)
  })

  test('is checked whole: one step too few is found', { timeout: 60_000 }, async () => {
    const source = writeWorkflow(true, (n) => `typeOnly<{ field${n}: number; text: string }>()`)
    const cut = source.split('\n').filter((line) => !line.includes(".step('step 30'"))
    const { problems } = await checkInProcess(cut.join('\n'))
    expect(problems).toHaveLength(1)
    expect(problems[0]).toContain('Step \\"step 29\\" emits \\"Event 29\\", which no step accepts.')
  })
})

/** A chain with shortcuts, in which each step has an event of its own, reads state, and every fifth may end the run. */
function writeWorkflow(declares: boolean, schema: (n: number) => string): string {
  const numbers = Array.from({ length: steps }, (_, n) => n)
  const events = numbers.map((n) => `const Event${n} = defineEvent('Event ${n}', ${schema(n)})`)
  const added = numbers.map((n) => {
    const isLast = n === steps - 1
    const accepts = n === 0 ? 'StartEvent' : n % 7 === 0 ? `[Event${n - 1}, Event${n - 3}]` : `Event${n - 1}`
    const emitted = [...(isLast ? [] : [`Event${n}`]), ...(isLast || n % 5 === 0 ? ['StopEvent'] : [])]
    const emits = declares ? `, emits: [${emitted.join(', ')}]` : ''
    const next = `Event${n}({ field${n}: ctx.state.count, text: event.type })`
    const stop = `StopEvent({ result: { step${n}: event } })`
    const returned = isLast ? stop : n % 5 === 0 ? `ctx.state.count > ${n} ? ${stop} : ${next}` : next
    return `  .step('step ${n}', { accepts: ${accepts}${emits} }, async (event, ctx) => ${returned})`
  })
  return [
    "import { defineEvent, StartEvent, StopEvent, typeOnly, workflow } from 'blazen-xstate'",
    "import { z } from 'zod'",
    ...events,
    'const options = { input: z.object({ name: z.string() }), state: z.object({ count: z.number() }) }',
    "const flow = workflow('big', options)",
    ...added,
    "const result = await flow.run({ name: 'big' }).result()",
    `if ('step${steps - 1}' in result) result.step${steps - 1}.field${steps - 2} satisfies number`,
    "export const unused = typeOnly<'unused'>()",
  ].join('\n')
}

/** In a process of its own, so that the time is that of the compiler alone. */
async function checkInProcess(source: string): Promise<TypeCheck> {
  const script = fileURLToPath(new URL('./type-check.ts', import.meta.url))
  const child = spawn(process.execPath, ['--import', 'tsx', script], { stdio: ['pipe', 'pipe', 'inherit'] })
  child.stdin.end(source)
  return JSON.parse(await text(child.stdout)) as TypeCheck
}
