// Renders the default export of the module that is named first, in StrictMode, in a page; then does in it what the
// second argument says: see `test/markdown-blocks.ts`.
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

/** What is used of jsdom, which comes without types. */
interface Jsdom {
  readonly JSDOM: new (html: string, options: object) => { readonly window: object }
}

const { JSDOM }: Jsdom = createRequire(import.meta.url)('jsdom')

const [path = '', acts = '[]'] = process.argv.slice(2)

const { window } = new JSDOM('<!doctype html><main></main>', { url: 'http://localhost/', pretendToBeVisual: true })
for (const name of Object.getOwnPropertyNames(window)) {
  if (!(name in globalThis))
    Object.defineProperty(globalThis, name, { configurable: true, get: () => Reflect.get(window, name) })
}

// They look for a page when they are loaded.
const React = await import('react')
const { fireEvent, render, screen, within } = await import('@testing-library/react')

// The blocks are in a folder that tsconfig.json does not name, so their JSX becomes calls of a global `React`.
Object.assign(globalThis, { React })
const { createElement, StrictMode } = React
const { default: App } = await import(pathToFileURL(path).href)
if (App !== undefined) {
  const page = render(createElement(StrictMode, null, createElement(App)))
  const patience = { timeout: 10_000 }
  for (const [verb, text] of JSON.parse(acts)) {
    if (verb === 'click') fireEvent.click(await screen.findByRole('button', { name: text }, patience))
    else await within(document.body).findAllByText((_, element) => element?.textContent === text, undefined, patience)
  }
  page.unmount()
}
