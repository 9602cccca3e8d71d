import type { DurableReport, DurableResult, Recovery } from './durable.ts'

/** A table of its own: what engines pay for writing a step down. */
export function toDurableMarkdown({ results, recovery }: DurableReport): string {
  const floor = results.find(({ name }) => name === 'append')
  const measured = results.filter(({ missing }) => missing === undefined)
  const ours = measured.find(({ name }) => name === 'blazen')
  const peers = measured.filter(({ name }) => name !== 'blazen' && name !== 'append')
  const fastest = Math.min(...peers.map(({ alone = Number.POSITIVE_INFINITY }) => alone))
  return [
    '| | per step, one run | … processor time | per step, 100 runs at once | … processor time | written by 1,000 steps with 1 MB of state, 1 kB changed by each |',
    '|---|---:|---:|---:|---:|---:|',
    ...measured.map((result) => line(result, floor)),
    '',
    `Medians, each engine in a process of its own, taking turns; in brackets the ratio to a bare append: the text of one of our records, inserted in a transaction by better-sqlite3 with nothing around it. The fastest peer takes ${((fastest ?? 0) / (ours?.alone ?? 1)).toFixed(1)} times as long as blazen for a step. All commits survive the death of the process, at any moment, and none waits for the disk: WAL and \`synchronous = NORMAL\`, for DBOS PostgreSQL with \`synchronous_commit = off\`. Runs alone have 1,000 steps here and 60 in the others, the hundred at once 200 and 10, so that starting them weighs less here; openworkflow's time leaves out its polling. Processor time is that of the engine's process: what others do on the machine is not in it, nor what PostgreSQL does for DBOS. Bytes are those that reached files, write-ahead log and checkpoints included, or PostgreSQL's log alone.${notes(measured)}`,
    ...results.filter(({ missing }) => missing).map(({ name, missing }) => `Not measured: ${name}: ${missing}`),
    '',
    recoveryLine(recovery),
    '',
    `${measured.map(({ version }) => version).join(', ')}.`,
  ].join('\n')
}

function notes(results: readonly DurableResult[]): string {
  const scaled = results.filter(({ written }) => written !== undefined && written.steps < 1_000)
  const names = scaled.map(({ name, written }) => `${name} (${written?.steps})`).join(', ')
  return scaled.length === 0 ? '' : ` Of fewer steps, scaled up: ${names}.`
}

function line(
  { name, alone, atOnce, cpu, crowdCpu, written }: DurableResult,
  floor: DurableResult | undefined,
): string {
  const logical = written?.logicalBytes === undefined ? '' : ` (${toMegabytes(written.logicalBytes)} of records)`
  const bytes = written === undefined ? '–' : `${toMegabytes(written.fileBytes)}${logical}`
  const times = [
    time(alone, floor?.alone),
    time(cpu, floor?.cpu),
    time(atOnce, floor?.alone),
    time(crowdCpu, floor?.cpu),
  ]
  return `| ${name} | ${times.join(' | ')} | ${bytes} |`
}

function time(us: number | undefined, floor = Number.NaN): string {
  if (us === undefined) return '–'
  return `${us < 100 ? us.toFixed(1) : Math.round(us).toLocaleString('en')} µs (${(us / floor).toFixed(us / floor < 10 ? 2 : 0)}×)`
}

function recoveryLine({ runs, ms, before, peak }: Recovery): string {
  const of = (what: 'rss' | 'heap') => `${toMegabytes(peak[what] - before[what])}`
  return `Recovery of ${runs.toLocaleString('en')} interrupted runs, to their end: ${(ms / 1_000).toFixed(1)} s (${Math.round((ms * 1_000) / runs)} µs a run); at its peak the process has grown by ${of('rss')}, its heap by ${of('heap')}.`
}

const toMegabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(bytes < 1e8 ? 1 : 0)} MB`
