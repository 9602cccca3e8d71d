import { BlazenError } from './errors.ts'

/** What went wrong with a value. */
export type CodecErrorCode =
  /** The value is live: it exists in this process only. */
  | 'live'
  /** What was read is not what a snapshot or a store holds: cut, edited, or something else altogether. */
  | 'damaged'
  /** The value holds an instance of a class that this process has not registered. */
  | 'class-missing'
  /** A class was registered in a way that cannot work. */
  | 'class-invalid'
  /** The `decode` of a class threw. */
  | 'decode-failed'

/**
 * A value cannot be written, read, or have its class registered.
 *
 * `path` leads from the value to the part in question, as in `orders[3].customer.socket`;
 * it is empty where the value itself is meant.
 */
export class CodecError extends BlazenError {
  override name = 'CodecError'

  constructor(
    override readonly code: CodecErrorCode,
    message: string,
    readonly path = '',
    options?: ErrorOptions,
  ) {
    super(code, message, options)
  }
}

/** The message of anything that was thrown, also of things whose own code throws. */
export function messageOf(thrown: unknown): string {
  try {
    return thrown instanceof Error ? String(thrown.message) : String(thrown)
  } catch {
    return 'an error that cannot be read'
  }
}
