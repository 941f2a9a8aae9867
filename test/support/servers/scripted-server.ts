import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type {
  Connection,
  GetLocationsInput,
  GetLocationsOutput,
  LeaveRoomInput,
  LocationEvent,
  OnLocationInput,
  PostLocationInput,
  PostLocationOutput,
} from 'hereabouts'
import type { CellTypes } from '../cell-types.js'

export type Wire = LocationEvent<CellTypes>
export type PostInput = PostLocationInput<CellTypes>

/** One `onLocation` request, which a test answers event by event. */
export interface ScriptedStream {
  readonly input: OnLocationInput
  readonly headers: IncomingHttpHeaders
  readonly url: string
  /** Resolves when the response is closed, by either side. */
  readonly closed: Promise<void>
  /** Writes bytes unchanged. */
  write(bytes: string): void
  /** Writes one tracked event as tRPC does. */
  event(id: string, event: Wire): void
  hello(id?: string, timing?: { beatMs?: number }): void
  snapshot(id: string, ...connections: Connection<CellTypes>[]): void
  beat(id: string, count: number, digest: string): void
  /** Writes a serialized-error event as tRPC does: inside the stream, whose HTTP status is 200. */
  error(code: string, httpStatus: number, message: string): void
  /** Ends the body properly. */
  end(): void
  /** Destroys the connection. */
  cut(): void
}

/** Thrown by a test's answer to refuse a call as tRPC does. */
export class Refusal extends Error {
  readonly code: string
  readonly httpStatus: number
  constructor(code: string, httpStatus: number, message: string) {
    super(message)
    this.code = code
    this.httpStatus = httpStatus
  }
}

const errorShape = (code: string, httpStatus: number, message: string) => ({
  message,
  code: httpStatus >= 500 ? -32603 : -32000,
  data: { code, httpStatus, path: 'onLocation' },
})

/** Starts an HTTP server that sends tRPC's bytes exactly as a test says, and has no rules of its own. */
export async function scriptedServer() {
  const streams = mailbox<ScriptedStream>()
  const posts = mailbox<PostInput>()
  const leaves = mailbox<LeaveRoomInput>()
  const polls = mailbox<GetLocationsInput>()
  const answers = {
    /** The HTTP status of the next streams. With 200, the test writes the body; with 0, there is no answer at all. */
    status: 200,
    /** The content type of the next streams. */
    contentType: 'text/event-stream',
    /** Returns the answer of `getLocations`; by default that nothing has changed. */
    poll: (_input: GetLocationsInput): GetLocationsOutput<CellTypes> | Promise<never> => ({
      id: 'epochepoch1.1',
      event: { type: 'changes', from: 'epochepoch1.1' },
    }),
    post: (input: PostInput): PostLocationOutput | Promise<PostLocationOutput> => ({
      outcome: 'applied',
      connectionId: 'me',
      memberId: 'm-me',
      seq: input.seq ?? 0,
    }),
  }

  const server = createServer((req, res) => void answer(req, res))
  const answer = async (req: IncomingMessage, res: ServerResponse) => {
    const url = new URL(req.url ?? '/', 'http://server')
    if (url.pathname.endsWith('onLocation')) {
      if (answers.status === 0) return
      if (answers.status !== 200) return res.writeHead(answers.status).end('no')
      res.writeHead(200, { 'content-type': answers.contentType })
      if (answers.contentType !== 'text/event-stream') return res.end('<title>Please sign in</title>')
      res.write('event: connected\ndata: {}\n\n\n')
      const input = JSON.parse(url.searchParams.get('input') ?? '{}') as OnLocationInput
      return streams.put(scriptedStream(input, req.headers, req.url ?? '', res))
    }
    if (url.pathname.endsWith('getLocations')) {
      const input = JSON.parse(url.searchParams.get('input') ?? '{}') as GetLocationsInput
      polls.put(input)
      res.setHeader('content-type', 'application/json')
      try {
        return res.end(JSON.stringify({ result: { data: await answers.poll(input) } }))
      } catch (thrown) {
        if (!(thrown instanceof Refusal)) return req.socket.destroy()
        return res.writeHead(200, { 'content-type': 'text/html' }).end('<title>Please sign in</title>')
      }
    }
    let body = ''
    for await (const chunk of req) body += String(chunk)
    const input: unknown = JSON.parse(body)
    const reply = (data: unknown) => res.end(JSON.stringify({ result: { data } }))
    res.setHeader('content-type', 'application/json')
    if (url.pathname.endsWith('leaveRoom')) {
      leaves.put(input as LeaveRoomInput)
      return reply({ outcome: 'left' })
    }
    posts.put(input as PostInput)
    try {
      return reply(await answers.post(input as PostInput))
    } catch (thrown) {
      if (!(thrown instanceof Refusal)) return req.socket.destroy()
      res.statusCode = thrown.httpStatus
      return res.end(JSON.stringify({ error: errorShape(thrown.code, thrown.httpStatus, thrown.message) }))
    }
  }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/trpc`,
    answers,
    /** `stream`, `post`, `leave` and `poll` resolve with the next request of their kind that no test has taken yet. */
    stream: streams.take,
    post: posts.take,
    leave: leaves.take,
    poll: polls.take,
    /** The number of polls that no test has taken. */
    polls: polls.size,
    /** The number of items that no test has taken. */
    waiting: () => ({ streams: streams.size(), posts: posts.size(), leaves: leaves.size() }),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

export type ScriptedServer = Awaited<ReturnType<typeof scriptedServer>>

function scriptedStream(
  input: OnLocationInput,
  headers: IncomingHttpHeaders,
  url: string,
  res: ServerResponse,
): ScriptedStream {
  const write = (bytes: string) => void res.write(bytes)
  const event = (id: string, event: Wire) => write(`data: ${JSON.stringify(event)}\nid: ${id}\n\n\n`)
  return {
    input,
    headers,
    url,
    closed: new Promise((resolve) => res.once('close', resolve)),
    write,
    event,
    hello: (id = 'epochepoch1.0', { beatMs = 10_000 } = {}) =>
      event(id, { type: 'hello', protocol: 1, connectionId: 'me', beatMs, leaseMs: 3 * beatMs, postMs: 50 }),
    snapshot: (id, ...connections) => event(id, { type: 'snapshot', connections }),
    beat: (id, count, digest) => event(id, { type: 'beat', count, digest }),
    error: (code, httpStatus, message) =>
      write(`event: serialized-error\ndata: ${JSON.stringify(errorShape(code, httpStatus, message))}\n\n\n`),
    end: () => res.end(),
    cut: () => res.destroy(),
  }
}

/** A queue in which items wait until they are taken, and `take` waits for an item. */
function mailbox<T>() {
  const items: T[] = []
  const takers: ((item: T) => void)[] = []
  return {
    put(item: T) {
      const taker = takers.shift()
      if (taker) taker(item)
      else items.push(item)
    },
    take: () =>
      new Promise<T>((resolve) => {
        if (items.length) resolve(items.shift()!)
        else takers.push(resolve)
      }),
    size: () => items.length,
  }
}
