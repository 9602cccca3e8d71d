import type { AnyEventObject } from 'xstate'
import { Child, type OfChild, type Run } from '../machines/index.ts'

/** One step of the way from a run to a run inside it. */
export type Hop = readonly [execution: number, step: string, name: string]

/** A fact, and the run that it is of: one inside another run reaches its parent wrapped. */
export interface InnerFact {
  readonly fact: AnyEventObject
  readonly run: Run
  /** From the outermost run; empty for its own facts. */
  readonly way: readonly Hop[]
  /** Whose run it is; `undefined` for the outermost. */
  readonly child: Child | undefined
}

export function unwrap(run: Run, fact: AnyEventObject): InnerFact {
  const way: Hop[] = []
  let inner = { fact, run, child: undefined as Child | undefined }
  while (inner.fact.type === 'blazen.child') {
    const { execution: id, name, event } = inner.fact as unknown as OfChild
    const execution = inner.run.open.get(id)
    const child = execution?.children?.get(name)
    if (execution === undefined || !(child instanceof Child)) break
    way.push([id, execution.step, name])
    inner = { fact: event, run: child.run, child }
  }
  return { ...inner, way }
}

/** The fact as it reaches the outermost run. */
export function wrap(way: readonly Hop[], fact: AnyEventObject): AnyEventObject {
  return way.reduceRight<AnyEventObject>(
    (event, [execution, , name]) => ({ type: 'blazen.child', execution, name, event }) satisfies OfChild,
    fact,
  )
}
