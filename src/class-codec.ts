import { CodecError } from './codec-error.ts'

/**
 * The key of a static codec on a class, for classes that describe themselves.
 *
 * @example
 * class Money {
 *   static [classCodec] = { name: 'Money', encode: (m: Money) => m.cents, decode: (cents: number) => new Money(cents) }
 * }
 */
export const classCodec: unique symbol = Symbol.for('blazen.classCodec')

/** How instances of a class are kept. */
export interface ClassCodec<Instance = unknown, Data = unknown> {
  /**
   * The name in snapshots. It must stay the same over builds and processes, so give one where a minifier renames classes.
   * @default the class's own name
   */
  readonly name?: string
  /**
   * What to keep of an instance: any value that can be kept itself. It is called when the value is taken.
   * @default the own enumerable fields, which leaves out `#private` ones: classes with these need an `encode`
   */
  readonly encode?: (instance: Instance) => Data
  /**
   * Makes an instance of what `encode` gave, whose plain parts are frozen. It is called at each read.
   * @default restores fields and prototype, and does not run the constructor
   */
  readonly decode?: (data: Data) => Instance
}

/** A class, also one whose constructor is private or abstract. */
export type Class<Instance extends object = object> = { readonly name: string; readonly prototype: Instance }

/** A class under its name. */
export interface ClassEntry {
  readonly name: string
  readonly prototype: object
  readonly encode: ((instance: unknown) => unknown) | undefined
  readonly decode: ((data: unknown) => unknown) | undefined
}

/**
 * Classes by name and by prototype. A registry made by {@link ClassRegistry.extend} sees those of its parent too,
 * also the ones that the parent learns later.
 */
export class ClassRegistry {
  private readonly byName = new Map<string, ClassEntry>()
  private readonly byPrototype = new Map<object, ClassEntry>()

  constructor(private readonly parent?: ClassRegistry) {}

  /**
   * Adds a class. Adding it again with the same codec changes nothing.
   *
   * @throws {@link CodecError} `class-invalid`: the name is missing, looks minified, or belongs to another class;
   * or the class needs an `encode` and a `decode`.
   */
  register<Instance extends object, Data>(target: Class<Instance>, codec?: ClassCodec<Instance, Data>): void {
    const entry = toEntry(target, codec === undefined ? (staticCodecOf(target) ?? {}) : untyped(codec))
    const namesake = this.named(entry.name)
    if (namesake !== undefined && namesake.prototype !== entry.prototype) {
      throw invalid(
        `Two classes are registered as "${entry.name}": give one of them another name, as in registerClass(${target.name}, { name: '…' }).`,
      )
    }
    const earlier = this.byPrototype.get(entry.prototype)
    if (
      earlier !== undefined &&
      (earlier.name !== entry.name || earlier.encode !== entry.encode || earlier.decode !== entry.decode)
    ) {
      throw invalid(
        `Class "${earlier.name}" is registered already, with another codec${earlier.name === entry.name ? '' : ` and as "${entry.name}"`}: register it once.`,
      )
    }
    this.byName.set(entry.name, entry)
    this.byPrototype.set(entry.prototype, entry)
  }

  /** A registry with these classes beside the ones of this; this one itself where there are none. */
  extend(targets: readonly Class[] = []): ClassRegistry {
    if (targets.length === 0) return this
    const extended = new ClassRegistry(this)
    for (const target of targets) extended.register(target)
    return extended
  }

  /** The class of this name. */
  named(name: string): ClassEntry | undefined {
    return this.byName.get(name) ?? this.parent?.named(name)
  }

  /** What stands for a class that is not here, where values are only shown: nothing, so that reading them fails. */
  standIn(_name: string, _isEncoded: boolean): ClassEntry | undefined {
    return undefined
  }

