import { z } from 'zod'

const headingSchema = z.object({ depth: z.int().min(1).max(6), text: z.string() })

const linkSchema = z.object({
  url: z.string(),
  text: z.string(),
  kind: z.enum(['relative', 'anchor', 'mail', 'web', 'other']),
  line: z.int().positive(),
})

/** What the digest keeps of one document. */
export const documentSchema = z.object({
  /** The first heading of the highest rank, or null where there is none. */
  title: z.string().nullable(),
  headings: z.array(headingSchema),
  /** Links and images, in the order of the document, from Markdown and from HTML in it. */
  links: z.array(linkSchema),
  /** Code blocks by language; blocks that name none count as `none`. */
  codeLanguages: z.array(z.object({ language: z.string(), blocks: z.int().positive() })),
  /** Words of the prose: no code blocks, no URLs. */
  words: z.int().nonnegative(),
  /** The relative links whose target does not exist. */
  brokenLinks: z.array(linkSchema),
})

export type Heading = z.infer<typeof headingSchema>
export type Link = z.infer<typeof linkSchema>
export type ParsedDocument = z.infer<typeof documentSchema>
