import { setImmediate as turn } from 'node:timers/promises'
import type {
  Connection,
  GetLocationsOutput,
  LeaveRoomInput,
  LocationEvent,
  OnLocationInput,
  PostLocationInput,
  PostLocationOutput,
} from 'hereabouts'
import type { CellTypes } from '../cell-types.js'

type Wire = LocationEvent<CellTypes>

/** One request to the server, in the order of arrival. */
export type MemoryRequest = {
  readonly url: string
  readonly procedure: string
  readonly input: object
  readonly headers: Readonly<Record<string, string>>
  readonly keepalive: boolean | undefined
}

/** One open stream, whose events the test writes. */
export interface MemoryStream {
  readonly input: OnLocationInput
  readonly headers: Readonly<Record<string, string>>
  /** True once the client has aborted the request. */
  readonly isClosed: boolean
  event(id: string, event: Wire): Promise<void>
  hello(more?: object, id?: string): Promise<void>
  snapshot(id: string, ...connections: Connection<CellTypes>[]): Promise<void>
  /** Ends the stream with an error of the network. */
  cut(): Promise<void>
}

/** Thrown by an answer of a test to refuse a call as tRPC does. */
export class MemoryRefusal extends Error {
  readonly httpStatus: number
  readonly more: object
  constructor(message: string, httpStatus = 400, more: object = {}) {
    super(message)
    this.httpStatus = httpStatus
    this.more = more
  }
}

/** Waits until everything that needs no timer has happened. */
export const settled = async (): Promise<void> => {
  for (let i = 0; i < 12; i++) await turn()
}

/** A promise that a test settles. */
export function deferred<V>() {
  let resolve: (value: V) => void = () => {}
  let reject: (reason: Error) => void = () => {}
  const promise = new Promise<V>((done, fail) => {
    resolve = done
    reject = fail
  })
  return { promise, resolve, reject }
}

/**
 * A server without a network: a `fetch` whose answers a test gives. It has no rules of its own. It is faster than
 * `scriptedServer`, whose bytes pass through real sockets.
 */
export function memoryServer() {
  const streams: MemoryStream[] = []
  const requests: MemoryRequest[] = []
  const encoder = new TextEncoder()
  const answers = {
    /** The HTTP status of the next streams. With 0, the request is never answered. */
    status: 200,
    post: (input: PostLocationInput<CellTypes>): PostLocationOutput | Promise<PostLocationOutput> => ({
      outcome: 'applied',
      connectionId: 'me',
      memberId: 'm-me',
      seq: input.seq ?? 0,
    }),
    poll: (_input: object): GetLocationsOutput<CellTypes> | Promise<GetLocationsOutput<CellTypes>> => ({
      id: 'epochepoch1.1',
      event: { type: 'changes', from: 'epochepoch1.1' },
    }),
    leave: (_input: LeaveRoomInput): object | Promise<object> => ({ outcome: 'left' }),
    /** Answers every other procedure. */
    call: (_procedure: string, _input: object): object | Promise<object> => ({}),
  }

  const open = (input: OnLocationInput, headers: MemoryRequest['headers'], signal: AbortSignal | null | undefined) => {
    let out: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>
    const body = new ReadableStream<Uint8Array<ArrayBuffer>>({ start: (controller) => void (out = controller) })
    const write = async (text: string) => {
      if (!signal?.aborted) out.enqueue(encoder.encode(text))
      await settled()
    }
    const stream: MemoryStream = {
      input,
      headers,
      get isClosed() {
        return signal?.aborted === true
      },
      event: (id, event) => write(`data: ${JSON.stringify(event)}\nid: ${id}\n\n\n`),
      hello: (more = {}, id = 'epochepoch1.0') =>
        stream.event(id, {
          type: 'hello',
          protocol: 1,
          connectionId: 'me',
          beatMs: 10_000,
          leaseMs: 30_000,
          postMs: 50,
          ...more,
        }),
      snapshot: (id, ...connections) => stream.event(id, { type: 'snapshot', connections }),
      async cut() {
        if (!signal?.aborted) out.error(new TypeError('The stream was cut.'))
        await settled()
      },
    }
    signal?.addEventListener('abort', () => {
      try {
        out.error(signal.reason)
      } catch {
        // The stream had ended before.
      }
    })
    streams.push(stream)
    void write('event: connected\ndata: {}\n\n\n')
    return new Response(body, { headers: { 'content-type': 'text/event-stream' } })
  }
  const answer = (procedure: string, input: object): unknown => {
    if (procedure === 'postLocation') return answers.post(input as PostLocationInput<CellTypes>)
    if (procedure === 'getLocations') return answers.poll(input)
    if (procedure === 'leaveRoom') return answers.leave(input as LeaveRoomInput)
    return answers.call(procedure, input)
  }
  const serve: typeof fetch = async (target, init) => {
    const url = new URL(target as string)
    const procedure = url.pathname.split(/[/.]/).at(-1)!
    const text = typeof init?.body === 'string' ? init.body : (url.searchParams.get('input') ?? '{}')
    const input = JSON.parse(text) as object
    const headers = init?.headers as Record<string, string>
    requests.push({ url: url.href, procedure, input, headers, keepalive: init?.keepalive })
    if (procedure === 'onLocation') {
      if (answers.status === 0) return new Promise(() => {})
      if (answers.status !== 200) return new Response('no', { status: answers.status })
      return open(input as OnLocationInput, headers, init?.signal)
    }
    try {
      return Response.json({ result: { data: await answer(procedure, input) } })
    } catch (thrown) {
      if (!(thrown instanceof MemoryRefusal)) throw thrown
      const { message, httpStatus, more } = thrown
      const error = { message, code: -32_000, data: { code: 'REFUSED', httpStatus, ...more } }
      return Response.json({ error }, { status: httpStatus })
    }
  }
  return {
    fetch: serve,
    answers,
    streams,
    requests,
    /** Returns the inputs of one procedure, oldest first. */
    inputs: <I = Record<string, unknown>>(procedure: string) =>
      requests.filter((request) => request.procedure === procedure).map(({ input }) => input as I),
    /** The newest stream. */
    get stream() {
      return streams.at(-1)!
    },
    /** The streams that the client has not closed. */
    get open() {
      return streams.filter(({ isClosed }) => !isClosed)
    },
  }
}

export type MemoryServer = ReturnType<typeof memoryServer>
