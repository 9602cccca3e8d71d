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

/** A run that is not there. What helps depends on where it was looked for. */
export class NoSuchRun extends CommandError {
  constructor(runId: string) {
    super(`The store has no run "${runId}".`)
  }
}
