/**
 * State as an object: a small model is trained in one process and goes on in another. Its weights go to a file by a
 * field store, so the snapshot stays small; the log is transient, and opened again by `restore()`.
 *
 *     StartEvent ── prepare ── Epoch ──┬── train ── Epoch (again)
 *                                      └── StopEvent, when the error is small
 */
import { appendFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  BlazenState,
  CallbackFieldStore,
  defineEvent,
  type FieldContext,
  StartEvent,
  StopEvent,
  workflow,
} from 'blazen-xstate'
import { z } from 'zod'

const Epoch = defineEvent('Epoch')

const temporary = join(tmpdir(), `blazen-weights-${process.pid}`)

/** With the version in its name, a file is what one snapshot asks for, whatever was saved after that. */
function fileOf(key: string, { runId, version }: FieldContext): string {
  return join(temporary, `${runId}.${key}.${version}`)
}

const files = new CallbackFieldStore<Float64Array>({
  save: async (key, weights, ctx) => {
    await mkdir(temporary, { recursive: true })
    await writeFile(fileOf(key, ctx), weights)
  },
  load: async (key, ctx) => new Float64Array(new Uint8Array(await readFile(fileOf(key, ctx))).buffer),
})

export class Training extends BlazenState {
  static override meta = { transient: ['log'], storeBy: { weights: files } }

  logPath = ''
  epoch = 0
  weights = new Float64Array(2)
  /** Writes a line to the log. */
  log: ((line: string) => Promise<void>) | null = null

  override restore(): void {
    this.log = (line) => appendFile(this.logPath, `${line}\n`)
  }
}

/** Points on the line y = 3x + 2, which the weights are to find. */
const points = [-2, -1, 0, 1, 2].map((x) => ({ x, y: 3 * x + 2 }))

export const trainer = workflow('trainer', {
  input: z.object({ logPath: z.string(), epochs: z.int() }),
  state: z.object({ epochs: z.number().default(0), training: z.instanceof(Training).optional() }),
  classes: [Training],
})
  .step('prepare', { accepts: StartEvent, emits: Epoch }, ({ logPath, epochs }, ctx) => {
    const training = Object.assign(new Training(), { logPath })
    training.restore()
    ctx.state.training = training
    ctx.state.epochs = epochs
    return Epoch()
  })
  .step('train', { accepts: Epoch, emits: [Epoch, StopEvent] }, async (_event, ctx) => {
    const { training, epochs } = ctx.state
    if (training === undefined) throw new Error('nothing to train')
    const { weights } = training
    for (const { x, y } of points) {
      const error = y - (weights[0] ?? 0) * x - (weights[1] ?? 0)
      weights[0] = (weights[0] ?? 0) + 0.1 * error * x
      weights[1] = (weights[1] ?? 0) + 0.1 * error
    }
    training.epoch++
    ctx.state.training = training
    await training.log?.(`epoch ${training.epoch}`)
    return training.epoch < epochs ? Epoch() : StopEvent({ result: [...weights].map((weight) => weight.toFixed(2)) })
  })

export async function main(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'training-'))
  const logPath = join(folder, 'log.txt')
  try {
    const first = trainer.run({ logPath, epochs: 100 })
    const snapshot = JSON.stringify(await first.pause())
    first.abort()
    console.log(
      'in the snapshot:',
      /"class":"\w+"/.exec(snapshot)?.[0],
      `and less than 2 kB: ${snapshot.length < 2048}`,
    )

    const result = await trainer.resume(JSON.parse(snapshot)).result()
    const lines = (await readFile(logPath, 'utf8')).trim().split('\n')
    console.log('weights:', result.join(', '))
    console.log(`logged: ${lines.length} epochs, the last one "${lines.at(-1)}"`)
  } finally {
    await rm(folder, { recursive: true })
    await rm(temporary, { recursive: true, force: true })
  }
}
