import { classOf } from './class-codec.ts'
import { messageOf } from './codec-error.ts'
import { BlazenStateError } from './errors.ts'
import type { FieldStore } from './field-store.ts'

/** What a class of state says of its fields. */
export interface StateMeta {
  /** Fields that are not kept: connections, caches. They are `null` after a resume, for `restore()` to fill. */
  readonly transient?: readonly string[]
  /** Fields that are kept elsewhere. */
  readonly storeBy?: Readonly<Record<string, FieldStore>>
}

declare const isState: unique symbol

/**
 * State as an object with typed fields: `ctx.set('state', s)` writes the fields that have changed and no others, and
 * `ctx.get('state')` gives the same instance while its run stays in this process. In another process it is rebuilt
 * before any step runs: constructed without arguments, for the defaults of its fields; given its fields; restored.
 *
 * What is written is what `set` finds. Steps that work on the same instance at the same time write beside each other,
 * field by field; so set right after a change. When an attempt fails, what it has changed is taken back: the next
 * `ctx.get` gives another instance, with the fields as they were, and the transient ones of the instance before.
 *
 * @example
 * class PipelineState extends BlazenState {
 *   static override meta = { transient: ['conn'], storeBy: { weights: new CallbackFieldStore({ save, load }) } }
 *   inputPath = ''
 *   weights = new Uint8Array()
 *   conn: Database | null = null
 *   override restore() {
 *     if (this.inputPath) this.conn = new Database(this.inputPath)
 *   }
 * }
 */
export class BlazenState {
  static meta: StateMeta = {}

  /** Makes the type one of its own, so that nothing else is taken for a state. It is in the types alone. */
  declare protected readonly [isState]: true

  /** Makes the transient fields again, after all others are there, and those of inner states. Awaited. */
  restore?(): void | Promise<void>
}

/** What the class of this prototype says of its fields. */
export function metaOf(prototype: object): StateMeta {
  const owner: unknown = classOf(prototype)
  return typeof owner === 'function' && 'meta' in owner ? ((owner.meta as StateMeta | undefined) ?? {}) : {}
}

/**
 * A new instance, with the defaults of its fields.
 *
 * @throws BlazenStateError `state_constructor`
 */
export function constructState(prototype: object, at: { key: string; className: string }): BlazenState {
  try {
    return Reflect.construct(classOf(prototype) as unknown as new () => BlazenState, [])
  } catch (cause) {
    throw new BlazenStateError(
      'state_constructor',
      `State "${at.key}": class ${at.className} cannot be constructed without arguments (${messageOf(cause)}), and that is where the defaults of its fields come from. Give each parameter of its constructor a default.`,
      at,
      { cause },
    )
  }
}

const declared = new WeakMap<object, ReadonlySet<string>>()

/** The fields that every instance has. @throws BlazenStateError `state_constructor` */
export function declaredFields(prototype: object, at: { key: string; className: string }): ReadonlySet<string> {
  let fields = declared.get(prototype)
  if (fields === undefined) declared.set(prototype, (fields = new Set(Object.keys(constructState(prototype, at)))))
  return fields
}
