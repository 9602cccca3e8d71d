import { join } from 'node:path'
import Database from 'better-sqlite3'
import { versionOf } from '../adapter.ts'
import type { DurableAdapter } from '../durable-adapter.ts'

/** The floor: the text of a step's record, inserted in a transaction of its own by the same driver. */
export const adapter: DurableAdapter = {
  name: 'append',
  version: versionOf('better-sqlite3'),
  open: async ({ folder, recordSize }) => {
    const database = new Database(join(folder, 'append.db'))
    database.pragma('journal_mode = WAL')
    database.pragma('synchronous = NORMAL')
    database.exec('CREATE TABLE records (id INTEGER PRIMARY KEY, body TEXT NOT NULL)')
    const begin = database.prepare('BEGIN IMMEDIATE')
    const insert = database.prepare('INSERT INTO records (body) VALUES (?)')
    const commit = database.prepare('COMMIT')
    const body = 'x'.repeat(recordSize)
    return {
      run: async (steps) => {
        for (let index = 0; index < steps; index++) {
          begin.run()
          insert.run(body)
          commit.run()
        }
        return steps
      },
      close: async () => void database.close(),
    }
  },
}
