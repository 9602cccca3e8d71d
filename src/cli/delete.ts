import type { Command } from 'commander'
import { endedStatuses } from '../store-rules.ts'
import { CommandError } from './command-error.ts'
import { toArgument, toPlain } from './shown-value.ts'
import { addStoreCommand, printJson, requireRun, type StoreOptions, withStore } from './store-command.ts'
import type { Terminal } from './terminal.ts'

interface DeleteOptions extends StoreOptions {
  readonly force?: boolean
}

export function addDelete(program: Command, terminal: Terminal): void {
  addStoreCommand(program, 'delete', 'delete a run that has ended, with all that is stored of it')
    .argument('<id>', 'the run')
    .option('--force', 'also one that has not ended: it ends without a trace')
    .action(async (runId: string, options: DeleteOptions) => {
      await withStore(options, async (store) => {
        const { status } = await requireRun(store, runId)
        if (!endedStatuses.includes(status) && !options.force) {
          throw new CommandError(
            `Run ${toPlain(runId)} has not ended (${toPlain(status)}). Abort it first (blazen abort ${toArgument(runId)}), or delete it all the same with --force.`,
          )
        }
        await store.delete(runId)
      })
      if (options.json) printJson(terminal, { runId, deleted: true })
      else terminal.print(`Run ${toPlain(runId)} is deleted.`)
    })
}
