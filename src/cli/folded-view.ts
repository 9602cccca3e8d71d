import { createActor } from 'xstate'
import { ArrivedRun, type Compiled, nestedIn } from '../compile.ts'
import type { Hop } from '../inner-fact.ts'
import { type Blueprint, checkAnswer } from '../live-run.ts'
import { findRequest, pendingInputs } from '../open-request.ts'
import type { StoredRun } from '../store.ts'
import { readStoredRun } from '../stored-run.ts'
import type { RunView } from './run-view.ts'
import { toShownState } from './shown-state.ts'

/**
 * Where a run stands after all of its records, as its workflow folds them. No step runs.
 *
 * @throws SnapshotError for records of another workflow than this one, and where a class is missing.
 */
export function toFoldedView(compiled: Compiled, stored: StoredRun): RunView {
  const { picture } = readStoredRun(compiled, stored)
  const { data, status } = picture
  const isActive = status === 'active'
  // Never started: it is there to be looked at, with the runs inside it.
  const { run } = createActor(compiled.machine, { snapshot: new ArrivedRun(picture) as never }).getSnapshot().context
  return {
    info: stored.info,
    toldBy: 'workflow',
    requests: isActive ? pendingInputs(run) : [],
    check: (requestId, response) => {
      const asked = findRequest(run, requestId)
      return asked && checkAnswer(blueprintAt(compiled, asked.way), asked.request, response)
    },
    executions: (isActive ? data.open : []).map(({ id, step, event, attempt, dueAt }) => {
      return { id, step, event, attempt, dueAt: dueAt ?? null }
    }),
    queue: isActive ? data.queue : [],
    delayed: (isActive ? data.timers : []).flatMap(({ event, dueAt }) =>
      event === undefined ? [] : [{ event, dueAt }],
    ),
    collected: Object.fromEntries(
      Array.from(data.collections, ([type, all]) => [type, all.map(({ event }) => event)] as const),
    ),
    state: toShownState(data.state),
    ...(status === 'done' ? { result: data.result } : {}),
    ...(data.failure === undefined ? {} : { failure: toShownFailure(data.failure) }),
    unknown: [],
  }
}

function blueprintAt(compiled: Compiled, way: readonly Hop[]): Blueprint {
  return way.reduce((outer, [, step, name]) => nestedIn(outer.definition, step, name) ?? outer, compiled).blueprint
}

function toShownFailure(failure: { readonly kind: string }): RunView['failure'] {
  const { kind, cause, reason, error } = failure as { kind: string; cause?: unknown; reason?: unknown; error?: unknown }
  return { kind, error: cause ?? reason ?? error }
}
