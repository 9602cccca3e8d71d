/**
 * State and session: values that are a part of the run, and a SQLite connection, which cannot be.
 *
 *     StartEvent ── read ── Order, one for each line ── book ── Booked ── report ── StopEvent
 *                                                        │
 *                                ctx.state: totals ◀─────┴────▶ ctx.session: db
 */

import Database from 'better-sqlite3'
import { defineEvent, resource, StartEvent, StopEvent, typeOnly, workflow } from 'blazen-xstate'
import { z } from 'zod'

const Order = defineEvent('Order', z.object({ item: z.string(), cents: z.int() }))
const Booked = defineEvent('Booked')

export const bookkeeper = workflow('bookkeeper', {
  input: z.object({ orders: z.array(z.string()) }),
  // Durable values, with their types. A Map is a value like any other.
  state: typeOnly<{ orders: number; totals: Map<string, number> }>(),
  // A live thing: opened when a step first asks for it, closed when the run has ended, however it ended.
  session: {
    db: resource({
      open: () => new Database(':memory:').exec('create table orders (item text, cents integer)'),
      close: (db) => {
        console.log(`closing, with ${db.prepare('select count(*) from orders').pluck().get()} rows`)
        db.close()
      },
    }),
  },
})
  .step('read', { accepts: StartEvent, emits: Order }, ({ orders }, ctx) => {
    ctx.state.orders = orders.length
    ctx.state.totals = new Map()
    return orders.map((line) => {
      const [item = '', euros] = line.split(' ')
      return Order({ item, cents: Math.round(Number(euros) * 100) })
    })
  })
  .step('book', { accepts: Order, emits: Booked }, ({ item, cents }, ctx) => {
    const db = ctx.session.get<Database.Database>('db') // the same connection in every step
    db?.prepare('insert into orders values (?, ?)').run(item, cents)
    // What `get` gives is a value of its own; `update` is the way to change what is kept.
    ctx.state.update('totals', (totals) => {
      totals.set(item, (totals.get(item) ?? 0) + cents)
    })
    return Booked()
  })
  .step('report', { accepts: Booked, emits: StopEvent }, (_event, ctx) => {
    if (ctx.collect(Booked, ctx.state.orders) === undefined) return
    const db = ctx.session.get<Database.Database>('db')
    const dearest = db?.prepare('select item from orders order by cents desc').pluck().get()
    return StopEvent({ result: { totals: ctx.state.totals, dearest } })
  })

export const shopping = { orders: ['tea 4.50', 'coffee 7', 'tea 5.25'] }

export async function main(): Promise<void> {
  const { totals, dearest } = await bookkeeper.run(shopping).result()
  for (const [item, cents] of totals) console.log(`${item}: ${cents / 100} EUR`)
  console.log(`dearest: ${dearest}`)
}
