import { Annotation, END, START, StateGraph } from '@langchain/langgraph'

const step = async ({ value }) => ({ value: value + 1 })
const graph = new StateGraph(Annotation.Root({ value: Annotation() }))
  .addNode('first', step)
  .addNode('second', step)
  .addNode('third', step)
  .addEdge(START, 'first')
  .addEdge('first', 'second')
  .addEdge('second', 'third')
  .addEdge('third', END)
  .compile()
console.log((await graph.invoke({ value: 0 })).value)
