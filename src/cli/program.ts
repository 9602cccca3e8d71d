import { Command, CommanderError } from 'commander'
import { version } from '../../package.json'
import { messageOf } from '../codec-error.ts'
import { BlazenError } from '../errors.ts'
import { addAbort } from './abort.ts'
import { addAnswer } from './answer.ts'
import { CommandError } from './command-error.ts'
import { addDelete } from './delete.ts'
import { addGraph } from './graph.ts'
import { addHistory } from './history.ts'
import { addResume } from './resume.ts'
import { addRuns } from './runs.ts'
import { addShow } from './show.ts'
import { createTerminal, type Terminal } from './terminal.ts'

/** Each adds one command. */
const commands = [addRuns, addShow, addHistory, addAnswer, addResume, addAbort, addDelete, addGraph]

/** Does what the arguments say; gives what the process is to exit with: 0, 1 for what did not work, 2 for what was given wrongly. */
export async function runCommand(argv: readonly string[]): Promise<number> {
  const terminal = createTerminal(process)
  try {
    await createProgram(terminal).parseAsync(argv)
    return terminal.exitCode
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
    terminal.tell(`blazen: ${describe(error)}`)
    return error instanceof CommandError ? error.exitCode : 1
  }
}

function createProgram(terminal: Terminal): Command {
  const program = new Command('blazen')
    .description('Looks after runs that a host of blazen-xstate keeps in a store.')
    .version(version)
    .showHelpAfterError('(--help lists what there is)')
    .exitOverride()
  for (const add of commands) add(program, terminal)
  return program
}

/** What is ours says what helps; of the rest, the stack may. */
function describe(error: unknown): string {
  if (error instanceof CommandError || error instanceof BlazenError) return error.message
  return error instanceof Error ? (error.stack ?? error.message) : messageOf(error)
}
