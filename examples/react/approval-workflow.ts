/**
 * An approval assistant. It reads documents section by section, asks a person about those in which it has found
 * something, and has the whole signed.
 *
 *     StartEvent ── open ──┬── Opened … one each … read ── Read ── triage ──┬── Decided ─────────────┐
 *                                                                           └── a person ── decide ──┤
 *     StopEvent ── publish ── Signed ── decide ── a person ── gather ── all are decided ─────────────┘
 */
import {
  defineEvent,
  FatalError,
  InputRequestEvent,
  InputResponseEvent,
  StartEvent,
  StopEvent,
  workflow,
} from 'blazen-xstate'
import { z } from 'zod'
import { documents } from './documents.ts'
import { type Finding, reviewSection, toSections } from './review-document.ts'

/** What a person says of a document; the form is made from this. */
const verdict = z
  .object({
    decision: z.enum(['approve', 'send back']).meta({ title: 'Decision' }),
    note: z.string().max(240).optional().meta({ title: 'Note', description: 'Needed where it goes back.' }),
  })
  .refine(({ decision, note }) => decision === 'approve' || note !== undefined, {
    path: ['note'],
    error: 'Say what has to change.',
  })

const signature = z.object({
  name: z.string().min(2, 'At least two letters.').meta({ title: 'Your name' }),
  version: z
    .string()
    .regex(/^\d+\.\d+\.\d+$/, 'Three numbers with dots, as in 1.4.0.')
    .meta({ title: 'Version', description: 'Of the release that these documents belong to.' }),
  days: z.int().min(1).max(365).meta({ title: 'Look again in … days' }),
  findings: z.boolean().meta({ title: 'List the findings in the release note' }),
})

/** The kinds of questions, each with the schema of its answer. */
export const requests = { verdict: { response: verdict }, signature: { response: signature } }

/** How far reading is, for whoever looks on. */
export const Progress = defineEvent(
  'Progress',
  z.object({ document: z.string(), section: z.string(), done: z.int(), total: z.int(), findings: z.int() }),
)

const Opened = defineEvent('Opened', z.object({ document: z.string() }))
const Read = defineEvent('Read', z.object({ document: z.string() }))
const Decided = defineEvent('Decided', z.object({ document: z.string() }))
const Signed = defineEvent('Signed', signature)

/** A document on its way through the run. */
export interface Paper {
  readonly sections: number
  readonly words: number
  readonly findings?: readonly Finding[]
  readonly decision?: 'approve' | 'send back'
  readonly note?: string | undefined
  readonly by?: 'the rules' | 'you'
}

export interface Release {
  readonly signedBy: string
  readonly version: string
  readonly approved: readonly string[]
  readonly sentBack: readonly string[]
  readonly markdown: string
}

export const approval = workflow('approval', {
  version: '1',
  input: z.object({ documents: z.array(z.string()).min(1, 'Choose a document.'), msPerSection: z.int().min(0) }),
  state: z.object({
    msPerSection: z.int().default(0),
    papers: z.record(z.string(), z.custom<Paper>()).default({}),
  }),
  requests,
})
  .step('open', { accepts: StartEvent, emits: Opened }, async (event, ctx) => {
    ctx.state.msPerSection = event.msPerSection
    for (const document of event.documents) {
      const sections = toSections(textOf(document))
      const words = sections.reduce((sum, section) => sum + section.words, 0)
      ctx.state.update('papers', (papers) => {
        papers[document] = { sections: sections.length, words }
      })
      await rest(event.msPerSection, ctx.signal)
    }
    return event.documents.map((document) => Opened({ document }))
  })
  .step('read', { accepts: Opened, emits: Read, concurrency: 2 }, async ({ document }, ctx) => {
    const sections = toSections(textOf(document))
    const findings: Finding[] = []
    for (const [at, { title }] of sections.entries()) {
      await rest(ctx.state.msPerSection, ctx.signal)
      findings.push(...reviewSection(sections, at))
      const done = at + 1
      ctx.writeEventToStream(
        Progress({ document, section: title, done, total: sections.length, findings: findings.length }),
      )
    }
    ctx.state.update('papers', (papers) => {
      Object.assign(papers[document] ?? {}, { findings })
    })
    return Read({ document })
  })
  .step('triage', { accepts: Read, emits: [InputRequestEvent, Decided] }, ({ document }, ctx) => {
    const count = ctx.state.papers[document]?.findings?.length ?? 0
    if (count > 0) {
      const prompt = `${count === 1 ? 'One finding' : `${count} findings`} in ${document}. May it go out?`
      return InputRequestEvent({ requestId: document, kind: 'verdict', prompt })
    }
    ctx.state.update('papers', (papers) => {
      Object.assign(papers[document] ?? {}, { decision: 'approve', by: 'the rules' })
    })
    return Decided({ document })
  })
  .step('decide', { accepts: InputResponseEvent, emits: [Decided, Signed] }, ({ requestId, response }, ctx) => {
    if (requestId === 'signature') return Signed(signature.parse(response))
    const { decision, note } = verdict.parse(response)
    ctx.state.update('papers', (papers) => {
      Object.assign(papers[requestId] ?? {}, { decision, note, by: 'you' })
    })
    return Decided({ document: requestId })
  })
  .step('gather', { accepts: Decided, emits: InputRequestEvent }, (_event, ctx) => {
    const count = Object.keys(ctx.state.papers).length
    if (ctx.collect(Decided, count) === undefined) return
    const prompt = `All ${count === 1 ? 'is' : `${count} documents are`} decided. Sign the release note.`
    return InputRequestEvent({ requestId: 'signature', kind: 'signature', prompt })
  })
  .step('publish', { accepts: Signed, emits: StopEvent }, async (signed, ctx) => {
    await rest(ctx.state.msPerSection * 4, ctx.signal)
    return StopEvent({ result: toRelease(ctx.state.papers, signed) })
  })

function toRelease(papers: Readonly<Record<string, Paper>>, signed: z.infer<typeof signature>): Release {
  const { name, version, days, findings: withFindings } = signed
  const of = (decision: Paper['decision']) => Object.entries(papers).filter(([, paper]) => paper.decision === decision)
  const toLines = ([document, { findings = [], note }]: [string, Paper]) => [
    `- ${document}${note === undefined ? '' : `: ${note}`}`,
    ...(withFindings ? findings.map(({ rule, section, text }) => `  - ${rule} in “${section}”: ${text}`) : []),
  ]
  const toPart = (title: string, part: [string, Paper][]) =>
    part.length === 0 ? [] : [`## ${title}`, '', ...part.flatMap(toLines), '']
  const approved = of('approve')
  const sentBack = of('send back')
  const markdown = [
    `# Documents of ${version}`,
    '',
    ...toPart('Approved', approved),
    ...toPart('Sent back', sentBack),
    `Signed by ${name}; to be looked at again in ${days} days.`,
  ].join('\n')
  const namesOf = (part: [string, Paper][]) => part.map(([document]) => document)
  return { signedBy: name, version, approved: namesOf(approved), sentBack: namesOf(sentBack), markdown }
}

function textOf(document: string): string {
  const text = documents.get(document)
  if (text === undefined) throw new FatalError(`There is no document "${document}".`)
  return text
}

/** Reading takes no time here: it rests between sections, so that one can look on. */
function rest(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', leave)
      resolve()
    }, ms)
    const leave = () => {
      clearTimeout(timer)
      reject(signal.reason)
    }
    if (signal.aborted) leave()
    else signal.addEventListener('abort', leave, { once: true })
  })
}
