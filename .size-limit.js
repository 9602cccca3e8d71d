/** What an application that uses the main entry ships: xstate and immer are counted, though the one is a peer. */
export default [
  {
    name: 'blazen-xstate with xstate and immer, minified and gzipped',
    path: 'dist/index.js',
    // xstate 13, immer 4, the serialiser 4; the rest is ours: the engine and its API 22, values, snapshots and state objects 16,
    // durable runs 13, among it what folds old records by their own routes and asks after leases. 0.3 are the price of chunks
    // that the command line shares.
    limit: '72 kB',
    gzip: true,
    modifyEsbuildConfig: (config) => ({
      ...config,
      external: [],
      format: 'esm',
      define: { 'process.env.NODE_ENV': '"production"' },
    }),
  },
  {
    name: 'blazen-xstate/react on top of it',
    path: 'dist/react.js',
    // The hooks 3, the errors and the pacing that they share with the engine 1.
    limit: '4.5 kB',
    gzip: true,
    modifyEsbuildConfig: (config) => ({
      ...config,
      external: ['react', 'xstate', 'immer', 'devalue'],
      format: 'esm',
      define: { 'process.env.NODE_ENV': '"production"' },
    }),
  },
]
