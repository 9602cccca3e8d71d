// Taken when this module is loaded: what a test puts in their place later is not meant for us.
const { setTimeout, setImmediate } = globalThis
const readClock = performance.now.bind(performance)

/** Milliseconds of the machine's own time. */
export function realNow(): number {
  return readClock()
}

/** Lets `ms` of the machine's own time pass. */
export function realPause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** Lets the event loop turn once: all promises that are due settle. */
export function turn(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof setImmediate === 'function') setImmediate(resolve)
    else setTimeout(resolve, 0)
  })
}
