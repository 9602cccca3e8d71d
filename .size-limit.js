/** What an application that uses the main entry ships: xstate and immer are counted, though the one is a peer. */
export default [
  {
    name: 'blazen-xstate with xstate and immer, minified and gzipped',
    path: 'dist/index.js',
    limit: '25 kB',
    gzip: true,
    modifyEsbuildConfig: (config) => ({
      ...config,
      external: [],
      format: 'esm',
      define: { 'process.env.NODE_ENV': '"production"' },
    }),
  },
]
