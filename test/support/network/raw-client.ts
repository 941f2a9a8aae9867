import { connect, type Socket } from 'node:net'
import { until } from '../until.js'

/** An HTTP response as it was received: redirects are not followed, and no header is changed or left out. */
export type Answer = {
  /** The status line, such as `HTTP/1.1 200 OK`. */
  status: string
  /** The headers in the received order and case. */
  headers: [name: string, value: string][]
  /** The body without the framing of HTTP chunks. */
  body: Buffer
  /** True if the response is complete. The end of the connection counts only for a body without length and chunks. */
  isWhole: boolean
}

export interface RawClient extends Disposable {
  readonly socket: Socket
  readonly isClosed: boolean
  /** The responses so far; the last one may be incomplete. */
  readonly answers: Answer[]
  /** All bytes received so far. */
  readonly received: Buffer
  send(bytes: string | Buffer): void
  /** Resolves with the nth response (from 0) when it is complete or the connection has ended. */
  answer(nth?: number): Promise<Answer>
  /** Resolves with the first `count` events of the first response when they have been received. */
  events(count: number): Promise<string[]>
  /** Ends the connection with a FIN, or with a RST if `how` is `'abruptly'`. */
  leave(how?: 'abruptly'): void
}

/** Opens a TCP connection to a port of this machine, and records and parses the HTTP responses on it. */
export function rawClient(port: number): RawClient {
  const socket = connect(port, '127.0.0.1')
  const chunks: Buffer[] = []
  let isClosed = false
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  socket.on('error', () => {})
  socket.on('close', () => (isClosed = true))
  const client: RawClient = {
    socket,
    get isClosed() {
      return isClosed
    },
    get received() {
      if (chunks.length > 1) chunks.splice(0, Infinity, Buffer.concat(chunks))
      return chunks[0] ?? Buffer.alloc(0)
    },
    get answers() {
      return answersIn(client.received, isClosed)
    },
    send: (bytes) => void socket.write(bytes),
    async answer(nth = 0) {
      await until(`answer ${nth} is whole`, () => isClosed || client.answers[nth]?.isWhole)
      const answer = client.answers[nth]
      if (!answer) throw new Error('The connection ended without a complete response head')
      return answer
    },
    async events(count) {
      await until(`there are ${count} events in ${client.received.toString()}`, () => eventsOf(client).length >= count)
      return eventsOf(client).slice(0, count)
    },
    leave(how) {
      if (how === 'abruptly') socket.resetAndDestroy()
      else socket.destroy()
    },
    [Symbol.dispose]: () => void socket.destroy(),
  }
  return client
}

/** Returns the complete events in a client's first response. */
export function eventsOf({ answers: [answer] }: RawClient): string[] {
  return (answer?.body.toString() ?? '').split(/(?<=\n\n\n)/).filter((event) => event.endsWith('\n\n\n'))
}

function answersIn(bytes: Buffer, isClosed: boolean): Answer[] {
  const answers: Answer[] = []
  for (let rest = bytes; rest.length > 0;) {
    const end = rest.indexOf('\r\n\r\n')
    if (end === -1) break
    const [status = '', ...lines] = rest.subarray(0, end).toString('latin1').split('\r\n')
    const headers = lines.map((line): [string, string] => {
      const colon = line.indexOf(':')
      return [line.slice(0, colon), line.slice(colon + 1).trim()]
    })
    const header = (name: string) => headers.find(([each]) => each.toLowerCase() === name)?.[1]
    const { body, isWhole, length } = bodyIn(rest.subarray(end + 4), header, / (204|304) /.test(status), isClosed)
    answers.push({ status, headers, body, isWhole })
    if (!isWhole) break
    rest = rest.subarray(end + 4 + length)
  }
  return answers
}

type Body = { body: Buffer; isWhole: boolean; length: number }

function bodyIn(
  bytes: Buffer,
  header: (name: string) => string | undefined,
  isEmpty: boolean,
  isClosed: boolean,
): Body {
  if (isEmpty) return { body: Buffer.alloc(0), isWhole: true, length: 0 }
  if (header('transfer-encoding') === 'chunked') return dechunked(bytes)
  const size = header('content-length')
  if (size === undefined) return { body: bytes, isWhole: isClosed, length: bytes.length }
  const length = Number(size)
  return { body: bytes.subarray(0, length), isWhole: bytes.length >= length, length }
}

/** Removes HTTP chunk framing (RFC 9112 §7.1). Extensions and trailers are not supported: no server here sends them. */
export function dechunked(bytes: Buffer): Body {
  const parts: Buffer[] = []
  for (let at = 0; ;) {
    const lineEnd = bytes.indexOf('\r\n', at)
    if (lineEnd === -1) return { body: Buffer.concat(parts), isWhole: false, length: bytes.length }
    const line = bytes.toString('latin1', at, lineEnd)
    if (!/^[\da-f]+$/i.test(line)) throw new Error(`"${line}" is not the size of a chunk`)
    const size = Number.parseInt(line, 16)
    const start = lineEnd + 2
    if (bytes.length < start + size + 2) {
      parts.push(bytes.subarray(start, start + size))
      return { body: Buffer.concat(parts), isWhole: false, length: bytes.length }
    }
    if (bytes.toString('latin1', start + size, start + size + 2) !== '\r\n') throw new Error('A chunk does not end')
    at = start + size + 2
    if (size === 0) return { body: Buffer.concat(parts), isWhole: true, length: at }
    parts.push(bytes.subarray(start, start + size))
  }
}

/** Returns a procedure input as a query string of a URL. */
export const inputOf = (value: unknown) => `input=${encodeURIComponent(JSON.stringify(value))}`

type Ask = { headers?: Record<string, string>; body?: string | Buffer; version?: string }

/** Returns the bytes of a GET request. */
export function get(path: string, { headers = {}, version = '1.1' }: Ask = {}): Buffer {
  return asked('GET', path, { headers, version })
}
export function asked(method: string, path: string, { headers = {}, body, version = '1.1' }: Ask = {}): Buffer {
  const all = { host: 'here.example', 'x-user': 'ada', ...headers }
  const length = body === undefined ? [] : [`content-length: ${Buffer.byteLength(body)}`]
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}`)
  const head = [`${method} ${path} HTTP/${version}`, ...lines, ...length, '', ''].join('\r\n')
  return Buffer.concat([Buffer.from(head, 'latin1'), Buffer.from(body ?? '')])
}
export function post(path: string, body: unknown, { headers = {} }: Ask = {}): Buffer {
  const text = typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body)
  return asked('POST', path, { headers: { 'content-type': 'application/json', ...headers }, body: text })
}
