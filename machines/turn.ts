import { Queue } from './queue.ts'

/**
 * Promise callbacks starve timers: a workflow that loops without ever waiting would keep an abort, a timeout or a
 * server's sockets from being heard. So executions start in slices, and between two slices the event loop turns.
 */
const slice = 128

const nextTurn: (fn: () => void) => void =
  typeof setImmediate === 'function'
    ? setImmediate
    : typeof MessageChannel === 'function'
      ? byMessageChannel()
      : (fn) => setTimeout(fn, 0)

let left = slice
let turning = false
const waiting = new Queue<() => void>()

/** Takes a place in this turn; false when the turn is full. */
export function takeTurn(): boolean {
  if (left === 0) return false
  if (--left === 0) turn()
  return true
}

/** Calls `fn` once the event loop has turned and there are places; who asked first comes first. */
export function onNextTurn(fn: () => void): void {
  waiting.push(fn)
  turn()
}

function turn(): void {
  if (turning) return
  turning = true
  nextTurn(refill)
}

function refill(): void {
  turning = false
  left = slice
  for (let due = waiting.size; due > 0 && left > 0; due--) waiting.shift()?.()
  if (waiting.size > 0) turn()
}

function byMessageChannel(): (fn: () => void) => void {
  const { port1, port2 } = new MessageChannel()
  let due: (() => void) | undefined
  port1.onmessage = () => due?.()
  return (fn) => {
    due = fn
    port2.postMessage(null)
  }
}
