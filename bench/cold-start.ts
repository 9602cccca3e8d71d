import { spawn } from 'node:child_process'
import { type Cell, median, type Row, type Settings } from './measure.ts'

/** A process from start to exit: it imports the engine, runs one workflow of three steps, and prints how many steps ran. */
export async function measureColdStart(settings: Settings): Promise<Row> {
  const times = new Map<string, number[]>(['empty', ...settings.adapters].map((name) => [name, []]))
  // The first round fills the disk cache.
  for (let round = -1; round < settings.rounds; round++) {
    for (const [name, samples] of times) {
      const ms = await timeProcess(name)
      if (round >= 0) samples.push(ms)
    }
  }
  const cells: Record<string, Cell> = {}
  for (const [name, samples] of times)
    cells[name] = { kind: 'time', us: median(samples) * 1_000, samples: samples.length }
  return { scenario: 'cold-start', title: 'cold start of a process', size: 1, unit: 'process', cells }
}

function timeProcess(name: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const file = new URL(`./cold/${name}.mjs`, import.meta.url)
    const start = performance.now()
    const child = spawn(process.execPath, [file.pathname], {
      env: { ...process.env, NODE_ENV: 'production' },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let printed = ''
    let complaint = ''
    child.stdout.on('data', (chunk: Buffer) => {
      printed += chunk.toString()
    })
    child.stderr.on('data', (chunk: Buffer) => {
      complaint += chunk.toString()
    })
    child.on('error', reject)
    child.on('close', (code) => {
      const ms = performance.now() - start
      if (code === 0 && printed.trim().endsWith(name === 'empty' ? '' : '3')) return resolve(ms)
      reject(new Error(`cold/${name}.mjs: expected it to print 3, got code ${code} and "${printed}".\n${complaint}`))
    })
  })
}
