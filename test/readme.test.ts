import { readdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { findBlocks, testDocuments } from './markdown-blocks.ts'

const guides = readdirSync(new URL('../docs', import.meta.url)).filter((file) => file.endsWith('.md'))

testDocuments(['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', ...guides.map((file) => `docs/${file}`)])

test('a block whose first line names a file is that file for the others of its document', () => {
  const [block] = findBlocks('a.md', '```ts\n// flows.ts\nexport const n = 1\n```\n')
  expect(block?.file).toBe('flows.ts')
  expect(findBlocks('a.md', '```ts\n// What flows.ts has.\n```\n')[0]).not.toHaveProperty('file')
})

test('a block keeps the line numbers of its document, and what it prints', () => {
  const markdown = `# Title
\`\`\`sh
npm ci
\`\`\`
1. A step:

   \`\`\`ts
   console.log(1) // prints 1
   \`\`\`
`
  const program = `${'\n'.repeat(7)}console.log(1) // prints 1\nexport {}\n`
  expect(findBlocks('a.md', markdown)).toEqual([{ place: 'a.md:8', language: 'ts', program, prints: ['1'] }])
})
