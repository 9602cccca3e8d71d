/** What commands write to: the process, or what a test has in its place. */
export interface Terminal {
  /** Results: what a program would read. */
  print(text: string): void
  /** What only a person would read: progress, hints. */
  tell(text: string): void
  readonly now: number
  /** How many characters fit on a line. */
  readonly width: number
  readonly hasColors: boolean
  /** What the process is to exit with: 0 for what worked. */
  exitCode: number
  bold(text: string): string
  dim(text: string): string
}

/** The terminal of this process. No colours where its output goes elsewhere, or `NO_COLOR` is set. */
export function createTerminal({ stdout, stderr, env }: NodeJS.Process): Terminal {
  const hasColors = stdout.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb'
  const painted = (open: number, close: number) => (text: string) =>
    hasColors ? `\u001b[${open}m${text}\u001b[${close}m` : text
  return {
    print: (text) => void stdout.write(`${text}\n`),
    tell: (text) => void stderr.write(`${text}\n`),
    get now() {
      return Date.now()
    },
    width: stdout.isTTY === true ? Math.max(60, stdout.columns) : 160,
    hasColors,
    exitCode: 0,
    bold: painted(1, 22),
    dim: painted(2, 22),
  }
}
