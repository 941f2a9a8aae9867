import { connect, type Socket } from 'node:net'
import { until } from '../until.js'

/** The parsed answer of a connection: nothing is followed, corrected or left out. */
export type Answer = {
  /** `HTTP/1.1 200 OK` */
  status: string
  /** In the order they came, with the case they came in. */
  headers: [name: string, value: string][]
  /** Without its chunking. */
  body: Buffer
  /** The whole of it is here; a connection that ends is no end, unless nothing else could be one. */
  isWhole: boolean
}

export interface RawClient extends Disposable {
  readonly socket: Socket
  readonly isClosed: boolean
  /** The answers so far; the last may still grow. */
  readonly answers: Answer[]
  /** Every byte that came. */
  readonly received: Buffer
  send(bytes: string | Buffer): void
  /** The answer with this number, when it is whole or the connection has ended. */
  answer(nth?: number): Promise<Answer>
  /** The first events of the first answer, when there are so many. */
  events(count: number): Promise<string[]>
  /** Ends the connection: by a FIN, or `'abruptly'` by a RST. */
  leave(how?: 'abruptly'): void
}

/** A connection to a port of this machine, and what comes back on it, byte for byte. */
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
      if (!answer) throw new Error('The connection ended without an answer')
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

/** The events of a client's first answer that are whole. */
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

/** RFC 9112 §7.1, without extensions and trailers: nobody here sends them. */
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

/** An input, as the query of an address says it. */
export const inputOf = (value: unknown) => `input=${encodeURIComponent(JSON.stringify(value))}`

type Ask = { headers?: Record<string, string>; body?: string | Buffer; version?: string }

/** A request as it goes over the wire. */
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
