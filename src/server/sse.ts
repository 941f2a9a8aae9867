/** What an app's transformer makes of a value before it becomes JSON. */
export type Serializer = { serialize(value: unknown): unknown }

/** One event: its bytes, and the same bytes as one chunk of an HTTP/1.1 body, both over one buffer. */
export type Encoded = { readonly body: Uint8Array; readonly chunk: Uint8Array }

const lineBreak = '\r\n'

/** RFC 9112 §7.1: the size in hexadecimal, a line break, the data, a line break. */
export function encodeEvent(text: string): Encoded {
  const bytes = Buffer.byteLength(text)
  const size = bytes.toString(16) + lineBreak
  const chunk = Buffer.allocUnsafe(size.length + bytes + lineBreak.length)
  chunk.write(size, 0, 'latin1')
  chunk.write(text, size.length)
  chunk.write(lineBreak, size.length + bytes, 'latin1')
  return { chunk, body: chunk.subarray(size.length, size.length + bytes) }
}

/** As tRPC says that a stream is alive. */
export const ping = encodeEvent('event: ping\ndata: \n\n\n')

/** As tRPC says that a stream has failed. */
export const serializedError = (data: unknown) =>
  encodeEvent(`event: serialized-error\ndata: ${JSON.stringify(data)}\n\n\n`)
