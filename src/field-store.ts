/** What a field store is told beside key and value. */
export interface FieldContext {
  readonly runId: string
  readonly workflow: string
  /**
   * Names this very save: what is loaded later is asked for by the same version. A store that makes it a part of its own
   * key never shows a run a value that was saved after its snapshot, or by a step that did not settle.
   */
  readonly version: string
}

/** Keeps the values of a field elsewhere: in files, in a bucket. The key is `<key of the state>.<field>`. */
export interface FieldStore<Value = unknown> {
  /** Called when the step settles, with values that have changed, and awaited. A rejection fails the attempt. */
  save(key: string, value: Value, ctx: FieldContext): void | Promise<void>
  /** Called before any step runs in a process that the run came to. A rejection fails the run. */
  load(key: string, ctx: FieldContext): Value | Promise<Value>
}

/**
 * A field store of two functions.
 *
 * @example
 * static override meta = {
 *   storeBy: { weights: new CallbackFieldStore({ save: (key, bytes) => writeFile(key, bytes), load: (key) => readFile(key) }) },
 * }
 */
export class CallbackFieldStore<Value = unknown> implements FieldStore<Value> {
  readonly save: FieldStore<Value>['save']
  readonly load: FieldStore<Value>['load']

  constructor({ save, load }: FieldStore<Value>) {
    this.save = (key, value, ctx) => save(key, value, ctx)
    this.load = (key, ctx) => load(key, ctx)
  }
}
