import type { Frame } from '../rooms/frames.js'
import type { Serializer } from '../rooms/sse-encoding.js'

/*
 * The bytes of WebSocket messages. tRPC writes the id of a request first, so the rest of a message is the same for all
 * subscribers of a room and is encoded once. Usually the whole message can be shared too, since most clients number
 * their requests from 1.
 */

/** A message, as buffers to write one after the other. */
export type Message = readonly Uint8Array[]

/** Bodies above this size are not copied behind each prefix: prefix and body are written as two buffers. */
const largestCopied = 4 * 1024
/** The maximum number of whole messages, with different prefixes, that are cached for one frame. */
const maxWhole = 16

/** Returns the header of an unmasked, unfragmented text message (RFC 6455 §5.2). */
function headerOf(bytes: number): Buffer {
  if (bytes < 126) return Buffer.from([0x81, bytes])
  if (bytes < 65_536) return Buffer.from([0x81, 126, bytes >> 8, bytes & 255])
  const header = Buffer.alloc(10)
  header.writeUInt16BE(0x81_7f)
  header.writeBigUInt64BE(BigInt(bytes), 2)
  return header
}

/** Returns a text as one WebSocket message, header included. */
export function textMessage(text: string): Uint8Array {
  const bytes = Buffer.byteLength(text)
  const header = headerOf(bytes)
  const message = Buffer.allocUnsafe(header.length + bytes)
  message.set(header)
  message.write(text, header.length)
  return message
}

/** Returns the beginning of each message about a request, as tRPC writes it. */
export const prefixOf = (id: number | string, jsonrpc: '2.0' | undefined): string =>
  `{"id":${JSON.stringify(id)},${jsonrpc === undefined ? '' : `"jsonrpc":"${jsonrpc}",`}`

/** The encoded forms of one frame. */
type EncodedFrame = { serializer: Serializer; body: Buffer; whole: Map<string, Message> }

const encodedFrames = new WeakMap<Frame, EncodedFrame>()

/** Returns a frame as a WebSocket message, given the beginning that `prefixOf` returned. */
export function frameMessage(frame: Frame, serializer: Serializer, prefix: string): Message {
  let encoded = encodedFrames.get(frame)
  if (encoded?.serializer !== serializer) {
    encoded = { serializer, body: bodyOf(frame, serializer), whole: new Map() }
    encodedFrames.set(frame, encoded)
  }
  const { body, whole } = encoded
  const known = whole.get(prefix)
  if (known) return known
  const start = Buffer.from(prefix)
  const header = headerOf(start.length + body.length)
  if (body.length > largestCopied) return [Buffer.concat([header, start]), body]
  const message = [Buffer.concat([header, start, body])]
  if (whole.size < maxWhole) whole.set(prefix, message)
  return message
}

function bodyOf(frame: Frame, serializer: Serializer): Buffer {
  const { id, event } = frame
  const data = { id, data: event }
  const serialized = serializer.serialize(data)
  const json =
    serialized === data ? `{"id":${JSON.stringify(id)},"data":${frame.jsonBy(serializer)}}` : JSON.stringify(serialized)
  return Buffer.from(`"result":{"type":"data","data":${json},"id":${JSON.stringify(id)}}}`)
}
