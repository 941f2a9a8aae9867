/** The app's tRPC transformer: converts a value before it becomes JSON. */
export type Serializer = { serialize(value: unknown): unknown }

/** Bytes to send, plain and as one chunk of an HTTP/1.1 body. Both are views of one buffer. */
export type Bytes = { readonly body: Uint8Array; readonly chunk: Uint8Array }
/**
 * One encoded event. `isShared`: every subscriber of the room gets the same bytes, which contain nothing about a single
 * subscriber.
 */
export type Encoded = Bytes & { readonly isShared: boolean }

const lineBreak = '\r\n'

/**
 * Builds a chunk of an HTTP/1.1 body (RFC 9112 §7.1): the size in hexadecimal, a line break, the data, a line break.
 */
function chunkOf(bytes: number, fill: (body: Buffer) => void): Bytes {
  const size = bytes.toString(16) + lineBreak
  const chunk = Buffer.allocUnsafe(size.length + bytes + lineBreak.length)
  const body = chunk.subarray(size.length, size.length + bytes)
  chunk.write(size, 0, 'latin1')
  fill(body)
  chunk.write(lineBreak, size.length + bytes, 'latin1')
  return { chunk, body }
}

export function encodeEvent(text: string, isShared = false): Encoded {
  return { ...chunkOf(Buffer.byteLength(text), (body) => body.write(text)), isShared }
}

export const encodeBytes = (bytes: Uint8Array): Bytes => chunkOf(bytes.length, (body) => body.set(bytes))

/** The ping of tRPC's SSE format. */
export const ping = encodeEvent('event: ping\ndata: \n\n\n')

/** The error event of tRPC's SSE format, which ends a stream for good. */
export const serializedError = (data: unknown) =>
  encodeEvent(`event: serialized-error\ndata: ${JSON.stringify(data)}\n\n\n`)
