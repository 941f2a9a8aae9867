import { createServer, request, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'

export type Call = { procedure: string; path: string; body: string; headers: IncomingHttpHeaders }
export type Reply = { status: number; headers: IncomingHttpHeaders; body: string }

/** The faults that the proxy injects. Each may be set and unset at any time. Without faults, all is forwarded. */
export type Faults = {
  /** Answers a query or a mutation. `pass` forwards a call to the server: never, later, twice, or changed. */
  call?(call: Call, pass: (call: Call) => Promise<Reply>): Promise<Reply>
  /** Changes the request for a stream. A number refuses the stream with that HTTP status. */
  open?(call: Call): Call | number
  /** Changes one event of a stream; '' drops the event, `null` cuts the stream before it. `nth` counts from 0. */
  event?(event: string, nth: number): string | null
  /** Cuts each stream after this number of body bytes. */
  cutAfterBytes?: number
  /** Forwards streams in pieces of this number of bytes, each written in its own turn of the event loop. */
  packetBytes?: number
}

export interface FaultProxy extends AsyncDisposable {
  /** The address that a client uses in place of the server's. */
  readonly url: string
  faults: Faults
  /** The number of body bytes forwarded so far, one entry for each stream. */
  readonly streamed: number[]
  /** Cuts every open stream abruptly, as a network failure does. */
  cut(): void
}

/** Adds a `retry` field to the first event, so that an EventSource reconnects after 50 ms, not 3 s (HTML §9.2.6). */
export const soonAgain = (event: string, nth: number): string => (nth === 0 ? `retry: 50\n\n${event}` : event)

/** Starts a proxy between a client and a server on this machine, which injects network faults. */
export async function faultProxy(target: string, faults: Faults = {}): Promise<FaultProxy> {
  const upstream = new URL(target)
  const cuts = new Set<() => void>()
  const server = createServer((incoming, outgoing) => {
    handle(incoming, outgoing).catch(() => outgoing.destroy())
  })

  async function handle(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const path = incoming.url!
    const procedure = new URL(path, upstream).pathname.split('/').at(-1)!
    const call: Call = { procedure, path, body: await textOf(incoming), headers: incoming.headers }
    if (procedure.endsWith('onLocation')) {
      const opened = proxy.faults.open?.(call) ?? call
      if (typeof opened === 'object') return stream(opened, outgoing)
      return void outgoing.writeHead(opened).end()
    }
    const pass = async (changed: Call): Promise<Reply> => {
      const response = await forward(changed, incoming.method!)
      return { status: response.statusCode!, headers: response.headers, body: await textOf(response) }
    }
    const { status, headers, body } = await (proxy.faults.call?.(call, pass) ?? pass(call))
    const { 'content-length': _length, 'transfer-encoding': _encoding, ...rest } = headers
    outgoing.writeHead(status, rest).end(body)
  }

  async function stream(call: Call, outgoing: ServerResponse): Promise<void> {
    const response = await forward(call, 'GET')
    const cut = () => void (outgoing.destroy(), response.destroy())
    cuts.add(cut)
    outgoing.on('close', () => {
      cuts.delete(cut)
      response.destroy()
    })
    const index = proxy.streamed.push(0) - 1
    let sent = Promise.resolve()
    const trickle = async (bytes: Buffer, packetBytes: number) => {
      await sent
      for (let at = 0; at < bytes.length && !outgoing.destroyed; at += packetBytes) {
        outgoing.write(bytes.subarray(at, at + packetBytes))
        await turn()
      }
    }
    const write = (text: string) => {
      const { cutAfterBytes = Infinity, packetBytes } = proxy.faults
      const bytes = Buffer.from(text)
      const left = cutAfterBytes - proxy.streamed[index]!
      proxy.streamed[index]! += Math.min(bytes.length, left)
      if (bytes.length > left) {
        outgoing.write(bytes.subarray(0, left), cut)
        response.destroy()
      } else if (packetBytes) sent = trickle(bytes, packetBytes)
      else outgoing.write(bytes)
    }
    outgoing.writeHead(response.statusCode!, response.headers)
    outgoing.flushHeaders()
    response.setEncoding('utf8')
    let text = ''
    let nth = 0
    response.on('data', (chunk: string) => {
      text += chunk
      const events = text.split(/(?<=\n\n\n)/)
      text = events.at(-1)!.endsWith('\n\n\n') ? '' : events.pop()!
      for (const event of events) {
        const changed = proxy.faults.event ? proxy.faults.event(event, nth++) : event
        // The empty write makes sure that the earlier events are sent before the cut.
        if (changed === null) return void (response.pause(), outgoing.socket?.write('', cut))
        if (changed !== '') write(changed)
      }
    })
    response.on('end', () => void sent.then(() => outgoing.end()))
    response.on('error', () => outgoing.destroy())
    response.on('close', () => {
      // After a complete response the connection is kept alive: the client may already send its next request on it.
      if (!response.complete) void sent.then(() => outgoing.destroy())
    })
  }

  function forward({ path, body, headers }: Call, method: string): Promise<IncomingMessage> {
    const { 'content-length': _length, connection: _connection, host: _host, ...rest } = headers
    return new Promise((resolve, reject) => {
      const passedOn = request(new URL(path, upstream), { method, headers: rest, agent: false }, resolve)
      passedOn.on('error', reject)
      passedOn.end(body)
    })
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const proxy: FaultProxy = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}${upstream.pathname}`,
    faults,
    streamed: [],
    cut: () => cuts.forEach((cut) => cut()),
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeAllConnections()
      await closed
    },
  }
  return proxy
}

async function textOf(message: IncomingMessage): Promise<string> {
  message.setEncoding('utf8')
  let text = ''
  for await (const chunk of message) text += chunk as string
  return text
}
