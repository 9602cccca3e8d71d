import { z } from 'zod'

/** One question of a form, as the schema of an answer tells of it. */
export interface FormField {
  readonly name: string
  readonly label: string
  readonly hint: string | undefined
  readonly isRequired: boolean
  readonly kind: 'choice' | 'check' | 'number' | 'line' | 'text'
  readonly choices: readonly string[]
}

/** What a schema looks like as JSON Schema, as far as a form needs it. */
interface Shape {
  readonly type?: string
  readonly title?: string
  readonly description?: string
  readonly enum?: readonly string[]
  readonly maxLength?: number
  readonly properties?: Record<string, Shape>
  readonly required?: readonly string[]
}

/** The fields of a form for a schema of an object, in its order. */
export function toFields(schema: z.ZodType): FormField[] {
  const { properties = {}, required = [] } = z.toJSONSchema(schema, { io: 'input' }) as Shape
  return Object.entries(properties).map(([name, shape]) => ({
    name,
    label: shape.title ?? name,
    hint: shape.description,
    isRequired: required.includes(name),
    kind: toKind(shape),
    choices: shape.enum ?? [],
  }))
}

function toKind({ type, enum: choices, maxLength = 0 }: Shape): FormField['kind'] {
  if (choices !== undefined) return 'choice'
  if (type === 'boolean') return 'check'
  if (type === 'number' || type === 'integer') return 'number'
  return maxLength > 100 ? 'text' : 'line'
}

/** What was filled in, as the schema expects it: an empty field is none. */
export function readForm(form: HTMLFormElement, fields: readonly FormField[]): Record<string, unknown> {
  const data = new FormData(form)
  return Object.fromEntries(
    fields.flatMap(({ name, kind }): [string, unknown][] => {
      const text = String(data.get(name) ?? '').trim()
      if (kind === 'check') return [[name, data.has(name)]]
      if (text === '') return []
      return [[name, kind === 'number' ? Number(text) : text]]
    }),
  )
}
