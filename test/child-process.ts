import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const library = new URL('../src/index.ts', import.meta.url).href

/** Runs the lines, with the library at hand, in a process of their own, and gives what it has written when it has exited. */
export async function runInProcess(lines: string): Promise<string> {
  const script = `
    const { workflow, defineEvent, StartEvent, StopEvent, InputRequestEvent, InputResponseEvent } = await import('${library}')
    const Job = defineEvent('Job')
    const never = () => new Promise(() => {})
    ${lines}
  `
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--import', 'tsx', '--input-type=module', '--eval', script],
    { cwd: fileURLToPath(new URL('..', import.meta.url)), timeout: 15_000 },
  )
  return stdout.trim()
}
