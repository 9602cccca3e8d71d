import { inspect } from 'node:util'
import { type ClassEntry, ClassRegistry } from '../class-codec.ts'

/** What an `encode` made of an instance whose class is not here. */
export class EncodedInstance {
  constructor(
    readonly className: string,
    readonly data: unknown,
  ) {}

  [inspect.custom](_depth: number, options: object): string {
    return `${this.className}(${inspect(this.data, options)})`
  }
}

/** Classes for values that are only shown: for one that is not registered, an empty class of its name stands. */
export class StandIns extends ClassRegistry {
  readonly #made = new Map<string, ClassEntry>()
  readonly #byPrototype = new Map<object, ClassEntry>()

  override standIn(name: string, isEncoded: boolean): ClassEntry {
    const key = JSON.stringify([name, isEncoded])
    let entry = this.#made.get(key)
    if (entry === undefined) {
      entry = isEncoded
        ? toEncoded(name)
        : { name, prototype: namedPrototype(name), encode: undefined, decode: undefined }
      this.#made.set(key, entry)
      this.#byPrototype.set(entry.prototype, entry)
    }
    return entry
  }

  override of(prototype: object): ClassEntry | undefined {
    return this.#byPrototype.get(prototype) ?? super.of(prototype)
  }
}

function toEncoded(name: string): ClassEntry {
  const encode = (instance: unknown) => (instance instanceof EncodedInstance ? instance.data : instance)
  return { name, prototype: namedPrototype(name), encode, decode: (data) => new EncodedInstance(name, data) }
}

/** The prototype of a class of this name and nothing else: what prints its instances finds the name there. */
export function namedPrototype(name: string): object {
  const named = class {}
  Object.defineProperty(named, 'name', { value: name })
  return named.prototype
}
