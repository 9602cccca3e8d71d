import { mkdtemp, rm } from 'node:fs/promises'
import { createServer as createHttpServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Browser, BrowserContext, Locator, Page } from 'playwright-core'
import { createServer, type ViteDevServer } from 'vite'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect } from 'vitest'
import { browserTest, launchChromium } from './chromium.ts'

/** For whatever happens some time, also on a machine that does much else. */
const patience = { timeout: 60_000 }

let vite: ViteDevServer
let server: Server
let browser: Browser
let cache: string
let url: string

let context: BrowserContext
let page: Page
/** What must not happen: exceptions, and what is told on the console as an error or a warning. */
let problems: string[]

// What `npm run app` starts.
beforeAll(async () => {
  cache = await mkdtemp(join(tmpdir(), 'app-'))
  server = createHttpServer((request, response) => vite.middlewares(request, response))
  vite = await createServer({
    configFile: fileURLToPath(new URL('../../examples/react/vite.config.ts', import.meta.url)),
    cacheDir: cache,
    logLevel: 'error',
    // On a port that is free.
    server: { middlewareMode: true, ws: { server } },
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  browser = await launchChromium()
}, 180_000)

afterAll(async () => {
  await browser?.close()
  await vite?.close()
  server?.close()
  await rm(cache, { recursive: true, force: true })
}, 60_000)

beforeEach(async () => {
  problems = []
  context = await browser.newContext({ viewport: { width: 390, height: 844 } })
  context.setDefaultTimeout(patience.timeout)
  context.on('weberror', (error) => problems.push(String(error.error())))
  context.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) problems.push(message.text())
  })
  await context.addInitScript(watchPage)
  page = await openTab()
}, 180_000)

afterEach(async () => {
  await context.close()
  expect(problems).toEqual([])
})

describe('the approval desk', { timeout: 240_000 }, () => {
  browserTest('lights up what is at work, asks, takes answers by keyboard, and comes to its end', async () => {
    await begin('Easy', ['docs/react.md'])
    await decideAll()
    const dialog = page.getByRole('dialog')
    await expect.poll(seen, patience).toMatchObject({ lit: expect.arrayContaining(['open', 'read', 'You']) })
    const { progress } = await seen()
    expect(progress.length).toBeGreaterThan(2)
    expect(progress).toEqual([...progress].sort((one, other) => one - other))

    // The focus is in the dialog, and the first field is one Tab away.
    expect(await page.evaluate(() => document.activeElement?.closest('dialog') !== null)).toBe(true)
    await page.keyboard.press('Tab')
    await page.keyboard.type('A')
    await page.keyboard.press('Enter')
    // Refused by the schema: told beside the field, which has the focus.
    await dialog.getByText('At least two letters.').waitFor()
    expect(await page.evaluate(() => document.activeElement?.getAttribute('name'))).toBe('name')
    expect(await label(dialog.getByLabel('Your name'), 'aria-invalid')).toBe('true')
    await page.keyboard.type('da Lovelace')
    await page.keyboard.press('Tab')
    await page.keyboard.type('1.4.0')
    await page.keyboard.press('Tab')
    await page.keyboard.type('30')
    await page.keyboard.press('Tab')
    await page.keyboard.press('Space')
    await page.keyboard.press('Enter')

    await page.getByRole('heading', { name: 'Documents of 1.4.0' }).waitFor()
    expect(await page.locator('.release pre').textContent()).toContain('Signed by Ada Lovelace')
    expect(await page.locator('.node.stop.passed').count()).toBe(1)
    expect(await page.getByRole('dialog').count()).toBe(0)
  })

  browserTest('a run that is reloaded in the middle of a step goes on where it was', async () => {
    await begin('Easy', ['ARCHITECTURE.md', 'docs/react.md', 'docs/durability.md'])
    // One has been read, others are at work.
    await page.waitForFunction(() => {
      const has = (selector: string) => document.querySelector(selector) !== null
      return has('.paper.asked, .paper.approve') && has('.paper.reading')
    })
    const before = await settledReads()
    expect(before).toBeGreaterThan(0)

    await page.reload()
    await page.locator('.node.lit', { hasText: 'read' }).waitFor()
    // What had settled is not read again; what was at work is.
    expect(await settledReads()).toBeGreaterThanOrEqual(before)
    await decideAll()
    await sign()
    expect(await settledReads()).toBe(3)
    expect(await page.locator('.paper').count()).toBe(3)

    // What has come to its end is there after a reload too.
    await page.reload()
    await page.getByRole('heading', { name: 'Documents of 2.0.0' }).waitFor()
    await page.getByRole('button', { name: 'Start anew' }).click()
    await page.getByRole('button', { name: 'Begin' }).waitFor()
    await page.reload()
    await page.getByRole('button', { name: 'Begin' }).waitFor()
  })

  browserTest('a paused run waits, also through a reload, until it is resumed', async () => {
    await begin('Easy', ['README.md', 'docs/react.md'])
    await page.locator('.node.lit', { hasText: 'read' }).waitFor()
    await page.getByRole('button', { name: 'Pause' }).click()
    await page.getByText('Paused', { exact: true }).waitFor()
    expect(await page.locator('.node.lit').count()).toBe(0)
    const before = await label(page.locator('#overall'), 'value')

    await page.reload()
    await page.getByRole('button', { name: 'Resume' }).waitFor()
    // It does nothing by itself, and shows what it had.
    await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 400)))
    expect(await label(page.locator('#overall'), 'value')).toBe(before)
    expect(await page.locator('.node.lit').count()).toBe(0)
    expect(await page.locator('.paper').count()).toBe(2)

    await page.getByRole('button', { name: 'Resume' }).click()
    await decideAll()
    await sign()
    expect(await settledReads()).toBe(2)
  })

  browserTest('a question that is put off stays, and the focus goes back to where it was', async () => {
    await begin('Brisk', ['docs/react.md'])
    await decideAll()
    await page.getByRole('dialog').waitFor()
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    await page.getByText('A question waits for you.').waitFor()
    const answer = page.getByRole('button', { name: 'Answer' })
    await answer.focus()
    await page.keyboard.press('Enter')
    await page.getByRole('dialog').getByLabel('Your name').waitFor()

    // The question is asked again after a reload, too.
    await page.reload()
    await page.getByRole('dialog').getByLabel('Your name').waitFor()
    await sign()
  })

  browserTest('a run goes on in one tab at a time, and in the next one when that is closed', async () => {
    await begin('Brisk', ['docs/react.md'])
    await decideAll()
    const next = await openTab()
    await next.getByText('open in another tab').waitFor()
    expect(await next.getByRole('dialog').count()).toBe(0)
    await page.close()
    page = next
    await page.getByRole('dialog').getByLabel('Your name').waitFor()
    await sign()
  })

  browserTest('fits a phone and a desktop, in the light and in the dark', async () => {
    const overflow = () => page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)
    const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor)
    await page.emulateMedia({ colorScheme: 'light' })
    const light = await ground()
    await page.emulateMedia({ colorScheme: 'dark' })
    expect(await ground()).not.toBe(light)

    await begin('Brisk', ['docs/react.md'])
    await decideAll()
    for (const viewport of [
      { width: 390, height: 844 },
      { width: 320, height: 640 },
      { width: 1280, height: 800 },
    ]) {
      await page.setViewportSize(viewport)
      expect([viewport.width, await overflow()]).toEqual([viewport.width, 0])
      const box = await page.getByRole('dialog').boundingBox()
      expect(box?.x).toBeGreaterThanOrEqual(0)
      expect((box?.x ?? 0) + (box?.width ?? 0)).toBeLessThanOrEqual(viewport.width)
      expect(box?.height).toBeLessThanOrEqual(viewport.height)
    }
    await sign()
  })
})

