import { ClassRegistry, defaultClasses } from './class-codec.ts'
import { BranchesFailedError, StageError } from './composition-errors.ts'
import * as errors from './errors.ts'

let registry: ClassRegistry | undefined

/** The classes of `registerClass`, and the engine's own errors, which keep their class through snapshots. */
export function engineClasses(): ClassRegistry {
  if (registry !== undefined) return registry
  registry = new ClassRegistry(defaultClasses)
  for (const [name, value] of Object.entries({ ...errors, BranchesFailedError, StageError })) {
    if (typeof value === 'function') registry.register(value, { name: `blazen.${name}` })
  }
  return registry
}
