import { cpus } from 'node:os'
import type { Cell, Row } from './measure.ts'

export interface Report {
  machine: string
  node: string
  versions: Record<string, string>
  note: string
  rows: Row[]
}

export function describeMachine(): string {
  const cores = cpus()
  return `${cores[0]?.model.trim() ?? 'unknown processor'}, ${cores.length} cores, ${process.platform} ${process.arch}`
}

/** The column that ratios are to: the bare loop, and for whole processes the empty one. */
const baseOf = (row: Row): Cell | undefined => row.cells.empty ?? row.cells.loop

export function toMarkdown(report: Report): string {
  const names = Object.keys(report.versions)
  const reasons: string[] = []
  const lines = [
    `| | ${names.join(' | ')} |`,
    `|---|${names.map(() => '---:|').join('')}`,
    ...report.rows.flatMap((row) => [timeLine(row, names, reasons), ...memoryLine(row, names)]),
    '',
    'Medians; in brackets the ratio to the bare loop of the same run, for the cold start to an empty process.',
    ...reasons,
    report.note,
    '',
    `${report.machine}; Node ${report.node}; ${Object.values(report.versions).join(', ')}.`,
  ]
  return lines.join('\n')
}

function timeLine(row: Row, names: string[], reasons: string[]): string {
  const base = baseOf(row)
  const baseUs = base?.kind === 'time' ? base.us : Number.NaN
  const cells = names.map((name) => toText(row.cells[name], baseUs, row, name, reasons))
  const empty = row.cells.empty ? `, empty: ${toDuration(baseUs)}` : ''
  return `| ${row.title}, per ${row.unit}${empty} | ${cells.join(' | ')} |`
}

function memoryLine(row: Row, names: string[]): string[] {
  const kilobytes = names.map((name) => {
    const cell = row.cells[name]
    return cell?.kind === 'time' && cell.kilobytes !== undefined ? `${cell.kilobytes.toFixed(1)} kB` : '–'
  })
  const measured = Object.values(row.cells).some((cell) => cell.kind === 'time' && cell.kilobytes !== undefined)
  return measured ? [`| … memory per ${row.unit} in flight | ${kilobytes.join(' | ')} |`] : []
}

function toText(cell: Cell | undefined, baseUs: number, row: Row, name: string, reasons: string[]): string {
  if (!cell) return ''
  switch (cell.kind) {
    case 'time':
      return `${toDuration(cell.us)} (${toRatio(cell.us / baseUs)})`
    case 'over': {
      const limit = `> ${cell.limitMs / 1_000} s`
      if (cell.atSize !== row.size) return `${limit} at ${cell.atSize.toLocaleString('en')}`
      return `${limit} in all (> ${toRatio(cell.us / baseUs)})`
    }
    case 'cannot':
      reasons.push(`${name}, ${row.title}: ${cell.reason}`)
      return '–'
  }
}

function toDuration(us: number): string {
  if (us >= 10_000) return `${toDigits(us / 1_000)} ms`
  return `${toDigits(us)} µs`
}

const toRatio = (ratio: number): string => (Number.isNaN(ratio) ? 'no base' : `${toDigits(ratio)}×`)

function toDigits(value: number): string {
  if (value >= 100) return Math.round(value).toLocaleString('en')
  return value.toFixed(value >= 10 ? 0 : value >= 1 ? 1 : 2)
}
