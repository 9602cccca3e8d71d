/** What is used of the browser's adapter of `@statelyai/inspect` 0.7. */
export interface BrowserAdapter {
  targetWindow: unknown
  readonly options: { readonly iframe?: { readonly contentWindow: unknown } | null; maxDeferredEvents?: number }
}

export function isBrowserAdapter(adapter: unknown): adapter is BrowserAdapter {
  return typeof adapter === 'object' && adapter !== null && 'targetWindow' in adapter && 'options' in adapter
}

/**
 * The adapter learns the window of its iframe when that has loaded, and loses what is sent before, also what it has kept
 * for a page that says earlier that it is there. The window is the same before and after.
 */
export function openWindow(adapter: BrowserAdapter): void {
  adapter.targetWindow ??= adapter.options.iframe?.contentWindow ?? null
  keepMore(adapter.options)
}

/** Of what comes before anybody looks, 200 messages are kept by default: less than the beginning of a large run. */
export function keepMore(options: { maxDeferredEvents?: number }): void {
  if (options.maxDeferredEvents === 200) options.maxDeferredEvents = 5_000
}
