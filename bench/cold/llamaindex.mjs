import { createWorkflow, workflowEvent } from '@llamaindex/workflow-core'

const [start, second, third, stop] = [0, 1, 2, 3].map(() => workflowEvent())
let ran = 0
const workflow = createWorkflow()
workflow.handle([start], async () => second.with(++ran))
workflow.handle([second], async () => third.with(++ran))
workflow.handle([third], async () => stop.with(++ran))
const context = workflow.createContext()
context.stream.on(stop, (event) => console.log(event.data))
context.sendEvent(start.with())
