import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { InputRequestEvent, InputResponseEvent } from 'blazen-xstate'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { createActor, toPromise, waitFor } from 'xstate'
import * as hello from '../examples/01-hello.ts'
import * as branching from '../examples/02-branching.ts'
import * as fanOutFanIn from '../examples/03-fan-out-fan-in.ts'
import * as retryAndTimeout from '../examples/04-retry-and-timeout.ts'
import * as humanInTheLoop from '../examples/05-human-in-the-loop.ts'
import * as streaming from '../examples/06-streaming.ts'
import * as aborting from '../examples/07-aborting.ts'
import * as workflowAsActor from '../examples/08-workflow-as-actor.ts'
import * as stateAndSession from '../examples/09-state-and-session.ts'
import * as pauseAndResume from '../examples/10-pause-and-resume.ts'
import * as blazenState from '../examples/11-blazen-state.ts'
import * as versionsAndMigration from '../examples/12-versions-and-migration.ts'
import * as durableRuns from '../examples/13-durable-runs.ts'
import * as subWorkflows from '../examples/14-sub-workflows.ts'
import * as ingestPipeline from '../examples/15-ingest-pipeline.ts'
import * as workflowInAMachine from '../examples/16-workflow-in-a-machine.ts'
import * as agentLoop from '../examples/17-agent-loop.ts'
import * as modelBasedTesting from '../examples/18-model-based-testing.ts'
import { defineDigestWorkflow } from '../examples/document-digest/digest-workflow.ts'

const folder = fileURLToPath(new URL('../examples', import.meta.url))

