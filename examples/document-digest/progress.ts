import cliProgress from 'cli-progress'

/** Shows how far a run is. */
export interface Progress {
  start(total: number): void
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
    start(count) {
      total = count
      write(`Reading ${total} ${total === 1 ? 'document' : 'documents'}`)
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
    start: (total) => bar.start(total, 0),
    advance: () => bar.increment(),
    stop: () => bar.stop(),
  }
}
