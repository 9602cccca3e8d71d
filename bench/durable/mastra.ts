import { join } from 'node:path'
import { Mastra } from '@mastra/core'
import { createStep, createWorkflow } from '@mastra/core/workflows'
import { LibSQLStore } from '@mastra/libsql'
import { z } from 'zod'
import { versionOf } from '../adapter.ts'
import { createParts, type DurableAdapter, partOf } from '../durable-adapter.ts'

const data = z.object({ left: z.number(), value: z.number(), pad: z.string() })
const state = z.object({ parts: z.array(z.string()) })
const options = { validateInputs: false }

/** A loop over one step: in a chain each snapshot would hold what all steps before have returned. */
export const adapter: DurableAdapter = {
  name: 'mastra',
  version: versionOf('@mastra/libsql'),
  open: async ({ folder, payload: pad }) => {
    const step = createStep({
      id: 'step',
      inputSchema: data,
      outputSchema: data,
      execute: async ({ inputData: { left, value } }) => ({ left: left - 1, value: value + 1, pad }),
    })
    const change = createStep({
      id: 'change',
      inputSchema: data,
      outputSchema: data,
      stateSchema: state,
      execute: async ({ inputData: { left, value }, state: { parts }, setState }) => {
        await setState({ parts: parts.with(value % 1_000, partOf(value % 1_000, value)) })
        return { left: left - 1, value: value + 1, pad: '' }
      },
    })
    const loop = createWorkflow({ id: 'loop', inputSchema: data, outputSchema: data, options })
      .dountil(step, async ({ inputData }) => inputData.left === 0)
      .commit()
    const withState = createWorkflow({
      id: 'withState',
      inputSchema: data,
      outputSchema: data,
      stateSchema: state,
      options,
    })
      .dountil(change, async ({ inputData }) => inputData.left === 0)
      .commit()
    const storage = new LibSQLStore({ id: 'bench', url: `file:${join(folder, 'mastra.db')}` })
    const mastra = new Mastra({ workflows: { loop, withState }, storage, logger: false })
    const start = async (id: 'loop' | 'withState', args: object): Promise<number> => {
      const run = await mastra.getWorkflow(id).createRun()
      const outcome = await run.start(args as never)
      if (outcome.status !== 'success') throw new Error(`Mastra ended with "${outcome.status}".`, { cause: outcome })
      return (outcome.result as { value: number }).value
    }
    return {
      run: (steps) => start('loop', { inputData: { left: steps, value: 0, pad } }),
      runWithState: (steps) =>
        start('withState', {
          inputData: { left: steps, value: 0, pad: '' },
          initialState: { parts: createParts() },
        }),
      close: async () => {},
    }
  },
}
