import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { findBlocks } from './markdown-blocks.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
// Inside the repository, where `blazen-xstate` means its source.
const folder = join(root, 'test/.blocks/killed')

test('the program of the guide that is killed goes on as the guide says', { timeout: 120_000 }, () => {
  const guide = readFileSync(join(root, 'docs/getting-started.md'), 'utf8')
  const program = findBlocks('getting-started.md', guide).find((block) => block.program.includes('SIGKILL'))?.program
  mkdirSync(folder, { recursive: true })
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  writeFileSync(join(folder, 'report.ts'), program ?? '')
  const run = (...args: string[]) => {
    const all = ['--import', 'tsx', join(folder, 'report.ts'), join(folder, 'runs.db'), ...args]
    const { signal, stdout } = spawnSync(process.execPath, all, { cwd: root, encoding: 'utf8' })
    return [signal, ...stdout.trimEnd().split('\n')]
  }
  expect(run('crash')).toEqual(['SIGKILL', 'fetch', 'count'])
  expect(run()).toEqual([null, 'count', '4'])
  expect(run()).toEqual([null, '4'])
})
