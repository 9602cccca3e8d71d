import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { createContext, Script } from 'node:vm'
import { build, type Platform } from 'esbuild'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { browserTest, launchChromium } from './chromium.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

/**
 * A workflow of much that differs between runtimes: timers, retries, timeouts, a stream, state of all tiers, people.
 * It counts up to 3, and waits for a person.
 */
const counter = `
  import { defineEvent, InputRequestEvent, InputResponseEvent, StartEvent, StopEvent, workflow } from 'blazen-xstate'
  const Count = defineEvent('Count')
  const Counted = defineEvent('Counted')
  export const counter = workflow('counter')
    .step('begin', { accepts: StartEvent, emits: Count }, (_event, ctx) => {
      ctx.state.seen = new Map([['begun', new Date(0)]])
      ctx.state.bytes = new Uint8Array([1, 2, 250])
      ctx.state.big = 12345678901234567890n
      return Count({ n: 0 })
    })
    .step('count', { accepts: Count, emits: [Count, InputRequestEvent], timeout: '20s', retry: { attempts: 3, delay: '5ms' } },
      async ({ n }, ctx) => {
        await new Promise((resolve) => setTimeout(resolve, 5))
        if (ctx.attempt < 2) throw new Error('not yet')
        ctx.writeEventToStream(Counted({ n }))
        return n < 3 ? Count({ n: n + 1 }) : InputRequestEvent({ requestId: 'more', prompt: 'More?', timeout: '1d', default: 'no' })
      })
    .step('end', { accepts: InputResponseEvent, emits: StopEvent }, ({ response }, ctx) => {
      const { seen, bytes, big } = ctx.state
      return StopEvent({ result: [response, seen.get('begun').getTime(), [...bytes].join(), String(big)].join(' ') })
    })
  /** Counts until a person is asked, and gives what was on the stream, and the run as text. */
  export async function begin() {
    const handler = counter.run()
    const counted = []
    for await (const event of handler.stream()) {
      if (InputRequestEvent.is(event)) break
      counted.push(event.n)
    }
    await new Promise((resolve) => setTimeout(resolve, 1))
    const text = JSON.stringify(handler.snapshot())
    handler.abort('goes on elsewhere')
    return { counted, text }
  }
  /** Goes on from the text, answers, and gives the result. */
  export async function end(text, answer) {
    const handler = counter.resume(JSON.parse(text))
    await handler.respondToInput('more', answer)
    return handler.result()
  }
`
const result = 'yes 0 1,2,250 12345678901234567890'

/** A bundle for a runtime that has nothing of Node: an import of \`node:\` would fail it. */
async function bundle(contents: string, platform: Platform, format: 'esm' | 'iife'): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: root, loader: 'ts' },
    plugins: [
      {
        name: 'counter',
        setup({ onResolve, onLoad }) {
          onResolve({ filter: /^counter$/ }, ({ path }) => ({ path, namespace: 'counter' }))
          onLoad({ filter: /./, namespace: 'counter' }, () => ({ contents: counter, resolveDir: root }))
        },
      },
    ],
    alias: {
      'blazen-xstate': './src/index.ts',
      'blazen-xstate/react': './src/react/index.ts',
      'blazen-xstate/inspect': './src/inspect/index.ts',
    },
    // As every bundler for browsers and for the edge does.
    define: { 'process.env.NODE_ENV': '"production"' },
    conditions: ['import'],
    mainFields: ['browser', 'module', 'main'],
    ...{ bundle: true, write: false, target: 'es2022', platform, format },
  })
  return outputFiles[0]?.text ?? ''
}

const page = `
  import { begin, end } from 'counter'
  /** Asks a new worker, and ends it: nothing of it is left but what it has said. */
  const ask = (question) => new Promise((resolve, reject) => {
    const worker = new Worker('/worker.js', { type: 'module' })
    worker.onerror = (event) => reject(new Error(event.message))
    worker.onmessage = ({ data }) => {
      worker.terminate()
      resolve(data)
    }
    worker.postMessage(question)
  })
  const inPage = await begin()
  const inWorker = await ask({})
  window.outcome = {
    counted: [inPage.counted, inWorker.counted],
    fromPageToPage: await end(inPage.text, 'yes'),
    fromWorkerToPage: await end(inWorker.text, 'yes'),
    fromPageToWorker: await ask({ text: inPage.text }),
  }
`
const worker = `
  import { begin, end } from 'counter'
  onmessage = async ({ data: { text } }) => postMessage(text === undefined ? await begin() : await end(text, 'yes'))
`

