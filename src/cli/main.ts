#!/usr/bin/env node
import { runCommand } from './program.ts'

// Whoever reads the output may stop in the middle of it, as `head` does: that is no failure.
for (const stream of [process.stdout, process.stderr])
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
  })

const exitCode = await runCommand(process.argv)
// Modules of users may leave something open that would keep the process alive.
process.stdout.write('', () => process.exit(exitCode))
