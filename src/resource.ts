/** The run and step that a resource is opened for. */
export interface ResourceContext {
  readonly runId: string
  readonly workflow: string
  readonly step: string
  readonly signal: AbortSignal
}

/** A live thing that the engine opens and closes, such as a connection. */
export interface Resource<Value = unknown> {
  /** Opens it, when a step first asks for it; again after the run resumed elsewhere. */
  readonly open: (ctx: ResourceContext) => Value | Promise<Value>
  /** A method, so that a resource of any type is a `Resource`. */
  close?(value: Value): unknown
}

/**
 * Declares a resource of the session: opened when a step first asks for it, closed once when the run has ended,
 * however it ended, and opened anew after the run resumed elsewhere. It is never in the way of a pause.
 *
 * @example
 * workflow('import', { session: { db: resource({ open: () => new Database('app.db'), close: (db) => db.close() }) } })
 */
export function resource<Value>(definition: {
  readonly open: (ctx: ResourceContext) => Value | Promise<Value>
  readonly close?: (value: Value) => unknown
}): Resource<Value> {
  return definition
}