const examples = [
  { name: '01-hello', main: hello.main, prints: ['Hello, Zach!', 'Hello, World!'] },
  {
    name: '02-branching',
    main: branching.main,
    prints: [
      'I want my money back for order 4711. -> Order 4711 will be refunded.',
      'When does my parcel arrive? -> It arrives within three days.',
      'You have won the lottery! -> No reply.',
      'Do you have it in blue? -> We will write to you.',
    ],
  },
  {
    name: '03-fan-out-fan-in',
    main: fanOutFanIn.main,
    prints: ['words in each chapter: 7, 9, 10', 'words in the book: 26'],
  },
  {
    name: '04-retry-and-timeout',
    main: retryAndTimeout.main,
    prints: [
      '250 EUR are 270 USD, after 3 attempts',
      'Step "fetchRate" failed on "blazen::StartEvent": no such currency: XXX (attempt 1)',
    ],
  },
  {
    name: '05-human-in-the-loop',
    main: humanInTheLoop.main,
    prints: [
      'pencils: paid, approved by the rules',
      'Pay 480 EUR for a desk?',
      'a desk: paid, approved by Ada',
      'a yacht: refused by Grace',
    ],
  },
  {
    name: '06-streaming',
    main: streaming.main,
    prints: [
      'line 1: tea',
      'line 2: coffee',
      'line 3: refused, "cheap" is no price',
      'line 4: milk',
      'sum: 13',
      'late reader: RowRefused',
      'late reader: RowRead',
    ],
  },
  {
    name: '07-aborting',
    main: aborting.main,
    prints: [
      'proof: 4824',
      'aborted: the user left',
      'aborted: TimeoutError: The operation was aborted due to timeout',
      'timed out after 5 ms',
    ],
  },
  {
    name: '08-workflow-as-actor',
    main: workflowAsActor.main,
    prints: [
      'cocoa: editing, StepFailedError: Step "lookUp" failed on "blazen::StartEvent": we have no cocoa',
      'coffee: offered, 31.5 EUR',
      'done',
    ],
  },
  {
    name: '09-state-and-session',
    main: stateAndSession.main,
    prints: ['closing, with 3 rows', 'tea: 9.75 EUR', 'coffee: 7 EUR', 'dearest: coffee'],
  },
  {
    name: '10-pause-and-resume',
    main: pauseAndResume.main,
    prints: [
      'process 1: page 1',
      'process 1: page 2',
      'process 1: paused',
      'process 2: page 3',
      'process 2: page 4',
      'process 2: completed, the longest word is "torrential"',
    ],
  },
  {
    name: '11-blazen-state',
    main: blazenState.main,
    prints: [
      'in the snapshot: "class":"Training" and less than 2 kB: true',
      'weights: 3.00, 2.00',
      'logged: 100 epochs, the last one "epoch 100"',
    ],
  },
  {
    name: '12-versions-and-migration',
    main: versionsAndMigration.main,
    prints: [
      'stored: version 1, in step "charge"',
      'resumed: 450 cents billed, 450 in the state',
      'refused: The snapshot is of version "1" of workflow "shop", which is at version "2", and no migration leads from the one to the other. Add one: migrate: { "1": (draft) => { … } }.',
    ],
  },
  {
    name: '13-durable-runs',
    main: durableRuns.main,
    prints: [
      'begin: charged 480 EUR, with the key order-17/1',
      'begin: killed while it was waiting',
      'goOn: order-17 asks: Ship a desk?',
      'goOn: order-17: a desk is on its way',
      'goOn: charge, ship',
    ],
  },
  {
    name: '14-sub-workflows',
    main: subWorkflows.main,
    prints: [
      'judge#8/reader/stars: How many stars for "the cat black, the cat eats, the cat sleeps"?',
      'the cat black, the cat eats, the cat sleeps: 9 words, 5 stars',
      'translate › Step "replace" failed on "Found": no word for "chien"',
    ],
  },
  {
    name: '15-ingest-pipeline',
    main: ingestPipeline.main,
    prints: [
      'begin: reads docs/testing.md',
      'begin: docs/testing.md: waiting, 60 %',
      'begin: reads docs/streaming-and-people.md',
      'begin: docs/streaming-and-people.md: extract completed, enrich completed, refine running',
      'goOn: approve#4/publish: Publish "Testing workflows"?',
      'goOn: docs/testing.md: false',
      'goOn: extracted 1 time, published: false',
      'goOn: approve#4/publish: Publish "Streaming and people"?',
      'goOn: docs/streaming-and-people.md: streaming-and-people.json',
      'goOn: extracted 1 time, published: true',
    ],
  },
  {
    name: '16-workflow-in-a-machine',
    main: workflowInAMachine.main,
    prints: [
      'measures "a hasty draft"',
      'spelling is aborted',
      'writing',
      'measures "teh final draft"',
      'spelling is aborted',
      'mistakes: teh',
      'published',
    ],
  },
  {
    name: '17-agent-loop',
    main: agentLoop.main,
    prints: ['It takes 42 days.', '378 tokens in, 60 out, 0.002618 USD, in think, lookUp/read'],
  },
  {
    name: '18-model-based-testing',
    main: modelBasedTesting.main,
    prints: [
      'ok: StartEvent > Refund > StopEvent',
      'ok: StartEvent > Question > StopEvent',
      'ok: StartEvent > Spam > StopEvent',
    ],
  },
]

afterEach(() => vi.restoreAllMocks())

test('every example is in this test', async () => {
  const files = (await readdir(folder)).filter((file) => /^\d\d-/.test(file)).sort()
  expect(examples.map(({ name }) => `${name}.ts`)).toEqual(files)
})

test.each(examples)('$name prints what it says', { timeout: 30_000 }, async ({ main, prints }) => {
  const log = vi.spyOn(console, 'log').mockImplementation(() => {})
  await main()
  expect(log.mock.calls.flatMap((line) => line.join(' ').split('\n'))).toEqual(prints)
})

test.each([
  { wanted: ['1'], says: 'Hello, Zach!\nHello, World!\n' },
  { wanted: ['fan-out-fan-in'], says: 'words in each chapter: 7, 9, 10\nwords in the book: 26\n' },
  { wanted: [], says: `npm run example <number or name>\n\n${examples.map(({ name }) => `  ${name}\n`).join('')}` },
])('npm run example $wanted', async ({ wanted, says }) => {
  const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', join(folder, 'run.ts'), ...wanted])
  expect(stdout).toBe(says)
})

