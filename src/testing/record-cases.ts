import { equal, rejects } from './check.ts'
import { record, type StoreTest } from './store-case.ts'

/** Strings that are ids all the same. */
export const hostileTexts: readonly string[] = [
  '',
  ' ',
  "'; DROP TABLE runs; --",
  '"quoted" \\ {braces,and} NULL',
  '__proto__',
  'a/b#1?c=%00&d',
  'naïve 日本語 🦊',
  'nul\0inside',
  'nul',
  'half a pair \ud83e',
  'half a pair \udd8a',
  'half a pair \ufffd',
  '\uffff0000',
  '\uffff',
  '\u00e9',
  'e\u0301',
  'x'.repeat(490),
]

/** Appending records, reading them, and replacing them by a base. */
export const recordCases: readonly StoreTest[] = [
  {
    name: 'records come back as they were appended, in order',
    async test(bench) {
      const { store, owner } = bench
      await bench.create('run')
      const first = { ...bench.append('run', [2, 3]), status: 'waiting' }
      equal(await store.append([first]), ['appended'], 'append')
      equal(await store.append([bench.append('run', [4])]), ['appended'], 'append')
      const all = [1, 2, 3, 4].map((seq) => record(seq))
      const { runId } = first
      equal(await store.records(runId), all, 'records')
      equal(await store.records(runId, { from: 2, limit: 2 }), all.slice(1, 3), 'records from 2, at most 2')
      equal(await store.records(runId, { from: 9 }), [], 'records behind the last')
      equal(await store.records(bench.id('nobody')), [], 'records of no run')
      const info = await store.info(runId)
      equal([info?.seq, info?.status, info?.owner], [4, 'running', owner.id], 'seq, status and owner')
      equal([info?.createdAt, info?.updatedAt], [all[0]?.at, all[3]?.at], 'createdAt and updatedAt')
    },
  },
  {
    name: 'bytes come back as they are: all values, none at all, and no bytes',
    async test(bench) {
      const every = Uint8Array.from({ length: 256 }, (_, index) => index)
      const parts = [every, new Uint8Array(0), null, every.subarray(100, 103)]
      const records = parts.map((bytes, index) => record(index + 2, { bytes }))
      await bench.create('run')
      equal(await bench.store.append([bench.append('run', [2], { records })]), ['appended'], 'append')
      equal(await bench.store.records(bench.id('run'), { from: 2 }), records, 'records')
    },
  },
  {
    name: 'a record may hold 5 MB of bytes, and 2 MB of text',
    async test(bench) {
      const bytes = Uint8Array.from({ length: 5_000_000 }, (_, index) => (index * 31) % 251)
      const big = record(2, { bytes, body: JSON.stringify('"\\\u{1f98a}é'.repeat(200_000)) })
      await bench.create('run')
      equal(await bench.store.append([bench.append('run', [2], { records: [big] })]), ['appended'], 'append')
      const stored = await bench.store.load(bench.id('run'))
      equal(stored?.records, [record(1), big], 'records')
    },
  },
  {
    name: 'bytes that change after they were stored change nothing',
    async test(bench) {
      const bytes = Uint8Array.of(1, 2, 3)
      await bench.create('run', { records: [record(1, { bytes })] })
      bytes[0] = 9
      const read = async () => (await bench.store.records(bench.id('run')))[0]?.bytes
      equal(await read(), Uint8Array.of(1, 2, 3), 'bytes')
      ;(await read())?.fill(7)
      equal(await read(), Uint8Array.of(1, 2, 3), 'bytes after a reader changed them')
    },
  },
  {
    name: 'ids, names and kinds are any strings',
    async test(bench) {
      for (const text of hostileTexts) {
        const runId = `${text}${bench.prefix}`
        const workflow = `${text}${bench.workflow}`
        const owner = { ...bench.owner, id: text }
        const records = [record(1, { kind: text })]
        const run = bench.newRun('run', { runId, workflow, version: text, idempotencyKey: text, status: text, records })
        const what = `with ${JSON.stringify(text)}`
        equal((await bench.store.create(run, owner)).created, true, `created ${what}`)
        equal((await bench.store.create({ ...run, runId: bench.id('x') }, owner)).info.runId, runId, `its key ${what}`)
        const append = bench.append('run', [2], { runId, owner, status: `${text}!`, taken: [text] })
        equal(await bench.store.append([append]), ['appended'], `append ${what}`)
        const { seq, status, version, idempotencyKey } = (await bench.store.list({ workflow })).runs[0] ?? {}
        equal([seq, status, version, idempotencyKey], [2, `${text}!`, text, text], `list ${what}`)
        equal((await bench.store.list({ workflow, status: `${text}!` })).runs.length, 1, `list by status ${what}`)
        equal(await bench.store.records(runId), [...records, record(2)], `records ${what}`)
        equal(await bench.store.renew(text, [runId], 1000), [], `renew ${what}`)
        equal(await bench.store.delete(runId), true, `delete ${what}`)
      }
    },
  },
  {
    name: 'a stale number is a conflict and changes nothing',
    async test(bench) {
      const { store } = bench
      const info = await bench.create('run', { records: [record(1), record(2)] })
      const stale = bench.append('run', [2], {
        records: [record(2, { body: '"other"' })],
        status: 'failed',
        taken: ['a'],
      })
      const ahead = bench.append('run', [5])
      const gone = bench.append('nobody', [2])
      equal(await store.append([stale]), ['conflict'], 'a stale append')
      equal(await store.append([ahead]), ['conflict'], 'an append that is ahead')
      equal(await store.append([gone]), ['conflict'], 'an append to no run')
      equal(await store.load(info.runId), { info, base: undefined, records: [record(1), record(2)] }, 'load')
      await store.post(info.runId, { id: 'a', at: 1, body: '1', bytes: null })
      equal((await store.inbox(info.runId)).length, 1, 'letters')
    },
  },
  {
    name: 'an append of the same records by the same owner may be made again',
    async test(bench) {
      const { store, owner } = bench
      await bench.create('run')
      const records = [record(2, { bytes: Uint8Array.of(1, 2) }), record(3)]
      const append = bench.append('run', [2], { records })
      equal(await store.append([append]), ['appended'], 'the first time')
      equal(await store.append([append]), ['appended'], 'again')
      equal((await store.records(append.runId)).length, 3, 'number of records')
      equal(await store.append([bench.append('run', [4])]), ['appended'], 'the next one')
      equal(await store.append([append]), ['appended'], 'again, when the run has gone on')
      const differing = [
        [record(2, { bytes: Uint8Array.of(1, 3) }), record(3)],
        [record(2, { bytes: null }), record(3)],
        [records[0] ?? record(2), record(3, { body: '0' })],
        [records[0] ?? record(2), record(3, { at: 5 })],
        [records[0] ?? record(2), record(3, { kind: 'other' })],
        [records[0] ?? record(2), record(3), record(4), record(5)],
      ]
      for (const other of differing)
        equal(await store.append([{ ...append, records: other }]), ['conflict'], 'other records')
      const strangers = [
        { ...owner, id: 'another' },
        { ...owner, epoch: 2 },
      ]
      for (const stranger of strangers)
        equal(await store.append([{ ...append, owner: stranger }]), ['conflict'], 'the same records of another owner')
      equal((await store.info(append.runId))?.seq, 4, 'seq')
    },
  },
  {
    name: 'an append to several runs gives each its verdict, in order',
    async test(bench) {
      const names = ['d', 'a', 'c', 'b']
      for (const name of names) await bench.create(name)
      const appends = names.map((name) => bench.append(name, name === 'c' ? [7] : [2, 3]))
      equal(await bench.store.append(appends), ['appended', 'appended', 'conflict', 'appended'], 'verdicts')
      const verdicts = await bench.store.append([...appends, bench.append('nobody', [2])])
      equal(verdicts, ['appended', 'appended', 'conflict', 'appended', 'conflict'], 'verdicts of the same again')
      for (const name of names)
        equal((await bench.store.records(bench.id(name))).length, name === 'c' ? 1 : 3, `records of ${name}`)
    },
  },
  {
    name: 'an append may hold no records, and be of no runs',
    async test(bench) {
      equal(await bench.store.append([]), [], 'of no runs')
      const { updatedAt } = await bench.create('run')
      const append = bench.append('run', [], { expectedSeq: 1, status: 'paused' })
      equal(await bench.store.append([append]), ['appended'], 'of no records')
      const info = await bench.store.info(append.runId)
      equal([info?.status, info?.seq, info?.updatedAt], ['paused', 1, updatedAt], 'status, seq and updatedAt')
      equal(await bench.store.append([{ ...append, expectedSeq: 0 }]), ['conflict'], 'with a stale number')
    },
  },
  {
    name: 'numbers with a gap, and a run that is named twice, are refused',
    async test(bench) {
      await bench.create('run')
      const gap = bench.append('run', [2, 4])
      await rejects(() => bench.store.append([gap]), 'an append with a gap')
      await rejects(() => bench.store.append([bench.append('run', [2]), bench.append('run', [3])]), 'a run named twice')
      equal((await bench.store.info(gap.runId))?.seq, 1, 'seq')
    },
  },
  {
    name: 'of appends made at the same time with the same number, one gets through',
    isShared: true,
    async test(bench) {
      await bench.create('run')
      const rivals = Array.from({ length: 10 }, (_, index) =>
        bench.append('run', [2], { records: [record(2, { body: `${index}` })] }),
      )
      const stores = [bench.store, bench.other]
      const verdicts = await Promise.all(rivals.map(async (rival, index) => stores[index % 2]?.append([rival])))
      equal(verdicts.flat().filter((verdict) => verdict === 'appended').length, 1, 'number of appends')
      equal((await bench.store.records(bench.id('run'))).length, 2, 'number of records')
    },
  },
  {
    name: 'a compaction replaces the base and drops records',
    async test(bench) {
      const { store, owner } = bench
      await bench.create('run')
      const { runId } = bench.append('run', [2])
      await store.append([bench.append('run', [2, 3, 4])])
      const base = { seq: 3, body: '{"base":3}', bytes: Uint8Array.of(0, 255) }
      equal(await store.compact(runId, owner, base, 0), 'compacted', 'compact')
      equal((await store.records(runId)).length, 4, 'number of records when none is dropped')
      const loaded = await store.load(runId)
      equal([loaded?.base, loaded?.records], [base, [record(4)]], 'base and records behind it')
      equal(await store.compact(runId, owner, base, 2), 'compacted', 'compact again')
      equal(await store.records(runId), [record(3), record(4)], 'records that were not dropped')
      const next = { seq: 4, body: '{"base":4}', bytes: null }
      equal(await store.compact(runId, owner, next, 4), 'compacted', 'compact all')
      const { info, ...rest } = (await store.load(runId)) ?? {}
      equal([info?.seq, rest], [4, { base: next, records: [] }], 'load')
      equal(await store.append([bench.append('run', [5])]), ['appended'], 'append after it')
      equal((await store.load(runId))?.records, [record(5)], 'records after it')
    },
  },
  {
    name: 'a compaction by another owner, or beyond the last record, changes nothing',
    async test(bench) {
      const { store, owner } = bench
      const { runId } = await bench.create('run')
      const base = { seq: 1, body: '1', bytes: null }
      equal(await store.compact(runId, { ...owner, epoch: 2 }, base, 1), 'conflict', 'with another epoch')
      equal(await store.compact(runId, { ...owner, id: 'another' }, base, 1), 'conflict', 'by another owner')
      equal(await store.compact(runId, owner, { ...base, seq: 2 }, 1), 'conflict', 'beyond the last record')
      equal(await store.compact(bench.id('nobody'), owner, base, 1), 'conflict', 'of no run')
      await rejects(() => store.compact(runId, owner, base, 2), 'dropping more than the base holds')
      const { base: stored, records } = (await store.load(runId)) ?? {}
      equal([stored, records], [undefined, [record(1)]], 'load')
    },
  },
]
