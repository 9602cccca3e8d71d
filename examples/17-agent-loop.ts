/**
 * An agent: a model is asked, the tools that it calls are sub-workflows, and their outputs go back to it, until it answers.
 *
 *     StartEvent ── begin ── Think ── think (asks the model) ──┬── StopEvent
 *                              ▲                               ├── LookUp ───── lookUp (a workflow) ────┐
 *                              │                               └── Calculate ── calculate (a workflow) ─┤
 *                              └───────────── gather, when all of a turn are there ◀── ToolDone ────────┘
 */
import { defineEvent, StartEvent, StopEvent, subWorkflow, typeOnly, UsageEvent, workflow } from 'blazen-xstate'
import { z } from 'zod'

/** What this asks of a model: messages in, text or calls of tools out, as `generateText` of the AI SDK has it. */
export type Ask = (options: { messages: Message[]; abortSignal: AbortSignal }) => Promise<{
  text: string
  toolCalls: readonly { toolCallId: string; toolName: string; input: unknown }[]
  usage: { inputTokens: number | undefined; outputTokens: number | undefined }
}>

type Message =
  | { role: 'user'; content: string }
  | { role: 'assistant'; content: { type: 'tool-call'; toolCallId: string; toolName: string; input: unknown }[] }
  | { role: 'tool'; content: ToolResult[] }

interface ToolResult {
  type: 'tool-result'
  toolCallId: string
  toolName: string
  output: { type: 'text'; value: string }
}

const Think = defineEvent('Think')
const LookUp = defineEvent('LookUp', z.object({ toolCallId: z.string(), what: z.string() }))
const Calculate = defineEvent('Calculate', z.object({ toolCallId: z.string(), factors: z.array(z.number()) }))
const ToolDone = defineEvent('ToolDone', typeOnly<{ result: ToolResult }>())

/** A tool is a workflow: it may have retries, ask a person, or be an agent itself. */
const lookUp = workflow('look-up', { input: z.object({ what: z.string() }) }).step(
  'read',
  { accepts: StartEvent, emits: StopEvent, retry: { attempts: 2 } },
  ({ what }, ctx) => {
    if (ctx.attempt === 1 && what === 'circumference of the earth') throw new Error('busy')
    ctx.writeEventToStream(UsageEvent({ cost: 0.001 })) // whoever pays for a tool sees it in the same sum
    const facts: Record<string, string> = { 'circumference of the earth': '40075 km', 'speed of a swallow': '11 m/s' }
    return StopEvent({ result: facts[what] ?? 'nothing is known of it' })
  },
)

const calculate = workflow('calculate', { input: z.object({ factors: z.array(z.number()) }) }).step(
  'multiply',
  { accepts: StartEvent, emits: StopEvent },
  ({ factors }) => StopEvent({ result: String(Math.round(factors.reduce((product, factor) => product * factor, 1))) }),
)

const toDone = (toolName: string, toolCallId: string, value: string) =>
  ToolDone({ result: { type: 'tool-result', toolCallId, toolName, output: { type: 'text', value } } })

