/** What the newest runtimes can do, and the declarations of the older ones do not have. */
interface NativeBase64 {
  readonly toBase64?: (this: Uint8Array) => string
  readonly fromBase64?: (text: string) => Uint8Array<ArrayBuffer>
}

/** The chunk that `String.fromCharCode` takes as arguments without overflowing the stack; a multiple of 3. */
const chunkSize = 0x8000 - (0x8000 % 3)

/** Bytes as base64 text, by the fastest way that the runtime has. */
export function toBase64(bytes: Uint8Array): string {
  const native: Uint8Array & NativeBase64 = Uint8Array.prototype
  if (native.toBase64 !== undefined) return native.toBase64.call(bytes)
  const NodeBuffer = globalThis.Buffer
  if (NodeBuffer !== undefined)
    return NodeBuffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
  let text = ''
  for (let start = 0; start < bytes.length; start += chunkSize) {
    text += btoa(String.fromCharCode(...bytes.subarray(start, start + chunkSize)))
  }
  return text
}

/** The bytes of a base64 text, or undefined where the text is none, or not of so many bytes. */
export function fromBase64(text: string, length: number): Uint8Array<ArrayBuffer> | undefined {
  const bytes = decode(text)
  return bytes?.length === length ? bytes : undefined
}

function decode(text: string): Uint8Array<ArrayBuffer> | undefined {
  const native: Uint8ArrayConstructor & NativeBase64 = Uint8Array
  const NodeBuffer = globalThis.Buffer
  try {
    if (native.fromBase64 !== undefined) return native.fromBase64(text)
    // Buffer skips what it does not know, so such a text comes out too short.
    if (NodeBuffer !== undefined) return exactBytes(NodeBuffer.from(text, 'base64'))
    return Uint8Array.from(atob(text), (char) => char.charCodeAt(0))
  } catch {
    return undefined
  }
}

/** Small Buffers share one pool, large ones own their memory. */
function exactBytes(buffer: Buffer<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return buffer.byteLength === buffer.buffer.byteLength ? new Uint8Array(buffer.buffer) : new Uint8Array(buffer)
}
