import { createStep, createWorkflow } from '@mastra/core/workflows'
import { z } from 'zod'

const count = z.number()
const step = (id) =>
  createStep({ id, inputSchema: count, outputSchema: count, execute: async ({ inputData }) => inputData + 1 })
const workflow = createWorkflow({ id: 'cold', inputSchema: count, outputSchema: count })
  .then(step('first'))
  .then(step('second'))
  .then(step('third'))
  .commit()
const run = await workflow.createRun()
console.log((await run.start({ inputData: 0 })).result)
