import type { AnyEventObject } from 'xstate'
import { type Answered, type InputRequest, type Run, startType } from '../machines/index.ts'
import { isBase } from './base.ts'
import type { Compiled } from './compile.ts'
import { BlazenError } from './errors.ts'
import { type AnyEvent, checkEvent } from './event.ts'
import { checkAnswer } from './live-run.ts'
import type { Arrived } from './snapshot-read.ts'
import { checkStartEvent } from './start-event.ts'
import type { StoredRecord } from './store.ts'
import { type Reading, readStoredRun } from './stored-run.ts'

/** Where a fork begins, and what is otherwise there. */
export interface ForkOptions {
  /** The number of the record after which the new run goes on. */
  readonly at: number
  /** What that record should have held: another event (of `started`, `event` or `sent`), or another answer. */
  readonly edit?: {
    readonly event?: AnyEvent | { readonly type: string; readonly [field: string]: unknown }
    readonly response?: unknown
  }
  /** The id of the new run. @default a random UUID */
  readonly runId?: string
}

/**
 * The run as it was just after a record, under another id, for a new run to begin with.
 *
 * @throws BlazenError (`fork`) where there is no such record, or nothing in it to edit; EventValidationError.
 */
export function forkAt(
  compiled: Compiled,
  { base: newest, records }: Reading,
  { at, edit }: ForkOptions,
  runId: string,
): Arrived {
  const record = records.find(({ seq }) => seq === at)
  // What is before the first base that is left cannot be folded any more.
  const from = Math.min(
    records.find((each) => isBase(each))?.seq ?? Number.POSITIVE_INFINITY,
    newest?.seq ?? Number.POSITIVE_INFINITY,
  )
  if ((record === undefined && newest?.seq !== at) || at < from) {
    throw new BlazenError(
      'fork',
      `The run cannot be forked at record ${at}: expected a number from ${from} to ${records.at(-1)?.seq ?? from}.`,
    )
  }
  const base = newest !== undefined && newest.seq <= at ? newest : undefined
  const kept = records.filter(({ seq }) => seq <= at)
  if (edit === undefined) return named(readStoredRun(compiled, { base, records: kept }).picture, runId)
  if (record?.kind === 'started') return startedWith(compiled, kept, edit, runId)
  let isEdited = false
  const { picture } = readStoredRun(compiled, { base, records: kept }, (fact, { seq }, actor) => {
    if (seq !== at) return fact
    isEdited = true
    return edited(compiled, fact, edit, actor.getSnapshot().context.run)
  })
  if (!isEdited) throw nothingToEdit(record)
  return named(picture, runId)
}

function startedWith(
  compiled: Compiled,
  records: readonly StoredRecord[],
  { event }: NonNullable<ForkOptions['edit']>,
  runId: string,
): Arrived {
  if (event === undefined) throw nothingToEdit(records[0])
  const { picture } = readStoredRun(compiled, { base: undefined, records })
  const checked = event.type === startType ? checkStartEvent(compiled.definition, event) : event
  const open = picture.data.open.map((execution) => Object.assign(execution, { event: checked }))
  return named({ ...picture, data: { ...picture.data, open } }, runId)
}

function edited(
  { blueprint }: Compiled,
  fact: AnyEventObject,
  edit: NonNullable<ForkOptions['edit']>,
  { requests }: Run,
): AnyEventObject {
  const check = (event: AnyEvent) => checkEvent(event, blueprint.schemas.get(event.type))
  if (fact.type === 'blazen.answered' && 'response' in edit) {
    const answered = fact as unknown as Answered
    const request = requests.get(answered.requestId) as InputRequest
    const response = checkAnswer(blueprint, request, edit.response)
    return { ...fact, response: { ...answered.response, response } }
  }
  if (edit.event !== undefined && fact.type === 'blazen.sent') return { ...fact, event: check(edit.event) }
  if (edit.event !== undefined && !fact.type.startsWith('blazen.')) return check(edit.event)
  throw nothingToEdit(undefined)
}

function named(picture: Arrived, id: string): Arrived {
  // What was paused goes on in the fork.
  return { ...picture, data: { ...picture.data, id } }
}

function nothingToEdit(record: StoredRecord | undefined): BlazenError {
  return new BlazenError(
    'fork',
    `The record${record === undefined ? '' : ` ${record.seq} (${record.kind})`} holds no such thing to edit: expected edit.event for what was started, sent or came from outside, and edit.response for an answer.`,
  )
}
