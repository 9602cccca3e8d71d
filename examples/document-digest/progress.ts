import cliProgress from 'cli-progress'

/** Shows how far a run is. */
export interface Progress {
  /** @param done how many were done before, by a process that did not get to the end. */
  start(total: number, done?: number): void
  advance(): void
  /** Leaves the terminal as it was. Harmless without a start. */
  stop(): void
}

/** A bar on a terminal; elsewhere, as in a log, a line for every tenth of the way. */
export function createProgress(output: NodeJS.WriteStream): Progress {
  return output.isTTY ? createBar(output) : createLines((line) => output.write(`${line}\n`))
}

/** At most one line for each tenth of the total. */
export function createLines(write: (line: string) => void): Progress {
  let total = 0
  let done = 0
  return {
    start(count, before = 0) {
      total = count
      done = before
      const documents = total === 1 ? 'document' : 'documents'
      write(done === 0 ? `Reading ${total} ${documents}` : `Going on after ${done} of ${total} ${documents}`)
    },
    advance() {
      const tenths = Math.floor((done * 10) / total)
      done++
      if (Math.floor((done * 10) / total) > tenths) write(`${Math.floor((done * 100) / total)} % (${done} of ${total})`)
    },
    stop() {},
  }
}

function createBar(output: NodeJS.WriteStream): Progress {
  const bar = new cliProgress.SingleBar(
    { stream: output, format: 'Reading {bar} {percentage} % | {value} of {total} documents', hideCursor: true },
    cliProgress.Presets.shades_classic,
  )
  return {
    start: (total, done = 0) => bar.start(total, done),
    advance: () => bar.increment(),
    stop: () => bar.stop(),
  }
}
