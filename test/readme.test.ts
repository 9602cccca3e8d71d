import { readdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { findBlocks, testDocuments } from './markdown-blocks.ts'

const guides = readdirSync(new URL('../docs', import.meta.url)).filter((file) => file.endsWith('.md'))

testDocuments(['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', ...guides.map((file) => `docs/${file}`)])

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
