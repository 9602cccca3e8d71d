import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { afterAll, beforeAll, expect } from 'vitest'
import { browserTest, launchChromium } from './chromium.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** The application: a run that is shown in an iframe, beside it. */
const app = `
  import { createBrowserInspector } from '@statelyai/inspect'
  import { inspect } from './src/inspect/index.ts'
  import { book, wordCounter } from './examples/03-fan-out-fan-in.ts'
  const iframe = document.querySelector('iframe')
  const handler = wordCounter.run({ book })
  inspect(handler, createBrowserInspector({ url: '/screen', iframe }))
  handler.result().then(({ total }) => { document.title = String(total) })
`

/** The page of the inspector: it listens at once, before it has loaded. */
const screen = `
  import { createBrowserReceiver } from '@statelyai/inspect'
  window.seen = []
  createBrowserReceiver().subscribe((event) => window.seen.push(event))
`

let server: Server
let url: string

beforeAll(async () => {
  const bundle = async (contents: string) => {
    const { outputFiles } = await build({
      stdin: { contents, resolveDir: root, loader: 'ts' },
      alias: { 'blazen-xstate': './src/index.ts' },
      ...{ bundle: true, format: 'esm', write: false, platform: 'browser', target: 'es2022' },
    })
    return outputFiles[0]?.text ?? ''
  }
  const [appCode, screenCode] = await Promise.all([bundle(app), bundle(screen)])
  const pages: Record<string, string> = {
    '/': `<!doctype html><iframe></iframe><script type="module">${inline(appCode)}</script>`,
    '/screen': `<!doctype html><script type="module">${inline(screenCode)}</script>`,
  }
  server = createServer(({ url = '' }, response) => {
    response.setHeader('content-type', 'text/html; charset=utf-8')
    response.end(pages[url] ?? '')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
}, 60_000)

afterAll(() => server.close())

browserTest('a browser shows a run in an iframe, from the first event to the last', { timeout: 120_000 }, async () => {
  const browser = await launchChromium()
  try {
    const page = await browser.newPage()
    const errors: unknown[] = []
    page.on('pageerror', (error) => errors.push(error))
    await page.goto(url)
    await page.waitForFunction(() => document.title === '26', undefined, { timeout: 60_000 })
    const frame = await page.waitForSelector('iframe').then((iframe) => iframe.contentFrame())
    const isEnded = () => {
      const { seen } = window as unknown as { seen: { type: string; snapshot?: { status?: string } }[] }
      return seen.filter(({ type, snapshot }) => type === '@xstate.snapshot' && snapshot?.status === 'done').length >= 2
    }
    await frame?.waitForFunction(isEnded, undefined, { timeout: 60_000 })
    const seen = await frame?.evaluate(() => (window as unknown as { seen: Record<string, string>[] }).seen)
    const names = seen?.filter(({ type }) => type === '@xstate.actor').map(({ name }) => name)
    expect([...new Set(names)]).toEqual(['word-counter', 'split', 'count', 'join', 'word-counter (flow)'])
    expect(seen?.[0]).toMatchObject({ type: '@xstate.actor', name: 'word-counter' })
    expect(errors).toEqual([])
  } finally {
    await browser.close()
  }
})

/** Code as it may stand inside a page. */
function inline(code: string): string {
  return code.replaceAll('</script', '<\\/script')
}
