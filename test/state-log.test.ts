import { deleted, parts, StateLog, Writes } from 'blazen-xstate/machines'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

describe('a state log', () => {
  test('shows a write at once, and as part of the run only after its commit', () => {
    const log = new StateLog([['a', 1]])
    const writes: Writes = new Writes()
    log.write(writes, 'a', 2)
    expect(log.get('a')).toBe(2)
    expect(log.committed.get('a')).toBe(1)
    log.commit(writes)
    expect(log.get('a')).toBe(2)
    expect(log.committed.get('a')).toBe(2)
  })

  test('has no trace of writes that were discarded', () => {
    const log = new StateLog([['a', 1]])
    const writes: Writes = new Writes()
    log.write(writes, 'a', 2)
    log.write(writes, 'b', 3)
    log.write(writes, 'a', deleted)
    log.discard(writes)
    expect(log.get('a')).toBe(1)
    expect(log.has('b')).toBe(false)
    expect([...log.keys()]).toEqual(['a'])
  })

  test('keeps the parts of a value in entries of their own, and writes those that have changed', () => {
    const list = ['the same']
    const compose = (entries: Record<string, unknown>) => ({ [parts]: new Map(Object.entries(entries)) })
    const log = new StateLog()
    const write = (value: unknown) => {
      const writes: Writes = new Writes()
      log.write(writes, 'a', value)
      log.resolve(writes)
      log.commit(writes)
      return [...writes.keys()]
    }
    expect(write(compose({ 'a.x': 1, 'a.list': list }))).toEqual(['a', 'a.x', 'a.list'])
    expect(write(compose({ 'a.x': 2, 'a.list': list }))).toEqual(['a', 'a.x'])
    expect(write(compose({ 'a.y': undefined, 'a.list': list }))).toEqual(['a', 'a.x', 'a.y'])
    expect(log.committed.get('a.list')).toBe(list)
    expect([...log.keys()]).toEqual(['a', 'a.list', 'a.y'])
    expect(write('plain')).toEqual(['a', 'a.y', 'a.list'])
    expect([...log.keys()]).toEqual(['a'])
  })

  test('shows the last write of several executions, and the one before when that is discarded', () => {
    const log = new StateLog()
    const first: Writes = new Writes()
    const second: Writes = new Writes()
    log.write(first, 'a', 1)
    log.write(second, 'a', 2)
    expect(log.get('a')).toBe(2)
    log.discard(second)
    expect(log.get('a')).toBe(1)
    const third: Writes = new Writes()
    log.write(third, 'a', 3)
    log.write(first, 'a', 4)
    expect(log.get('a')).toBe(4)
    log.discard(first)
    expect(log.get('a')).toBe(3)
  })

  test('does not show an older value again when a newer one is committed first', () => {
    const log = new StateLog()
    const older: Writes = new Writes()
    const newer: Writes = new Writes()
    log.write(older, 'a', 'older')
    log.write(newer, 'a', 'newer')
    log.commit(newer)
    expect(log.get('a')).toBe('newer')
    log.commit(older)
    expect(log.get('a')).toBe('newer')
    expect(log.committed.get('a')).toBe('newer')
  })

  test('knows undefined and null as values', () => {
    const log = new StateLog([['a', undefined]])
    const writes: Writes = new Writes()
    log.write(writes, 'b', undefined)
    log.write(writes, 'c', null)
    expect([log.has('a'), log.has('b'), log.has('c'), log.has('d')]).toEqual([true, true, true, false])
    log.commit(writes)
    expect([log.has('a'), log.has('b'), log.has('c'), log.has('d')]).toEqual([true, true, true, false])
  })

  test('does not show a key that is deleted, and shows it when it is written again', () => {
    const log = new StateLog([['a', 1]])
    const writes: Writes = new Writes()
    log.write(writes, 'a', deleted)
    expect(log.has('a')).toBe(false)
    expect(log.get('a')).toBeUndefined()
    expect([...log.keys()]).toEqual([])
    log.write(writes, 'a', 5)
    expect([...log.keys()]).toEqual(['a'])
    log.commit(writes)
    expect(log.get('a')).toBe(5)
  })

  test('of executions one after the other is a Map that forgets what failed', () => {
    const operation = fc.record({
      key: fc.constantFrom('a', 'b', '', '__proto__'),
      value: fc.oneof(fc.integer(), fc.constantFrom(undefined, null, deleted)),
    })
    fc.assert(
      fc.property(fc.array(fc.record({ operations: fc.array(operation), commits: fc.boolean() })), (executions) => {
        const log = new StateLog()
        let model = new Map<string, unknown>()
        for (const { operations, commits } of executions) {
          const during = new Map(model)
          const writes: Writes = new Writes()
          for (const { key, value } of operations) {
            log.write(writes, key, value)
            if (value === deleted) during.delete(key)
            else during.set(key, value)
            expect(new Set(log.keys())).toEqual(new Set(during.keys()))
            expect(log.get(key)).toBe(during.get(key))
          }
          if (commits) {
            log.commit(writes)
            model = during
          } else {
            log.discard(writes)
          }
          expect(new Map([...log.keys()].map((key) => [key, log.get(key)]))).toEqual(model)
          expect(new Map(log.committed)).toEqual(model)
        }
      }),
    )
  })

  test('of executions at once shows the last write that is not discarded, and ends with what was committed', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('write' as const), by: fc.nat(2), key: fc.constantFrom('a', 'b') }),
      fc.record({ kind: fc.constantFrom('commit' as const, 'discard' as const), by: fc.nat(2) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
        const log = new StateLog()
        const open: Writes[] = [new Writes(), new Writes(), new Writes()]
        // All writes that stand, in the order in which they were made.
        let standing: { by: Writes; key: string; value: number }[] = []
        for (const [value, each] of steps.entries()) {
          const by = open[each.by] as Writes
          if (each.kind === 'write') {
            log.write(by, each.key, value)
            standing = standing.filter((write) => write.by !== by || write.key !== each.key)
            standing.push({ by, key: each.key, value })
          } else {
            if (each.kind === 'commit') log.commit(by)
            else {
              log.discard(by)
              standing = standing.filter((write) => write.by !== by)
            }
            open[each.by] = new Writes()
          }
          for (const key of ['a', 'b']) {
            const seen = standing.findLast((write) => write.key === key)
            expect(log.has(key)).toBe(seen !== undefined)
            expect(log.get(key)).toBe(seen?.value)
          }
        }
      }),
    )
  })
})
