import { toArgument } from './shown-value.ts'

/** What a command was given that the next one needs as well. */
export interface Given {
  readonly store?: string | undefined
  readonly schema?: string | undefined
  readonly workflows?: readonly string[] | undefined
}

/** A command to go on with: on the same store, and with the same modules, as they were given to this one. */
export function toHint(command: string, { store, schema, workflows = [] }: Given): string {
  const words = [command]
  // What is in the environment is there for the next command, too.
  if (store !== undefined && store !== process.env.BLAZEN_STORE)
    words.push('--store', toArgument(withoutPassword(store)))
  if (schema !== undefined) words.push('--schema', toArgument(schema))
  for (const path of workflows) words.push('-w', toArgument(path))
  return words.join(' ')
}

/** How a request is answered. */
export function toAnswerHint(runId: string, requestId: string, given: Given): string {
  return toHint(`blazen answer ${toArgument(runId)} ${toArgument(requestId)} '…'`, given)
}

/** What is printed is read by others: the place of the password is left to be filled in. */
function withoutPassword(url: string): string {
  return url.replace(/^([a-z]+:\/\/[^:@/]*):[^@/]*@/i, '$1:…@')
}
