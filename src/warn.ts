/** Says something that somebody should look at and that fails nothing: as a process warning, else on the console. */
export function warn(code: string, message: string): void {
  const { process } = globalThis as { process?: { emitWarning?(message: string, options: { code: string }): void } }
  if (process?.emitWarning !== undefined) process.emitWarning(message, { code })
  // biome-ignore lint/suspicious/noConsole: where there is no process, nothing else can be told.
  else console.warn(`${code}: ${message}`)
}
