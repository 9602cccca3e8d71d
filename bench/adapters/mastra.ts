import { createStep, createWorkflow } from '@mastra/core/workflows'
import { z } from 'zod'
import { type Adapter, type Prepared, sumOfRuns, versionOf, type Work } from '../adapter.ts'

const count = z.number()
/** Mastra asks for schemas, but need not apply them: the other engines do not validate, report or store anything either. */
const options = { validateInputs: false, emitStepEvents: false, shouldPersistSnapshot: () => false }
const streamOptions = { ...options, emitStepEvents: true }

type CountStep = ReturnType<typeof countStep>

function countStep(id: string, work: Work, held = false) {
  return createStep({
    id,
    inputSchema: count,
    outputSchema: count,
    execute: async ({ inputData }) => {
      if (held) await work.hold()
      else work.ran()
      return inputData + 1
    },
  })
}

/** Each `.then` gives a new type; these all go from number to number, so the chain keeps its first one. */
function chainOf(id: string, steps: CountStep[]) {
  let workflow = createWorkflow({ id, inputSchema: count, outputSchema: count, options })
  for (const step of steps) workflow = workflow.then(step) as typeof workflow
  return workflow.commit()
}

interface Startable {
  createRun(): Promise<{ start(args: { inputData: number }): Promise<{ status: string; result?: unknown }> }>
}

async function runWorkflow(workflow: Startable): Promise<number> {
  const run = await workflow.createRun()
  const outcome = await run.start({ inputData: 0 })
  if (outcome.status !== 'success') throw new Error(`Mastra ended with status "${outcome.status}".`, { cause: outcome })
  return Number(outcome.result)
}

function chain(size: number, work: Work): Prepared {
  const steps = Array.from({ length: size }, (_, index) => countStep(`step${index}`, work))
  const workflow = chainOf('chain', steps)
  return { run: () => runWorkflow(workflow) }
}

/** A loop is over one step, so the two that answer each other are a workflow inside it. */
function pingPong(size: number, work: Work): Prepared {
  const round = chainOf('round', [countStep('ping', work), countStep('pong', work)])
  const workflow = createWorkflow({ id: 'pingPong', inputSchema: count, outputSchema: count, options })
    .dountil(round, async ({ inputData }) => inputData >= size)
    .commit()
  return { run: () => runWorkflow(workflow) }
}

function fanOut(size: number, work: Work): Prepared {
  const split = createStep({
    id: 'split',
    inputSchema: count,
    outputSchema: z.array(count),
    execute: async () => Array.from({ length: size }, () => 0),
  })
  const join = createStep({
    id: 'join',
    inputSchema: z.array(count),
    outputSchema: count,
    execute: async ({ inputData }) => inputData.length,
  })
  const workflow = createWorkflow({ id: 'fanOut', inputSchema: count, outputSchema: count, options })
    .then(split)
    .foreach(countStep('item', work), { concurrency: size })
    .then(join)
    .commit()
  return { run: () => runWorkflow(workflow) }
}

function runs(size: number, work: Work): Prepared {
  const steps = [countStep('first', work), countStep('second', work, true), countStep('third', work)]
  const workflow = chainOf('runs', steps)
  return { run: () => sumOfRuns(size, () => runWorkflow(workflow)) }
}

function stream(size: number, work: Work): Prepared {
  const write = createStep({
    id: 'write',
    inputSchema: count,
    outputSchema: count,
    execute: async ({ writer }) => {
      work.ran()
      for (let index = 0; index < size; index++) await writer.write(index)
      return size
    },
  })
  const workflow = createWorkflow({ id: 'stream', inputSchema: count, outputSchema: count, options: streamOptions })
    .then(write)
    .commit()
  const run = async (): Promise<number> => {
    const started = await workflow.createRun()
    let read = 0
    for await (const chunk of started.stream({ inputData: 0 }).fullStream) {
      // Its type names agent chunks only; at run time it is whatever the step wrote.
      if (chunk.type === 'workflow-step-output' && (chunk.payload.output as unknown) === read) read++
    }
    return read
  }
  return { run }
}

export const adapter: Adapter = {
  name: 'mastra',
  version: versionOf('@mastra/core'),
  chain,
  pingPong,
  fanOut,
  runs,
  stream,
}
