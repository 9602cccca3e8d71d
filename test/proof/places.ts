import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Store } from 'blazen-xstate'
import { postgresStore } from 'blazen-xstate/postgres'
import { sqliteStore } from 'blazen-xstate/sqlite'
import type { PostgresServer } from '../stores/postgres-server.ts'

/** Where a proof has its runs. */
export interface Place {
  /** As a process opens it: a file, or a URL. */
  readonly path: string
  /** The same, open in this process. */
  readonly store: Store
  /** An empty file for the calls of steps. */
  readonly effects: string
}

export function makeFolder(): string {
  return mkdtempSync(join(tmpdir(), 'blazen-proof-'))
}

/** An empty SQLite database, and an empty PostgreSQL database of the server, to be made when a test begins. */
export function placesOn(server: () => PostgresServer): readonly { name: string; open: () => Place }[] {
  return [
    { name: 'a SQLite file', open: () => placeAt(join(makeFolder(), 'runs.db'), sqliteStore) },
    { name: 'PostgreSQL', open: () => openPostgres(server()) },
  ]
}

export function openPostgres(server: PostgresServer): Place {
  return placeAt(server.url, postgresStore)
}

function placeAt(path: string, open: (path: string) => Store): Place {
  const effects = join(makeFolder(), 'effects')
  writeFileSync(effects, '')
  return { path, store: open(path), effects }
}
