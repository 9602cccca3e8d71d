import { DBOS } from '@dbos-inc/dbos-sdk'
import pg from 'pg'
import { versionOf } from '../adapter.ts'
import type { DurableAdapter } from '../durable-adapter.ts'

/** On PostgreSQL with `synchronous_commit = off`, which survives what SQLite's `NORMAL` survives. */
export const adapter: DurableAdapter = {
  name: 'dbos',
  version: versionOf('@dbos-inc/dbos-sdk'),
  open: async ({ postgresUrl, payload: pad }) => {
    DBOS.setConfig({ name: 'bench', systemDatabaseUrl: postgresUrl, logLevel: 'error', runAdminServer: false })
    const flow = DBOS.registerWorkflow(
      async (steps: number) => {
        let value = 0
        for (let index = 0; index < steps; index++) {
          const result = await DBOS.runStep(async () => ({ value: value + 1, pad }), { name: 'step' })
          value = result.value
        }
        return value
      },
      { name: 'flow' },
    )
    await DBOS.launch()
    const client = new pg.Client(postgresUrl)
    await client.connect()
    return {
      run: async (steps) => (await DBOS.startWorkflow(flow)(steps)).getResult(),
      fileBytes: async () => {
        const { rows } = await client.query("SELECT pg_current_wal_insert_lsn() - '0/0' AS bytes")
        return Number(rows[0].bytes)
      },
      close: async () => {
        await client.end()
        await DBOS.shutdown()
      },
    }
  },
}