async function openTab(): Promise<Page> {
  const tab = await context.newPage()
  await tab.goto(url)
  return tab
}

/** Begins a run over these documents and no others. */
async function begin(pace: string, documents: readonly string[]): Promise<void> {
  await page.getByRole('button', { name: 'Begin' }).waitFor()
  for (const box of await page.getByRole('checkbox').all()) {
    await box.setChecked(documents.includes((await box.getAttribute('value')) ?? ''))
  }
  await page.getByLabel(pace).check()
  await page.getByRole('button', { name: 'Begin' }).click()
}

/** Approves whatever is asked, by the keyboard, until all that is left is the signature. */
async function decideAll(): Promise<void> {
  const dialog = page.getByRole('dialog')
  for (;;) {
    await dialog.waitFor()
    if ((await dialog.getByLabel('Your name').count()) > 0) return
    const question = await dialog.getByRole('heading').textContent()
    // From the heading over the findings to the first choice, which Enter takes.
    await dialog.getByLabel('approve').focus()
    await page.keyboard.press('Enter')
    await expect.poll(() => page.locator('dialog h2').allTextContents(), patience).not.toContain(question)
  }
}

async function sign(): Promise<void> {
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('Your name').fill('Ada')
  await dialog.getByLabel('Version').fill('2.0.0')
  await dialog.getByLabel('Look again').fill('7')
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: 'Documents of 2.0.0' }).waitFor()
}

/** How many documents have been read, as the flow shows it. */
async function settledReads(): Promise<number> {
  const at = page.locator('.node.step', { hasText: /^read/ })
  await at.waitFor()
  // While others are read, the number is not shown there: those that triage has taken are as many.
  const text = (await page.locator('.node.step', { hasText: /^triage/ }).textContent()) ?? ''
  return Number(/(\d+) done/.exec(text)?.[1] ?? 0)
}

interface Seen {
  /** The places of the flow that were lit, in order. */
  readonly lit: string[]
  /** What the progress bar stood at, each value once. */
  readonly progress: number[]
}

function seen(): Promise<Seen> {
  return page.evaluate(() => (window as unknown as { seen: Seen }).seen)
}

/** Runs in the page, and notes whatever is shown, however short: polling would miss it. */
function watchPage(): void {
  const seen: Seen = { lit: [], progress: [] }
  Object.assign(window, { seen })
  new MutationObserver(() => {
    for (const { textContent } of document.querySelectorAll('.node.lit .name')) {
      if (textContent !== null && !seen.lit.includes(textContent)) seen.lit.push(textContent)
    }
    const value = document.querySelector<HTMLProgressElement>('#overall')?.value
    if (value !== undefined && seen.progress.at(-1) !== value) seen.progress.push(value)
  }).observe(document, { subtree: true, childList: true, attributes: true, characterData: true })
}

async function label(locator: Locator, name = 'aria-label'): Promise<string> {
  return (await locator.getAttribute(name)) ?? ''
}
