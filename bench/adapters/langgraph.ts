import { Annotation, END, type LangGraphRunnableConfig, Send, START, StateGraph } from '@langchain/langgraph'
import { type Adapter, type Prepared, sumOfRuns, versionOf, type Work } from '../adapter.ts'

/** A graph over one number; no checkpointer, which would only add to the cost. */
const Count = Annotation.Root({ value: Annotation<number> })
type Count = typeof Count.State

/** Nodes come from a loop, so their names cannot be in the type of the graph: `string` it is. */
const emptyGraph = (): StateGraph<typeof Count.spec, Count, Partial<Count>, string> => new StateGraph(Count)

type Graph = ReturnType<ReturnType<typeof emptyGraph>['compile']>

async function runGraph(graph: Graph, steps: number): Promise<number> {
  // A super-step for each node of a chain, and a few of its own.
  const { value } = await graph.invoke({ value: 0 }, { recursionLimit: steps + 10 })
  return value
}

function chainGraph(size: number, second: number, work: Work): Graph {
  const graph = emptyGraph()
  for (let index = 0; index < size; index++) {
    graph.addNode(`step${index}`, async (state: Count) => {
      if (index === second) await work.hold()
      else work.ran()
      return { value: state.value + 1 }
    })
    graph.addEdge(index === 0 ? START : `step${index - 1}`, `step${index}`)
  }
  return graph.addEdge(`step${size - 1}`, END).compile()
}

function pingPong(size: number, work: Work): Prepared {
  const graph = emptyGraph()
  const answer = async (state: Count): Promise<Count> => {
    work.ran()
    return { value: state.value + 1 }
  }
  graph.addNode('ping', answer).addNode('pong', answer).addEdge(START, 'ping')
  graph.addConditionalEdges('ping', ({ value }) => (value === size ? END : 'pong'), ['pong', END])
  graph.addConditionalEdges('pong', ({ value }) => (value === size ? END : 'ping'), ['ping', END])
  const compiled = graph.compile()
  return { run: () => runGraph(compiled, size) }
}

/** Map and reduce by `Send`, which is how LangGraph fans out; a reducer joins. */
function fanOut(size: number, work: Work): Prepared {
  const Joined = Annotation.Root({
    joined: Annotation<number>({ reducer: (left, right) => left + right, default: () => 0 }),
  })
  const graph = new StateGraph(Joined)
    .addNode('split', async () => ({}))
    .addNode('item', async (_input: { index: number }) => {
      work.ran()
      return { joined: 1 }
    })
    .addNode('join', async () => ({}))
    .addEdge(START, 'split')
    .addConditionalEdges('split', () => Array.from({ length: size }, (_, index) => new Send('item', { index })), [
      'item',
    ])
    .addEdge('item', 'join')
    .addEdge('join', END)
    .compile()
  return { run: async () => (await graph.invoke({ joined: 0 })).joined }
}

function stream(size: number, work: Work): Prepared {
  const graph = new StateGraph(Count)
    .addNode('write', async (_state: Count, config: LangGraphRunnableConfig) => {
      work.ran()
      for (let index = 0; index < size; index++) config.writer?.(index)
      return { value: size }
    })
    .addEdge(START, 'write')
    .addEdge('write', END)
    .compile()
  const run = async (): Promise<number> => {
    let read = 0
    for await (const index of await graph.stream({ value: 0 }, { streamMode: 'custom' })) if (index === read) read++
    return read
  }
  return { run }
}

export const adapter: Adapter = {
  name: 'langgraph',
  version: versionOf('@langchain/langgraph'),
  chain: (size, work) => {
    const graph = chainGraph(size, -1, work)
    return { run: () => runGraph(graph, size) }
  },
  pingPong,
  fanOut,
  runs: (size, work) => {
    const graph = chainGraph(3, 1, work)
    return { run: () => sumOfRuns(size, () => runGraph(graph, 3)) }
  },
  stream,
}
