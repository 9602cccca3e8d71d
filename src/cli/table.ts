import Table from 'cli-table3'

const noLines = {
  ...{ top: '', 'top-mid': '', 'top-left': '', 'top-right': '', bottom: '', 'bottom-mid': '', 'bottom-left': '' },
  ...{ 'bottom-right': '', left: '', 'left-mid': '', mid: '', 'mid-mid': '', right: '', 'right-mid': '', middle: '  ' },
}

/** Rows under their heads, in columns without lines. */
export function toTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const table = new Table({
    head: [...head],
    chars: noLines,
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [] },
  })
  table.push(...rows.map((row) => [...row]))
  return trimLines(table.toString())
}

/** Names and what stands for them, in two columns. */
export function toPairs(pairs: readonly (readonly [name: string, text: string])[], indent = ''): string {
  const width = Math.max(0, ...pairs.map(([name]) => name.length))
  const under = `\n${indent}${' '.repeat(width + 2)}`
  return pairs.map(([name, text]) => `${indent}${name.padEnd(width)}  ${text.replaceAll('\n', under)}`).join('\n')
}

function trimLines(text: string): string {
  return text
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')
}
