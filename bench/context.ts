import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { ContextLine, ContextScenario } from './context-worker.ts'

const scenarios: readonly ContextScenario[] = ['values', 'snapshots', 'busy', 'memory']

/** Measures values, snapshots and memory of the built package against the language alone, each in a process of its own. */
export async function measureContext(isQuick: boolean, onScenario: (name: string) => void): Promise<ContextLine[]> {
  const worker = fileURLToPath(new URL('./context-worker.ts', import.meta.url))
  const lines: ContextLine[] = []
  for (const scenario of scenarios) {
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--expose-gc', '--max-old-space-size=3072', '--import', 'tsx', worker, scenario, ...(isQuick ? ['quick'] : [])],
      { env: { ...process.env, NODE_ENV: 'production' } },
    )
    lines.push(...(JSON.parse(stdout) as ContextLine[]))
    onScenario(scenario)
  }
  return lines
}

/** A table of its own: there is nothing to compare with but `Map`, `JSON` and base64. */
export function toContextMarkdown(lines: readonly ContextLine[]): string {
  return [
    '| values and snapshots | blazen | floor | ratio |',
    '|---|---:|---:|---:|',
    ...lines.map(({ title, unit, ours, floor }) => {
      const cells = [toText(ours, unit), floor === undefined ? '–' : toText(floor, unit)]
      return `| ${title} | ${cells.join(' | ')} | ${floor === undefined ? '–' : `${(ours / floor).toFixed(2)}×`} |`
    }),
    '',
    'Medians; both sides in turns in one process. The floor is what the line says: the same with a `Map`, `JSON` or base64 alone.',
  ].join('\n')
}

function toText(value: number, unit: ContextLine['unit']): string {
  if (unit === 'bytes') return Math.abs(value) < 1_000 ? `${value.toFixed(1)} B` : `${toDigits(value / 1_000)} kB`
  if (value >= 1_000) return `${toDigits(value / 1_000)} ms`
  return value >= 1 ? `${toDigits(value)} µs` : `${Math.round(value * 1_000)} ns`
}

function toDigits(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString('en') : value.toFixed(value >= 10 ? 0 : 1)
}
