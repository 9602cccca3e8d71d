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
  const blocks = findBlocks('getting-started.md', guide)
  mkdirSync(folder, { recursive: true })
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  for (const { file, program } of blocks) if (file !== undefined) writeFileSync(join(folder, file), program)
  const run = (more: object = {}) => {
    const all = ['--import', 'tsx', join(folder, 'main.ts'), join(folder, 'runs.db')]
    const env = { ...process.env, ...more }
    const { signal, stdout } = spawnSync(process.execPath, all, { cwd: root, encoding: 'utf8', env })
    return [signal, ...stdout.trimEnd().split('\n')]
  }
  expect(run({ CRASH: '1' })).toEqual(['SIGKILL', 'fetch', 'count'])
  expect(run()).toEqual([null, 'count', '4'])
  expect(run()).toEqual([null, '4'])
})
