import { readFileSync } from 'node:fs'

/** Every step reports here that it ran, so that a run which skipped a step is an error and not a fast run. */
export interface Work {
  /** Counts one execution of a step. */
  ran(): void
  /** Counts one, and holds it back until all runs have come this far while memory is measured. */
  hold(): Promise<void>
}

/** A workflow that is defined and can be run any number of times. */
export interface Prepared {
  /** Runs it once, and resolves to what came out: the number of steps, events or rounds that the scenario asks for. */
  run(): Promise<number>
  close?(): Promise<void>
}

export type Prepare = (size: number, work: Work) => Prepared | Promise<Prepared>

/** One engine. A scenario that it cannot run holds the reason instead, which the table prints. */
export interface Adapter {
  name: string
  version: string
  /** `size` steps in a row, each with its own event type; resolves to `size`. */
  chain: Prepare | string
  /** Two steps that answer each other until `size` executions; resolves to `size`. */
  pingPong: Prepare | string
  /** One step that starts `size` executions of another at once, and a join; resolves to `size`. */
  fanOut: Prepare | string
  /** `size` runs of three steps at once, the second of which awaits `work.hold()`; resolves to `3 * size`. */
  runs: Prepare | string
  /** A step that writes `size` events, and a reader of them; resolves to the number that it read in order. */
  stream: Prepare | string
}

/** The version of an installed package, for the foot of the table. */
export function versionOf(packageName: string): string {
  const url = new URL(`./node_modules/${packageName}/package.json`, import.meta.url)
  const manifest = JSON.parse(readFileSync(url, 'utf8')) as { version: string }
  return `${packageName} ${manifest.version}`
}

/** Runs `start` `count` times at once and adds up what comes out. */
export async function sumOfRuns(count: number, start: () => Promise<number>): Promise<number> {
  const results = await Promise.all(Array.from({ length: count }, start))
  return results.reduce((sum, result) => sum + result, 0)
}