  /** The class whose instances have exactly this prototype. A class with a static codec is registered when it is first met. */
  of(prototype: object): ClassEntry | undefined {
    const known = this.byPrototype.get(prototype) ?? this.parent?.of(prototype)
    if (known !== undefined) {
      // A registry may extend a parent that has since given the name away: what is written must be found again by name.
      return this.named(known.name) === known ? known : undefined
    }
    const target = classOf(prototype)
    if (target === undefined || staticCodecOf(target) === undefined) return undefined
    this.register(target)
    return this.byPrototype.get(prototype)
  }
}

/** The classes that every workflow knows. */
export const defaultClasses: ClassRegistry = new ClassRegistry()

/**
 * Lets instances of a class survive in state, session and events.
 *
 * @example registerClass(UserProfile)
 * @example registerClass(Money, { name: 'Money', encode: (money) => money.cents, decode: (cents) => new Money(cents) })
 * @throws {@link CodecError} `class-invalid`: the name is missing, looks minified, or belongs to another class;
 * or the class needs an `encode` and a `decode`.
 */
export function registerClass<Instance extends object, Data>(
  target: Class<Instance>,
  codec?: ClassCodec<Instance, Data>,
): void {
  defaultClasses.register(target, codec)
}

/** The class that a prototype belongs to, read without running anybody's code. */
export function classOf(prototype: object): Class | undefined {
  const owner: unknown = Object.getOwnPropertyDescriptor(prototype, 'constructor')?.value
  return isClass(owner) && owner.prototype === prototype ? owner : undefined
}

function isClass(value: unknown): value is Class {
  return typeof value === 'function' && typeof value.prototype === 'object' && value.prototype !== null
}

function toEntry(target: Class, codec: ClassCodec): ClassEntry {
  if (!isClass(target)) throw invalid(`registerClass expects a class, got ${String(target)}.`)
  const name = codec.name ?? target.name
  if (typeof name !== 'string' || name === '' || (codec.name === undefined && name.length < 3)) {
    throw invalid(
      `Class "${String(name)}" has no name that is stable over builds: give one, as in registerClass(Class, { name: 'UserProfile' }).`,
    )
  }
  if ((codec.encode === undefined) !== (codec.decode === undefined)) {
    throw invalid(
      `Class "${name}" has ${codec.encode ? 'an encode and no decode' : 'a decode and no encode'}: give both or neither.`,
    )
  }
  const secretive = codec.encode === undefined ? secretiveBaseOf(target.prototype) : undefined
  if (secretive !== undefined) {
    throw invalid(
      `Class "${name}" ${secretive}, and fields are what is kept: give encode and decode, as in registerClass(${name}, { encode, decode }).`,
    )
  }
  return { name, prototype: target.prototype, encode: codec.encode, decode: codec.decode }
}

/**
 * The one place where a codec's types are forgotten. Codecs of all classes are kept in one Map;
 * each only ever gets instances, and data, of its own class.
 */
function untyped<Instance, Data>(codec: ClassCodec<Instance, Data>): ClassCodec {
  return codec as ClassCodec
}

/** An inherited static codec does not count: it would make instances of the base class. */
function staticCodecOf(target: Class): ClassCodec | undefined {
  const codec: unknown = Object.getOwnPropertyDescriptor(target, classCodec)?.value
  return typeof codec === 'object' && codec !== null ? codec : undefined
}

/** Why the fields of an instance are not all that there is to it, as far as the source of its classes tells. */
function secretiveBaseOf(prototype: object): string | undefined {
  let link: object | null = prototype
  while (link !== null && link !== Object.prototype && !isBuiltInError(link)) {
    const owner = classOf(link)
    const source = owner === undefined ? '' : Function.prototype.toString.call(owner)
    if (/\{\s*\[native code\]\s*\}$/.test(source)) return `extends ${owner?.name}, whose contents are no fields`
    if (/\.#[A-Za-z_$]/.test(source))
      return link === prototype ? 'has #private fields' : `extends ${owner?.name}, which has #private fields`
    link = Object.getPrototypeOf(link)
  }
  return undefined
}

function isBuiltInError(prototype: object): boolean {
  return prototype === Error.prototype || Object.getPrototypeOf(prototype) === Error.prototype
}

function invalid(message: string): CodecError {
  return new CodecError('class-invalid', message)
}