describe('with XState alone', () => {
  test('hello', async () => {
    const { greeter } = hello
    const alone = createActor(greeter.machine, { input: { name: 'Zach' } }).start()
    expect(await toPromise(alone)).toBe(await greeter.run({ name: 'Zach' }).result())
    const without = createActor(greeter.machine, { input: {} }).start()
    expect(await toPromise(without)).toBe('Hello, World!')
  })

  test.each(['money back, order 1', 'when does it arrive', 'lottery', 'blue?'])('branching: %s', async (mail) => {
    const { supportDesk } = branching
    const alone = createActor(supportDesk.machine, { input: { mail } }).start()
    expect(await toPromise(alone)).toBe(await supportDesk.run({ mail }).result())
  })

  test('fan-out and fan-in', async () => {
    const { wordCounter, book } = fanOutFanIn
    const alone = createActor(wordCounter.machine, { input: { book } }).start()
    expect(await toPromise(alone)).toEqual(await wordCounter.run({ book }).result())
  })

  test('retry and timeout', async () => {
    const { converter } = retryAndTimeout
    const input = { amount: 250, currency: 'USD' }
    const alone = createActor(converter.machine, { input }).start()
    expect(await toPromise(alone)).toEqual(await converter.run(input).result())

    const failing = { amount: 1, currency: 'XXX' }
    const failed = await toPromise(createActor(converter.machine, { input: failing }).start()).catch((error) => error)
    expect(failed).toEqual(
      await converter
        .run(failing)
        .result()
        .catch((error) => error),
    )
    expect(failed).toMatchObject({ name: 'StepFailedError', step: 'fetchRate', attempt: 1 })
  })

  test.each([true, false])('a person in the loop who says %s', async (approved) => {
    const { expenses } = humanInTheLoop
    const input = { item: 'a desk', euros: 480 }
    const response = { approved, by: 'Ada' }
    const alone = createActor(expenses.machine, { input })
    const asked: unknown[] = []
    alone.on(InputRequestEvent.type, (request) => asked.push(request))
    alone.start()
    await waitFor(alone, (snapshot) => snapshot.matches('waiting'))

    const [request] = asked
    if (!InputRequestEvent.is(request)) throw new Error('nobody was asked')
    expect(request.prompt).toBe('Pay 480 EUR for a desk?')
    alone.send(InputResponseEvent({ requestId: request.requestId, response }))
    expect(await toPromise(alone)).toBe(await expenses.run(input, { onInput: () => response }).result())
  })

  test('streaming', async () => {
    const { importer, csv } = streaming
    const alone = createActor(importer.machine, { input: { csv } })
    const written: unknown[] = []
    alone.on('*', (event) => written.push(event))
    alone.start()
    const handler = importer.run({ csv })
    expect(await toPromise(alone)).toBe(await handler.result())
    const streamed: unknown[] = []
    for await (const event of handler.stream()) streamed.push(event)
    expect(written).toEqual(streamed)
    expect(written).toHaveLength(4)
  })

  test('aborting', async () => {
    const { prover } = aborting
    const easy = createActor(prover.machine, { input: { text: 'blazen', zeros: 3 } }).start()
    expect(await toPromise(easy)).toBe(await prover.run({ text: 'blazen', zeros: 3 }).result())

    const hopeless = createActor(prover.machine, { input: { text: 'blazen', zeros: 64 } }).start()
    hopeless.stop()
    expect(hopeless.getSnapshot().status).toBe('stopped')
  })

  test('a workflow as an actor', async () => {
    const { pricing, shop } = workflowAsActor
    const input = { item: 'coffee', count: 5 }
    const alone = createActor(pricing.machine, { input }).start()
    expect(await toPromise(alone)).toBe(await pricing.run(input).result())

    const actor = createActor(shop).start()
    actor.send({ type: 'order', item: 'tea' })
    const { context } = await waitFor(actor, (snapshot) => snapshot.matches('offered'))
    expect(context.offer).toBe(20)
  })

  test('state and session', async () => {
    vi.spyOn(console, 'log').mockImplementation(() => {})
    const { bookkeeper, shopping } = stateAndSession
    const alone = createActor(bookkeeper.machine, { input: shopping }).start()
    expect(await toPromise(alone)).toEqual(await bookkeeper.run(shopping).result())
  })

  test('pause and resume', async () => {
    const { reader, book } = pauseAndResume
    const first = createActor(reader.machine, { input: { book } }).start()
    const read = new Promise((resolve) => first.on('Read', resolve))
    await read
    const stored = JSON.stringify(first.getPersistedSnapshot())
    first.stop()
    const alone = createActor(reader.machine, { snapshot: JSON.parse(stored), input: { book } }).start()
    expect(await toPromise(alone)).toBe(await reader.run({ book }).result())
  })

  test('a state that is an object', async () => {
    const { trainer } = blazenState
    const temporary = await mkdtemp(join(tmpdir(), 'trainer-'))
    const input = { logPath: join(temporary, 'log.txt'), epochs: 5 }
    try {
      const alone = createActor(trainer.machine, { input }).start()
      expect(await toPromise(alone)).toEqual(await trainer.run(input).result())
    } finally {
      await rm(temporary, { recursive: true })
    }
  })

  test('versions and migration', async () => {
    const { version1, version2 } = versionsAndMigration
    const old = createActor(version1.machine, { input: { item: 'coffee' } }).start()
    await new Promise((resolve) => old.on('Charging', resolve))
    const stored = JSON.stringify(old.getPersistedSnapshot())
    old.stop()
    const alone = createActor(version2.machine, { snapshot: JSON.parse(stored), input: { item: 'coffee' } }).start()
    expect(await toPromise(alone)).toBe(await version2.run({ item: 'coffee' }).result())
  })

  test('durable runs', async () => {
    const { order } = durableRuns
    const alone = createActor(order.machine, { input: { item: 'a desk', euros: 480 } }).start()
    await waitFor(alone, (snapshot) => snapshot.matches('waiting'))
    alone.send(InputResponseEvent({ requestId: 'ship', response: false }))
    expect(await toPromise(alone)).toBe('refunded')
  })

  test('sub-workflows', async () => {
    const { translator, publisher } = subWorkflows
    const input = { number: 1, text: 'le chat' }
    const child = createActor(translator.machine, { input }).start()
    expect(await toPromise(child)).toEqual(await translator.run(input).result())

    const alone = createActor(publisher.machine, { input: { chapters: ['le chien'] } }).start()
    await expect(toPromise(alone)).rejects.toMatchObject({ name: 'StepFailedError', runPath: ['translate'] })
  })

  test('a pipeline in a machine', async () => {
    const input = { text: 'teh end' }
    const alone = createActor(workflowInAMachine.checks.machine, { input }).start()
    const result = await toPromise(alone)
    expect(result).toEqual({ spelling: ['teh'], length: 'short' })
    expect(await workflowInAMachine.checks.run(input).result()).toEqual(result)
  })

  test('an agent', async () => {
    const agent = agentLoop.defineAgent(agentLoop.localModel)
    const alone = createActor(agent.machine, { input: { question: 'How long?' } }).start()
    expect(await toPromise(alone)).toBe('It takes 42 days.')
  })

  test('document digest', async () => {
    const temporary = await mkdtemp(join(tmpdir(), 'digest-'))
    const input = join(temporary, 'documents')
    const digester = defineDigestWorkflow()
    try {
      await mkdir(input)
      await writeFile(join(input, 'a.md'), '# A\n\nSee [B](b.md) and [nothing](nothing.md).\n')
      await writeFile(join(input, 'b.md'), '# B\n\n```ts\nexport {}\n```\n')
      const alone = createActor(digester.machine, { input: { folder: input, out: join(temporary, 'alone') } }).start()
      const { summary } = await toPromise(alone)
      const handled = await digester.run({ folder: input, out: join(temporary, 'handled'), documents: 'all' }).result()
      expect(summary).toEqual(handled.summary)
      expect(summary.totals).toMatchObject({ documents: 2, brokenLinks: 1 })
      expect(await readFile(join(temporary, 'alone/report.md'), 'utf8')).toBe(
        await readFile(handled.markdownPath, 'utf8'),
      )
    } finally {
      await rm(temporary, { recursive: true })
    }
  })
})
