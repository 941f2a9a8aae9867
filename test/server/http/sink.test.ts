import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { connect, createServer as createHttp2Server } from 'node:http2'
import type { AddressInfo, Server } from 'node:net'
import express from 'express'
import { describe, expect, test } from 'vitest'
import { newTraffic } from '../../../src/server/options/metrics.js'
import { sinkOf, type NodeResponse, type Sink } from '../../../src/server/http/sink.js'
import { encodeEvent, type Bytes } from '../../../src/server/rooms/sse-encoding.js'
import { asked, get, rawClient } from '../../support/network/raw-client.js'

type Handle = (request: IncomingMessage, response: ServerResponse) => void

async function listening(server: Server) {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const sockets = new Set<{ destroy(): unknown }>()
  server.on('connection', (socket: { destroy(): unknown }) => sockets.add(socket))
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** Returns how a sink writes: directly to the socket, or through the response. */
const wayOf = (sink: Sink<Bytes>) => (sink.constructor.name === 'SocketSink' ? 'direct' : 'through the response')
const event = encodeEvent('data: größer\n\n')

/** Writes one event to a response that `prepare` has set up, and ends the response. */
async function written(prepare: Handle, request = get('/')) {
  const ways: string[] = []
  const handle: Handle = (request, response) => {
    prepare(request, response)
    const sink = sinkOf(request, response, newTraffic())
    ways.push(wayOf(sink))
    sink.write(event)
    sink.end()
  }
  await using server = await listening(createServer(handle))
  using client = rawClient(server.port)
  client.send(request)
  const { body } = await client.answer()
  return { way: ways[0], body: body.toString() }
}

describe('how events are written', () => {
  test('events are written directly to the socket of a chunked HTTP/1.1 response whose headers are sent', async () => {
    const { way, body } = await written((_request, response) => response.flushHeaders())
    expect(way).toBe('direct')
    expect(body).toBe('data: größer\n\n')
  })

  test('events are written directly to the socket of an Express response', async () => {
    const app = express()
    const ways: string[] = []
    app.use((request, response) => {
      response.flushHeaders()
      const sink = sinkOf(request, response, newTraffic())
      ways.push(wayOf(sink))
      sink.end()
    })
    await using server = await listening(createServer(app))
    using client = rawClient(server.port)
    client.send(get('/'))
    await client.answer()
    expect(ways).toEqual(['direct'])
  })

  const others: [string, Handle, Buffer?][] = [
    ['before the headers are sent', () => {}],
    [
      'when a middleware has replaced `write`',
      (_request, response) => {
        const write = response.write.bind(response)
        response.write = ((chunk: string) => write(chunk)) as typeof response.write
        response.flushHeaders()
      },
    ],
    [
      'when the response has a content-length',
      (_request, response) => {
        response.setHeader('content-length', event.body.length)
        response.flushHeaders()
      },
    ],
    ['in HTTP/1.0', (_request, response) => response.flushHeaders(), asked('GET', '/', { version: '1.0' })],
  ]
  test.for(others)('events are written through the response, not to the socket, %s', async ([, prepare, request]) => {
    const { way, body } = await written(prepare, request)
    expect(way).toBe('through the response')
    expect(body).toBe('data: größer\n\n')
  })

  test('events are written through the response while an earlier response uses the socket', async () => {
    const held: ServerResponse[] = []
    const ways: string[] = []
    const handle: Handle = (_request, response) => {
      if (held.length === 0) return void held.push(response)
      response.flushHeaders()
      const sink = sinkOf(_request, response, newTraffic())
      ways.push(wayOf(sink))
      sink.write(event)
      sink.end()
      held[0]!.end('first')
    }
    await using server = await listening(createServer(handle))
    using client = rawClient(server.port)
    client.send(Buffer.concat([get('/'), get('/')]))
    expect((await client.answer(1)).body.toString()).toBe('data: größer\n\n')
    expect((await client.answer(0)).body.toString()).toBe('first')
    expect(ways).toEqual(['through the response'])
  })

  test('events are written through the response, not directly to the socket, in HTTP/2', async () => {
    const ways: string[] = []
    const http2 = createHttp2Server((request, response) => {
      const asNode = response as unknown as NodeResponse
      asNode.flushHeaders()
      const sink = sinkOf(request, asNode, newTraffic())
      ways.push(wayOf(sink))
      sink.write(event)
      sink.end()
    })
    await using server = await listening(http2)
    const session = connect(`http://127.0.0.1:${server.port}`)
    let text = ''
    for await (const chunk of session.request({ ':path': '/' }).setEncoding('utf8')) text += chunk as string
    session.destroy()
    expect(ways).toEqual(['through the response'])
    expect(text).toBe('data: größer\n\n')
  })
})

test("the app's socket timeout is restored when a sink stops watching the socket for stalls", async () => {
  const seen: (number | undefined)[] = []
  const http = createServer((request, response) => {
    response.flushHeaders()
    const sink = sinkOf(request, response, newTraffic())
    const note = () => seen.push(response.socket!.timeout)
    note()
    sink.watch(5_000)
    note()
    sink.watch(0)
    note()
    sink.end()
  })
  http.timeout = 70_000
  await using server = await listening(http)
  using client = rawClient(server.port)
  client.send(get('/'))
  await client.answer()
  expect(seen).toEqual([70_000, 5_000, 70_000])
})
