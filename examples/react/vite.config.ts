import { fileURLToPath } from 'node:url'
import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url))

/** `npm run app`. The package is taken by its name, and means the source beside it. */
export default defineConfig({
  root: at('.'),
  plugins: [react()],
  resolve: {
    alias: [
      { find: /^blazen-xstate$/, replacement: at('../../src/index.ts') },
      { find: /^blazen-xstate\/(inspect|react)$/, replacement: at('../../src/$1/index.ts') },
      { find: /^blazen-xstate\/machines$/, replacement: at('../../machines/index.ts') },
    ],
  },
  // The documents and the source lie beside this folder.
  server: { fs: { allow: [at('../..')] } },
  // Known from the start, so that the page is not loaded anew when they are found.
  optimizeDeps: {
    include: ['react', 'react-dom/client', 'react/jsx-dev-runtime', 'xstate', 'immer', 'devalue', 'zod'],
  },
})
