import type { Attempt } from '../machines/index.ts'
import { metaOf } from './blazen-state.ts'
import { read } from './codec.ts'
import { messageOf } from './codec-error.ts'
import { BlazenStateError } from './errors.ts'
import type { FieldContext } from './field-store.ts'
import { resolved } from './state-capture.ts'
import { type Field, headOf, pathText, StateObject } from './state-object.ts'

type Due = readonly [object: StateObject, field: Field]

/** Saves what settling steps have written for field stores: one step after the other, so that the last to settle is the last to save. */
export class FieldSaver {
  readonly #run: Omit<FieldContext, 'version'>
  #saving: Promise<void> | undefined

  constructor(run: Omit<FieldContext, 'version'>) {
    this.#run = run
  }

  /**
   * Saves the fields that are about to be committed; `undefined` if there is nothing to wait for.
   *
   * @throws BlazenStateError `field_save`, when all that was begun has ended.
   */
  save(attempt: Attempt): Promise<void> | undefined {
    const { writes } = attempt
    if (writes === undefined) return undefined
    if (this.#saving === undefined ? due(attempt).length === 0 : !touchesObjects(attempt)) return undefined
    const saving = (this.#saving ?? Promise.resolve()).then(() =>
      // What others have committed meanwhile may have made it void.
      attempt.over ? undefined : this.saveAll(due(attempt)),
    )
    const done = () => {
      if (this.#saving === ended) this.#saving = undefined
    }
    // The step settles in a reaction to `saving`, one turn before those who wait for `ended` go on.
    const ended: Promise<void> = saving.then(done, done)
    this.#saving = ended
    return saving
  }

  async saveAll(fields: readonly Due[]): Promise<void> {
    const saved = await Promise.allSettled(fields.map((each) => this.#save(each)))
    for (const each of saved) if (each.status === 'rejected') throw each.reason
  }

  async #save([object, { path, value, entry }]: Due): Promise<void> {
    const { key } = object
    const field = path.join('.')
    const owner = path.slice(0, -1)
    const prototype = object.fields.get(pathText(owner))?.prototype ?? Object.prototype
    const { version } = entry as unknown as { version: string }
    try {
      await metaOf(prototype).storeBy?.[path.at(-1) ?? '']?.save(`${key}.${field}`, read(value), {
        ...this.#run,
        version,
      })
    } catch (cause) {
      const { class: className } = headOf(object, owner)
      throw new BlazenStateError(
        'field_save',
        `State "${key}" (${className}): field "${field}" cannot be saved: ${messageOf(cause)}. Nothing of the state was written.`,
        { key, className, field },
        { cause },
      )
    }
  }
}

/** The fields of an object that field stores keep. */
export function storedFields(object: StateObject): Due[] {
  return [...object.fields.values()].filter(({ kind }) => kind === 'store').map((field) => [object, field])
}

function due({ writes, run }: Attempt): Due[] {
  const found: Due[] = []
  for (const [key, value] of writes ?? []) {
    // A look at what readers see spares the recipes of `update` another run.
    if (!(run.state.get(key) instanceof StateObject)) continue
    const committed = run.state.upcoming(key)
    const object = resolved(value, committed)
    if (!(object instanceof StateObject)) continue
    const before = committed instanceof StateObject ? committed.fields : undefined
    for (const each of storedFields(object)) if (before?.get(pathText(each[1].path)) !== each[1]) found.push(each)
  }
  return found
}

function touchesObjects({ writes, run }: Attempt): boolean {
  for (const key of writes?.keys() ?? []) {
    if (run.state.get(key) instanceof StateObject || run.state.upcoming(key) instanceof StateObject) return true
  }
  return false
}
