const bundled = {
  gzip: true,
  modifyEsbuildConfig: (config) => ({
    ...config,
    external: [],
    format: 'esm',
    define: { 'process.env.NODE_ENV': '"production"' },
  }),
}

/** What an application that uses the main entry ships: xstate and immer are counted, though the one is a peer. */
export default [
  {
    name: 'a program of workflows, minified and gzipped',
    path: 'dist/index.js',
    import: '{ workflow, defineEvent, StartEvent, StopEvent }',
    // xstate 13, immer 5, the serialiser 4; the rest is ours: the engine 15, values, snapshots and state objects 18, records 8, runs inside runs 3; errors that say more 1; and what bundlers cannot tell to be unused 9.
    limit: '77.5 kB',
    ...bundled,
  },
  {
    name: 'all of blazen-xstate, minified and gzipped',
    path: 'dist/index.js',
    // Hosts and stores 8, sub-workflows and pipelines 4 on top of it.
    limit: '83.5 kB',
    ...bundled,
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
