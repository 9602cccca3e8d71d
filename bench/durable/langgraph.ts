import { join } from 'node:path'
import { Annotation, END, START, StateGraph } from '@langchain/langgraph'
import { SqliteSaver } from '@langchain/langgraph-checkpoint-sqlite'
import { versionOf } from '../adapter.ts'
import { createParts, type DurableAdapter, partOf } from '../durable-adapter.ts'

const Step = Annotation.Root({ left: Annotation<number>, value: Annotation<number>, pad: Annotation<string> })
const WithState = Annotation.Root({
  left: Annotation<number>,
  value: Annotation<number>,
  parts: Annotation<string[]>,
})

/** A checkpoint is written before the next step begins (`sync`), as ours is. */
export const adapter: DurableAdapter = {
  name: 'langgraph',
  version: versionOf('@langchain/langgraph-checkpoint-sqlite'),
  open: async ({ folder, payload: pad }) => {
    const checkpointer = SqliteSaver.fromConnString(join(folder, 'graph.db'))
    checkpointer.db.pragma('synchronous = NORMAL')
    const next = ({ left, value }: typeof Step.State) => ({ left: left - 1, value: value + 1, pad })
    const graph = new StateGraph(Step)
      .addNode('ping', async (state) => next(state))
      .addNode('pong', async (state) => next(state))
      .addEdge(START, 'ping')
      .addConditionalEdges('ping', ({ left }) => (left === 0 ? END : 'pong'), ['pong', END])
      .addConditionalEdges('pong', ({ left }) => (left === 0 ? END : 'ping'), ['ping', END])
      .compile({ checkpointer })
    const stateGraph = new StateGraph(WithState)
      .addNode('change', async ({ left, value, parts }) => ({
        left: left - 1,
        value: value + 1,
        parts: parts.with(value % 1_000, partOf(value % 1_000, value)),
      }))
      .addEdge(START, 'change')
      .addConditionalEdges('change', ({ left }) => (left === 0 ? END : 'change'), ['change', END])
      .compile({ checkpointer })
    const options = (steps: number) => ({
      configurable: { thread_id: crypto.randomUUID() },
      recursionLimit: steps + 10,
      durability: 'sync' as const,
    })
    return {
      run: async (steps) => (await graph.invoke({ left: steps, value: 0, pad }, options(steps))).value,
      runWithState: async (steps) =>
        (await stateGraph.invoke({ left: steps, value: 0, parts: createParts() }, options(steps))).value,
      close: async () => void checkpointer.db.close(),
    }
  },
}
