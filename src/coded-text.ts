import { stringify, unflatten } from 'devalue'
import type { ClassEntry, ClassRegistry } from './class-codec.ts'
import {
  createBlankError,
  type DomExceptionParts,
  domExceptionPartsOf,
  errorNamesOf,
  isError,
  standInPrototype,
} from './error-codec.ts'
import { Encoded } from './value-copy.ts'

/**
 * The one tag under which the text holds all that devalue does not know, as a list that begins with its kind.
 *
 * An object that holds itself is asked for before its list is complete: see {@link Rebuilder}.
 */
const tag = 'blazen'

/** The text of a copied value. */
export function encodeText(value: unknown, classes: ClassRegistry): string {
  return stringify(value, { [tag]: (part: unknown) => lower(part, classes) })
}

/** The text holds an instance of a class that is not registered here, or is with another codec. */
export class MissingClass extends Error {}

/** The value of a text. It must be copied before anybody sees it. Throws on damage, and {@link MissingClass}. */
export function decodeText(text: string, classes: ClassRegistry): unknown {
  const rebuilder = new Rebuilder(classes)
  const value: unknown = unflatten(JSON.parse(text), { [tag]: (list: unknown) => rebuilder.rebuild(list) })
  rebuilder.requireComplete()
  return value
}

function lower(part: unknown, classes: ClassRegistry): readonly unknown[] | undefined {
  if (typeof part !== 'object' || part === null) return undefined
  if (part instanceof Encoded) return ['codec', part.entry.name, part.data]
  if (part instanceof RegExp)
    return part.lastIndex === 0 ? undefined : ['regexp', part.source, part.flags, part.lastIndex]
  const prototype: object | null = Object.getPrototypeOf(part)
  if (prototype === null || prototype === Object.prototype) {
    return Object.hasOwn(part, '__proto__') ? ['object', prototype === null, fieldsOf(part, true)] : undefined
  }
  const entry = classes.of(prototype)
  if (isError(part)) return lowerError(part, entry?.name)
  return entry === undefined ? undefined : ['class', entry.name, fieldsOf(part, true)]
}

function lowerError(error: Error, registeredName: string | undefined): readonly unknown[] {
  const { name, base } = errorNamesOf(error)
  return [
    'error',
    registeredName ?? name,
    base,
    domExceptionPartsOf(error),
    fieldsOf(error, false),
    fieldsOf(error, true),
  ]
}

function fieldsOf(owner: object, enumerable: boolean): readonly unknown[] {
  return Object.getOwnPropertyNames(owner)
    .filter((key) => Object.prototype.propertyIsEnumerable.call(owner, key) === enumerable)
    .flatMap((key) => [key, Reflect.get(owner, key)])
}

/** How long the list of each kind is. */
const lengths = new Map([
  ['codec', 3],
  ['regexp', 4],
  ['object', 3],
  ['class', 3],
  ['error', 6],
])

/**
 * Makes objects out of lists. An object that holds itself is asked for while its list is still being read,
 * so it is made from the list's first items, and gets its fields when the list is complete.
 */
class Rebuilder {
  private readonly shells = new Map<unknown, object>()
  private readonly incomplete = new Set<unknown>()

  constructor(private readonly classes: ClassRegistry) {}

  rebuild(list: unknown): unknown {
    if (!Array.isArray(list) || lengths.get(list[0]) !== list.length) throw damaged('an object of an unknown kind')
    let shell = this.shells.get(list)
    if (shell === undefined) {
      shell = this.createShell(list)
      this.shells.set(list, shell)
      this.incomplete.add(list)
    }
    if (Object.hasOwn(list, list.length - 1) && this.incomplete.delete(list)) fill(shell, list)
    return shell
  }

  requireComplete(): void {
    if (this.incomplete.size > 0) throw damaged('an object with parts missing')
  }

  private createShell(list: readonly unknown[]): object {
    const [kind, first, second, third] = list
    switch (kind) {
      case 'regexp':
        return new RegExp(textOf(first), textOf(second))
      case 'object':
        return first === true ? Object.create(null) : {}
      case 'class':
        return Object.create(this.classNamed(textOf(first), false).prototype)
      case 'codec':
        if (!Object.hasOwn(list, 2)) throw damaged('an encoded instance that holds itself')
        return new Encoded(this.classNamed(textOf(first), true), second)
      default:
        return createBlankError(this.errorPrototype(textOf(first), textOf(second)), readDomExceptionParts(third))
    }
  }

  private classNamed(name: string, encoded: boolean): ClassEntry {
    const entry = this.classes.named(name)
    if (entry !== undefined && (entry.decode !== undefined) === encoded) return entry
    const standIn = this.classes.standIn(name, encoded)
    if (standIn !== undefined) return standIn
    const repair = `register it, as in workflow(name, { classes: [${name}] }) or registerClass(${name})`
    if (entry === undefined)
      throw new MissingClass(`it holds an instance of class "${name}", which is not registered here: ${repair}.`)
    throw new MissingClass(
      `it holds an instance of class "${name}" that was written ${encoded ? 'by an encode' : 'as its fields'}, and the class registered here has ${encoded ? 'no' : 'a'} decode.`,
    )
  }

  private errorPrototype(name: string, base: string): object {
    const registered = this.classes.named(name)?.prototype
    const prototype = registered instanceof Error ? registered : standInPrototype(name, base)
    if (prototype === undefined) throw damaged(`an error of the unknown kind "${base}"`)
    return prototype
  }
}

function fill(shell: object, list: readonly unknown[]): void {
  if (shell instanceof RegExp) shell.lastIndex = Number(list[3])
  else if (list[0] === 'error') {
    defineFields(shell, list[4], false)
    defineFields(shell, list[5], true)
  } else if (list[0] !== 'codec') defineFields(shell, list[2], true)
}

function defineFields(target: object, fields: unknown, enumerable: boolean): void {
  if (!Array.isArray(fields)) throw damaged('an object without fields')
  for (let at = 0; at < fields.length; at += 2) {
    Object.defineProperty(target, textOf(fields[at]), {
      value: fields[at + 1],
      enumerable,
      writable: true,
      configurable: true,
    })
  }
}

function readDomExceptionParts(value: unknown): DomExceptionParts | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  return { message: textOf(Reflect.get(value, 'message')), name: textOf(Reflect.get(value, 'name')) }
}

function textOf(value: unknown): string {
  if (typeof value !== 'string') throw damaged('a name that is no text')
  return value
}

function damaged(what: string): Error {
  return new Error(`found ${what}`)
}
