import { existsSync } from 'node:fs'
import { type Browser, chromium } from 'playwright-core'
import { test } from 'vitest'

const usual = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
]
/** A browser that was named has to be there; without a name, the usual places are looked at. */
const path = process.env.CHROMIUM ?? usual.find(existsSync)

/** A test in a real browser. Where there is none, it is told as skipped, and how to get one. */
export const browserTest = test.skipIf(path === undefined)

if (path === undefined) {
  console.warn(
    `Skipped, for want of a browser: the tests in test/browser. Install one (apt-get install chromium), or name one that you have: CHROMIUM=/path/to/chromium. Looked for: ${usual.join(', ')}.`,
  )
}

/** Starts the browser; a machine under load takes its time. */
export function launchChromium(): Promise<Browser> {
  // Containers run as root and have little shared memory.
  const args = ['--no-sandbox', '--disable-dev-shm-usage']
  return chromium.launch({ executablePath: path ?? '', args, timeout: 120_000 })
}
