import type { AnyActorRef } from 'xstate'
import { toStarted } from './base.ts'
import type { Compiled } from './compile.ts'
import { RunJournal } from './run-journal.ts'
import type { StoredRecord } from './store.ts'

/** A journal that keeps the records in this process, for `history()`. */
export interface MemoryJournal {
  readonly journal: RunJournal
  /** Writes down that the run of `actor` begins, which has not started. */
  begin(actor: AnyActorRef): void
}

/** What cannot be kept is left out here: nobody goes on from these records. */
export function createMemoryJournal({ departing }: Compiled): MemoryJournal {
  const records: StoredRecord[] = []
  const telling: typeof departing = (run, blobs) => ({
    ...departing(run, blobs),
    policy: 'warn_drop',
    onDrop: () => {},
  })
  const nothing = () => {}
  const journal = new RunJournal({
    owner: { id: '', epoch: 1, leaseMs: Number.POSITIVE_INFINITY },
    commit: {
      add: (writing) => {
        records.push(...writing.records)
        queueMicrotask(() => writing.onWritten())
      },
    },
    departing: telling,
    lease: undefined,
    keepBase: undefined,
    records: async () => [...records],
    ...{ onAsked: nothing, onEnd: nothing, onLost: nothing },
  })
  return {
    journal,
    begin: (actor) => {
      records.push(toStarted(actor, telling))
      journal.attach(actor, 1, 'running', { behindBase: 0, base: 0 })
    },
  }
}