export const defineAgent = (ask: Ask, maxTurns = 8) =>
  workflow('agent', {
    input: z.object({ question: z.string() }),
    state: typeOnly<{ messages: Message[]; calls: number; turns: number }>(),
  })
    .step('begin', { accepts: StartEvent, emits: Think }, ({ question }, ctx) => {
      ctx.state.messages = [{ role: 'user', content: question }]
      ctx.state.turns = 0
      return Think()
    })
    // Once its answer is written down, it is not asked again: on a host, a crash costs no tokens but those of one call.
    .step(
      'think',
      { accepts: Think, emits: [LookUp, Calculate, StopEvent], retry: { attempts: 3, delay: '1s' } },
      async (_event, ctx) => {
        const messages = structuredClone(ctx.state.messages) as Message[]
        const { text, toolCalls, usage } = await ask({ messages, abortSignal: ctx.signal })
        const { inputTokens = 0, outputTokens = 0 } = usage
        ctx.writeEventToStream(UsageEvent({ inputTokens, outputTokens, cost: (inputTokens + 4 * outputTokens) / 1e6 }))
        ctx.state.turns += 1
        if (toolCalls.length === 0 || ctx.state.turns > maxTurns) return StopEvent({ result: text })
        const content = toolCalls.map(({ toolCallId, toolName, input }) => ({
          type: 'tool-call' as const,
          toolCallId,
          toolName,
          input,
        }))
        ctx.state.messages = [...messages, { role: 'assistant', content }]
        ctx.state.calls = toolCalls.length
        // What a model says is checked by the schemas of the events, as any data is.
        return toolCalls.map(({ toolCallId, toolName, input }) => {
          if (toolName === 'lookUp') return LookUp({ toolCallId, ...(input as { what: string }) })
          return Calculate({ toolCallId, ...(input as { factors: number[] }) })
        })
      },
    )
    .step(
      'lookUp',
      subWorkflow(lookUp, {
        accepts: LookUp,
        emits: ToolDone,
        input: ({ what }) => ({ what }),
        output: (value, { toolCallId }) => toDone('lookUp', toolCallId, value),
      }),
    )
    .step(
      'calculate',
      subWorkflow(calculate, {
        accepts: Calculate,
        emits: ToolDone,
        input: ({ factors }) => ({ factors }),
        output: (value, { toolCallId }) => toDone('calculate', toolCallId, value),
      }),
    )
    .step('gather', { accepts: ToolDone, emits: Think }, (_event, ctx) => {
      const done = ctx.collect(ToolDone, ctx.state.calls)
      if (done === undefined) return null
      ctx.state.update('messages', (messages) => [
        ...messages,
        { role: 'tool', content: done.map(({ result }) => result) },
      ])
      return Think()
    })

/**
 * What a real model is told of the tools; for one, these two lines take the place of `localModel`:
 *
 *     import { generateText } from 'ai'; import { openai } from '@ai-sdk/openai'
 *     const ask: Ask = (options) => generateText({ model: openai('gpt-5-mini'), tools, ...options })
 */
export const tools = {
  lookUp: { description: 'Looks a fact up.', inputSchema: z.object({ what: z.string() }) },
  calculate: { description: 'Multiplies numbers.', inputSchema: z.object({ factors: z.array(z.number()) }) },
}

/** Stands in for a model: what it says depends on the messages alone. */
export const localModel: Ask = async ({ messages }) => {
  const results = messages.flatMap((message) => (message.role === 'tool' ? message.content : []))
  // In the order in which they came, which is not that of the calls.
  const [distance, speed, days] = ['call-1', 'call-2', 'call-3'].map((id) => {
    const found = results.find(({ toolCallId }) => toolCallId === id)
    return found && Number.parseFloat(found.output.value)
  })
  const say = (text: string, ...calls: { toolName: string; input: unknown }[]) => ({
    text,
    toolCalls: calls.map((call, at) => ({ toolCallId: `call-${results.length + at + 1}`, ...call })),
    usage: { inputTokens: Math.ceil(JSON.stringify(messages).length / 4), outputTokens: 20 },
  })
  if (distance === undefined || speed === undefined) {
    const wanted = ['circumference of the earth', 'speed of a swallow']
    return say('', ...wanted.map((what) => ({ toolName: 'lookUp', input: { what } })))
  }
  const factors = [distance, 1_000, 1 / speed, 1 / 86_400]
  return days === undefined ? say('', { toolName: 'calculate', input: { factors } }) : say(`It takes ${days} days.`)
}

export async function main(): Promise<void> {
  const handler = defineAgent(localModel).run({ question: 'How long does a swallow fly around the earth?' })
  console.log(await handler.result())
  const { inputTokens, outputTokens, cost, steps } = handler.usage
  console.log(
    `${inputTokens} tokens in, ${outputTokens} out, ${cost.toFixed(6)} USD, in ${Object.keys(steps).join(', ')}`,
  )
}
