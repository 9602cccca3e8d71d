import { BlazenError } from './errors.ts'
import { isPermanent } from './store-retry.ts'
import { warn } from './warn.ts'

/**
 * How a host tells of what fails and nobody waits for: to the function that was given for it, else as a process warning,
 * one for each kind. What that function throws is a warning too, and no matter of the runs.
 */
export function createReport(onStoreError: ((error: unknown) => unknown) | undefined): (error: unknown) => void {
  const warned = new Set<string>()
  const warnOnce = (kind: string, message: string): void => {
    if (warned.has(kind)) return
    warned.add(kind)
    warn('BLAZEN_STORE_FAILED', `createHost: ${message}`)
  }
  const refused = (thrown: unknown) =>
    warnOnce('', `onStoreError failed, which changes nothing for the runs: ${describe(thrown)}`)
  return (error) => {
    if (onStoreError === undefined) {
      const rest = 'Told once for each kind of failure: give createHost an onStoreError to hear of all of them.'
      warnOnce(kindOf(error), `${describe(error)} ${rest}`)
      return
    }
    try {
      const told = onStoreError(error)
      if (told instanceof Promise) told.catch(refused)
    } catch (thrown) {
      refused(thrown)
    }
  }
}

function kindOf(error: unknown): string {
  if (error instanceof BlazenError) return `${error.code} ${isPermanent(error)}`
  return error instanceof Error ? error.name : typeof error
}

function describe(thrown: unknown): string {
  try {
    return String(thrown)
  } catch {
    return 'a value that cannot be read'
  }
}
