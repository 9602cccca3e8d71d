import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { CompositionLine } from './composition-worker.ts'

/** Measures what runs inside runs cost, of the built package, in a process of its own. */
export async function measureComposition(isQuick: boolean): Promise<CompositionLine[]> {
  const worker = fileURLToPath(new URL('./composition-worker.ts', import.meta.url))
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--expose-gc', '--import', 'tsx', worker, ...(isQuick ? ['quick'] : [])],
    { env: { ...process.env, NODE_ENV: 'production' } },
  )
  return JSON.parse(stdout) as CompositionLine[]
}

/** A table of its own: what is compared with is the same workflow, run alone. */
export function toCompositionMarkdown(lines: readonly CompositionLine[]): string {
  const [alone] = lines
  const cell = (us: number, base = Number.NaN): string =>
    `${us.toFixed(us < 100 ? 1 : 0)} µs (${(us / base).toFixed(2)}×)`
  return [
    '| runs inside runs | each | processor time |',
    '|---|---:|---:|',
    ...lines.map(({ title, us, cpuUs }) => `| ${title} | ${cell(us, alone?.us)} | ${cell(cpuUs, alone?.cpuUs)} |`),
    '',
    'Medians, all in turns in one process; in brackets the ratio to the same workflow, run alone. A sub-workflow is what a step takes longer for running it, and a stage what a pipeline takes longer for ten more; a branch is its share of the whole run.',
  ].join('\n')
}
