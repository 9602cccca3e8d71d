import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url))

export default defineConfig({
  resolve: {
    alias: [
      { find: /^blazen-xstate$/, replacement: at('./src/index.ts') },
      { find: /^blazen-xstate\/machines$/, replacement: at('./machines/index.ts') },
      { find: /^blazen-xstate\/inspect$/, replacement: at('./src/inspect/index.ts') },
      { find: /^blazen-xstate\/sqlite$/, replacement: at('./src/sqlite/index.ts') },
      { find: /^blazen-xstate\/postgres$/, replacement: at('./src/postgres/index.ts') },
      { find: /^blazen-xstate\/testing$/, replacement: at('./src/testing/index.ts') },
      { find: /^blazen-xstate\/react$/, replacement: at('./src/react/index.ts') },
    ],
  },
  test: {
    include: ['test/**/*.test.{ts,tsx}'],
    typecheck: { enabled: true, include: ['test/**/*.test-d.{ts,tsx}'] },
  },
})
