import { type PathKey, Unkeepable } from './refusal.ts'

/** What copying a built-in object needs of the walk that it is part of. */
export interface Walk {
  /** The copy of a part, which is at this key. */
  copyAt(key: PathKey, part: unknown): unknown
  /** Says what the copy of an object is, for when it is met again. */
  remember<Made extends object>(source: object, copy: Made): Made
  /** The copy of an object that was met. */
  copyOf(source: object): unknown
  /** Whether a buffer is in the value as a whole, as far as the walk knows. */
  isWhole(buffer: ArrayBufferLike): boolean
  /** A view took its part of the buffer. */
  takePart(buffer: ArrayBufferLike): void
  /** Throws {@link NeedsWholeBuffer} where a view took its part of the buffer before. */
  takeWhole(buffer: ArrayBufferLike): void
}

/** Thrown to begin the walk again, when a buffer of which a view took its part turns out to be in the value as a whole. */
export class NeedsWholeBuffer {
  constructor(readonly buffer: ArrayBufferLike) {}
}

/** How to copy an object with this prototype, if it is a built-in one that can be kept; such copies cannot be frozen. */
export function builtInCopier(prototype: object): ((source: object, walk: Walk) => object) | undefined {
  return copiers.get(prototype)
}

const copiers = new Map<object, (source: object, walk: Walk) => object>()

/**
 * The one cast from a prototype to the type of its instances. What only pretends to be an instance is found out
 * by the language's own methods, which throw on it.
 */
function keep<Kind extends object>(prototype: Kind, copy: (source: Kind, walk: Walk) => object, ownFields = 0): void {
  copiers.set(prototype, (source, walk) => {
    if (ownFields >= 0 && Object.getOwnPropertyNames(source).length !== ownFields)
      throw new Unkeepable('a built-in object with fields of its own')
    return copy(source as Kind, walk)
  })
}

/** The names of a typed array begin with all of its indices: they are not looked at. */
const anyFields = -1

const forEachEntry = Map.prototype.forEach
const forEachMember = Set.prototype.forEach

keep<Map<unknown, unknown>>(Map.prototype, (source, walk) => {
  const copy = walk.remember(source, new Map<unknown, unknown>())
  forEachEntry.call(source, (item, key) => copy.set(walk.copyAt([key], key), walk.copyAt([key], item)))
  return copy
})

keep<Set<unknown>>(Set.prototype, (source, walk) => {
  const copy = walk.remember(source, new Set<unknown>())
  forEachMember.call(source, (item) => copy.add(walk.copyAt([item], item)))
  return copy
})

keep(Date.prototype, (source, walk) => walk.remember(source, new Date(Date.prototype.getTime.call(source))))
keep(URL.prototype, (source, walk) => walk.remember(source, new URL(source.href)))

const lastIndexAlone = 1
keep(
  RegExp.prototype,
  (source, walk) => {
    const copy = new RegExp(source.source, source.flags)
    copy.lastIndex = source.lastIndex
    return walk.remember(source, copy)
  },
  lastIndexAlone,
)

keep(ArrayBuffer.prototype, copyBuffer)
keep(DataView.prototype, (source, walk) =>
  copyView(source, 1, walk, (buffer, offset, length) => new DataView(buffer, offset, length)),
)

const typedArrays = [
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
]
for (const TypedArray of typedArrays) keepTypedArray(TypedArray.prototype, TypedArray)
/** A Buffer is bytes, and comes back as a Uint8Array like other bytes do. */
if (globalThis.Buffer !== undefined) keepTypedArray(globalThis.Buffer.prototype, Uint8Array)

function keepTypedArray(prototype: ArrayBufferView, TypedArray: (typeof typedArrays)[number]): void {
  const create: CreateView = (buffer, offset, length) => new TypedArray(buffer, offset, length)
  keep(prototype, (source, walk) => copyView(source, TypedArray.BYTES_PER_ELEMENT, walk, create), anyFields)
}

type CreateView = (buffer: ArrayBuffer, byteOffset: number, length: number) => ArrayBufferView

function copyBuffer(source: ArrayBuffer, walk: Walk): ArrayBuffer {
  const known = walk.copyOf(source)
  if (known instanceof ArrayBuffer) return known
  if (Reflect.get(source, 'resizable') === true) throw new Unkeepable('a resizable ArrayBuffer')
  walk.takeWhole(source)
  return walk.remember(source, source.slice(0))
}

/**
 * A view of a part of a buffer is taken as that part, unless the buffer is in the value as a whole too.
 * A Buffer never takes its pool along, which holds other people's bytes.
 */
function copyView(source: ArrayBufferView, bytesPerElement: number, walk: Walk, create: CreateView): ArrayBufferView {
  const { buffer, byteOffset, byteLength } = source
  const length = byteLength / bytesPerElement
  if (!(buffer instanceof ArrayBuffer)) throw new Unkeepable('memory that threads share')
  const isPart = byteLength !== buffer.byteLength
  const isPooled = isPart && globalThis.Buffer?.isBuffer(source) === true
  if (!isPooled && (!isPart || walk.isWhole(buffer))) {
    return walk.remember(source, create(copyBuffer(buffer, walk), byteOffset, length))
  }
  if (!isPooled) walk.takePart(buffer)
  return walk.remember(source, create(buffer.slice(byteOffset, byteOffset + byteLength), 0, length))
}
