import { messageOf } from '../codec-error.ts'
import { engineClasses } from '../engine-classes.ts'
import type { Store } from '../store.ts'
import { NoSuchRun } from './command-error.ts'
import { toFoldedView } from './folded-view.ts'
import { toRecordedView } from './recorded-view.ts'
import type { RunView } from './run-view.ts'
import { StandIns } from './stand-ins.ts'
import type { Known } from './store-command.ts'

/**
 * Where a run stands: by its workflow, if that is known and can read the records, else by the records alone.
 *
 * @throws CommandError if there is no such run.
 */
export async function readView(store: Store, runId: string, known: Known): Promise<RunView> {
  const stored = await store.load(runId)
  if (stored === undefined) throw new NoSuchRun(runId)
  const compiled = known.of(stored.info)
  const classes = new StandIns(compiled?.blueprint.classes ?? engineClasses())
  if (compiled === undefined) {
    const view = toRecordedView(stored, classes)
    if (known.names.length === 0) return view
    const names = known.names.map((name) => `"${name}"`).join(', ')
    const missing = `The modules have no workflow "${stored.info.workflow}". They have: ${names}.`
    return { ...view, unknown: [missing, ...view.unknown] }
  }
  try {
    return toFoldedView(compiled, stored)
  } catch (error) {
    const view = toRecordedView(stored, classes)
    return { ...view, unknown: [`The workflow cannot read the run: ${messageOf(error)}`, ...view.unknown] }
  }
}
