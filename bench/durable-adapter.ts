/** One engine that keeps runs in a database, in a process of its own. */
export interface DurableAdapter {
  readonly name: string
  readonly version: string
  /** Opens it on an empty folder, or an empty PostgreSQL, so that a commit survives the process, and not a power cut. */
  open(place: DurablePlace): Promise<Durable>
}

export interface DurablePlace {
  readonly folder: string
  /** Of an empty database, for engines that need a server. */
  readonly postgresUrl: string
  /** How many characters a step hands to the next one. */
  readonly payload: string
  /** How many characters of text a bare append writes: as many as a record of ours has. */
  readonly recordSize: number
}

export interface Durable {
  /** One run of `steps` steps, each of which hands on the payload; resolves to how many were run. */
  run(steps: number): Promise<number>
  /** A run of `steps` steps that holds a megabyte of state, of which each changes one kilobyte. */
  runWithState?(steps: number): Promise<number>
  /** Characters and bytes of all that was handed to the store, since the last call. */
  logicalBytes?(): number
  /** Bytes that reached the files since the start, where the process's own account of writing does not tell. */
  fileBytes?(): Promise<number>
  /** How long the last run took, in ms, where the engine waits before it begins. */
  ownTime?(): number
  /** How long the text of one step's record is. */
  recordSize?(): Promise<number>
  close(): Promise<void>
}

export const stateSize = 1_000_000
export const changeSize = 1_000

/** State of a megabyte in a thousand parts, of which a step replaces one. */
export function createParts(): string[] {
  return Array.from({ length: stateSize / changeSize }, (_, index) => partOf(index, 0))
}

export function partOf(index: number, version: number): string {
  return `${index}/${version} `.padEnd(changeSize, 'x')
}
