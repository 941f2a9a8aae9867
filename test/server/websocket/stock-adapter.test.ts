import { createServer } from 'node:http'
import { initTRPC } from '@trpc/server'
import { createHTTPHandler } from '@trpc/server/adapters/standalone'
import { applyWSSHandler } from '@trpc/server/adapters/ws'
import { cellLocation } from 'hereabouts'
import { createLocationHub, createLocationRouter, silentLogger } from 'hereabouts/server'
import { createLocationWebSocketHandler } from 'hereabouts/server/websocket'
import { expect, test } from 'vitest'
import { WebSocketServer } from 'ws'
import { rawSocket } from '../../support/clients/raw-socket.js'
import { until } from '../../support/until.js'

/* tRPC's own WebSocket adapter turns the end of a stream into a final error, so an app that uses it gets a warning. */

async function appServer(adapter: 'tRPC' | 'ours') {
  const warnings: string[] = []
  const hub = createLocationHub({
    location: cellLocation,
    logger: { ...silentLogger, warn: (message) => void warnings.push(message) },
  })
  const t = initTRPC.create()
  // A stream that a middleware wraps is sent by tRPC, even under createLocationWebSocketHandler.
  const wrapping = t.procedure.use(async ({ next }) => {
    const result = await next()
    const { data } = result as { data?: unknown }
    if (!result.ok || typeof data !== 'object' || data === null || !(Symbol.asyncIterator in data)) return result
    const wrapped = (async function* () {
      yield* data as AsyncIterable<unknown>
    })()
    return { ...result, data: wrapped }
  })
  const router = t.router({
    locations: createLocationRouter({ hub, procedure: t.procedure, anonymous: true }),
    wrapped: createLocationRouter({ hub, procedure: wrapping, anonymous: true }),
  })
  const server = createServer(createHTTPHandler({ router, basePath: '/trpc/' }))
  const wss = new WebSocketServer({ server })
  if (adapter === 'tRPC') applyWSSHandler({ wss, router })
  else createLocationWebSocketHandler({ wss, router })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  return {
    url: `http://127.0.0.1:${port}/trpc`,
    warnings: () => warnings.filter((message) => message.includes('applyWSSHandler')),
    async [Symbol.asyncDispose]() {
      await hub.close()
      for (const ws of wss.clients) ws.terminate()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

const subscribe = (id: number, path: string) => ({
  id,
  method: 'subscription',
  params: { path, input: { room: 'q3' } },
})
const snapshots = (texts: readonly string[]) => texts.filter((text) => text.includes('"snapshot"')).length

test('location streams under applyWSSHandler cause one warning, which names createLocationWebSocketHandler as replacement', async () => {
  await using server = await appServer('tRPC')
  using socket = await rawSocket(server.url).opened()
  socket.send(subscribe(1, 'locations.onLocation'), subscribe(2, 'locations.onLocation'))
  await until('both streams are open', () => snapshots(socket.texts) === 2)
  expect(server.warnings()).toEqual([expect.stringContaining('createLocationWebSocketHandler')])
})

test('location streams under createLocationWebSocketHandler, wrapped or not, and over HTTP cause no warning', async () => {
  await using server = await appServer('ours')
  using socket = await rawSocket(server.url).opened()
  socket.send(subscribe(1, 'locations.onLocation'), subscribe(2, 'wrapped.onLocation'))
  await until('both streams are open', () => snapshots(socket.texts) === 2)
  const closing = new AbortController()
  const input = encodeURIComponent(JSON.stringify({ room: 'q3' }))
  const { body } = await fetch(`${server.url}/locations.onLocation?input=${input}`, { signal: closing.signal })
  const reader = body!.pipeThrough(new TextDecoderStream()).getReader()
  for (let text = ''; !text.includes('"snapshot"');) text += (await reader.read()).value ?? ''
  closing.abort()
  expect(server.warnings()).toEqual([])
})
