/** What a command has to say to the one who gave it, and no more: no stack. */
export class CommandError extends Error {
  override name = 'CommandError'

  constructor(
    message: string,
    /** 1: it did not work. 2: it was given wrongly. */
    readonly exitCode: 1 | 2 = 1,
    options?: ErrorOptions,
  ) {
    super(message, options)
  }
}

/** @throws always */
export function noSuchRun(runId: string): CommandError {
  return new CommandError(`The store has no run "${runId}". List what it has: blazen runs`)
}