let server: Server
let url: string

beforeAll(async () => {
  const [pageCode, workerCode] = await Promise.all([bundle(page, 'browser', 'esm'), bundle(worker, 'browser', 'esm')])
  const files: Record<string, [type: string, text: string]> = {
    '/': ['text/html', '<!doctype html><link rel="icon" href="data:,"><script type="module" src="/page.js"></script>'],
    '/page.js': ['text/javascript', pageCode],
    '/worker.js': ['text/javascript', workerCode],
  }
  server = createServer(({ url: path = '' }, response) => {
    const [type, text] = files[path] ?? ['text/plain', '']
    response.setHeader('content-type', `${type}; charset=utf-8`)
    response.end(text)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
}, 120_000)

afterAll(() => server.close())

browserTest('a run goes from a page to a worker and back, as its snapshot', { timeout: 240_000 }, async () => {
  const browser = await launchChromium()
  try {
    const tab = await browser.newPage()
    const problems: string[] = []
    tab.on('pageerror', (error) => problems.push(String(error)))
    tab.on('console', (message) => void problems.push(message.text()))
    await tab.goto(url)
    await tab.waitForFunction(() => 'outcome' in window, undefined, { timeout: 120_000 }).catch(() => {})
    expect(problems).toEqual([])
    expect(await tab.evaluate(() => (window as unknown as { outcome: unknown }).outcome)).toEqual({
      counted: [
        [0, 1, 2, 3],
        [0, 1, 2, 3],
      ],
      ...{ fromPageToPage: result, fromWorkerToPage: result, fromPageToWorker: result },
    })
  } finally {
    await browser.close()
  }
})

/** What runtimes at the edge have in common, and nothing of Node. */
const webGlobals = {
  ...{ AbortController, AbortSignal, DOMException, Event, EventTarget },
  ...{ ReadableStream, WritableStream, TransformStream, TextEncoder, TextDecoder, URL, URLSearchParams },
  ...{ atob, btoa, clearInterval, clearTimeout, console, crypto, performance, queueMicrotask },
  ...{ setInterval, setTimeout, structuredClone },
}

const edge = `
  import { createHost, defineEvent, memoryStore, StartEvent, StopEvent, workflow } from 'blazen-xstate'
  import { begin, counter, end } from 'counter'
  const Item = defineEvent('Item')
  const Done = defineEvent('Done')
  const many = workflow('many')
    .step('split', { accepts: StartEvent, emits: Item }, () => Array.from({ length: 1_000 }, () => Item()))
    .step('work', { accepts: Item, emits: Done }, () => Done())
    .step('join', { accepts: Done, emits: StopEvent }, (_event, ctx) => {
      const all = ctx.collect(Done, 1_000)
      return all && StopEvent({ result: all.length })
    })
  async function onHost() {
    const host = createHost({ store: memoryStore(), workflows: [counter] })
    const run = await host.run(counter)
    for await (const event of run.stream()) if (event.requestId === 'more') await run.respondToInput('more', 'yes')
    const result = await run.result()
    await host.close()
    return result
  }
  async function main() {
    const { counted, text } = await begin()
    return JSON.stringify({ counted, result: await end(text, 'yes'), joined: await many.run().result(), hosted: await onHost() })
  }
  globalThis.outcome = main()
`

test('runs at the edge, where there is nothing of Node', { timeout: 120_000 }, async () => {
  const context = createContext({ ...webGlobals })
  const has = (name: string) => new Script(`typeof ${name}`).runInContext(context) !== 'undefined'
  expect(['process', 'Buffer', 'setImmediate', 'require', 'global', 'MessageChannel'].filter(has)).toEqual([])
  new Script(await bundle(edge, 'neutral', 'iife')).runInContext(context)
  expect(JSON.parse(await context.outcome)).toEqual({ counted: [0, 1, 2, 3], result, joined: 1_000, hosted: result })
})

test.each(['blazen-xstate', 'blazen-xstate/react', 'blazen-xstate/inspect'])(
  '%s names nothing that only Node has',
  { timeout: 120_000 },
  async (entry) => {
    const code = await bundle(`export * from '${entry}'`, 'neutral', 'esm')
    expect(code.match(/"node:[a-z/]+"/g) ?? []).toEqual([])
  },
)
