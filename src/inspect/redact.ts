/** What is shown of a field, by its name: the value itself, or what stands in its place. */
export type Redactor = (key: string, value: unknown) => unknown

const secretKey =
  /passw(or)?d|passphrase|secret|credential|authorization|cookie|(api|private|access|signing|encryption)[-_ ]?key|jwt|bearer/i
const tokenKey = /tokens?$/i
/** Texts that are secrets whatever their field is called. */
const secretText =
  /\b(Bearer|Basic)\s+[\w.~+/=-]{8,}|\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*|\bsk-[\w-]{16,}|\bgh[pousr]_\w{20,}|(?<=:\/\/[^\s/:@]*:)[^\s/@]+(?=@)/g

const redacted = '[redacted]'

/**
 * The redactor that `inspect` uses where it is given none: fields that are called like a password, a token, a secret or
 * a key, and texts that look like one. Build your own on it.
 *
 * @example
 * inspect(handler, inspector, {
 *   redact: (key, value) => (key === 'iban' ? '[redacted]' : redactSecrets(key, value)),
 * })
 */
export const redactSecrets: Redactor = (key, value) => {
  if (value === null || value === undefined || typeof value === 'boolean') return value
  if (secretKey.test(key)) return redacted
  // A number of tokens is no secret.
  if (tokenKey.test(key) && typeof value !== 'number') return redacted
  return typeof value === 'string' ? value.replace(secretText, redacted) : value
}

/** Shows everything. */
export const redactNothing: Redactor = (_key, value) => value
