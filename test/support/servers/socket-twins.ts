import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { applyWSSHandler } from '@trpc/server/adapters/ws'
import { cellLocation } from 'hereabouts'
import { createLocationHub } from 'hereabouts/server'
import { createLocationWebSocketHandler } from 'hereabouts/server/websocket'
import { expect } from 'vitest'
import { WebSocketServer } from 'ws'
import { Hub } from '../../../src/server/hub/hub.js'
import { cell } from '../clients/stock-client.js'
import { rawSocket, type RawSocket } from '../clients/raw-socket.js'
import { appOf, lifted, listeners, plain, type Said, type TwinOptions } from './twins.js'

/* One router served by tRPC's `applyWSSHandler` and by ours. Both send the same messages, except for random values. */

export type SocketTwin = {
  url: string
  hub: Hub
  said: Said[]
  /** Moves a connection in a room by a call on the server, not over the socket. */
  post(room: string, key: number, row: number): Promise<void>
}

async function socketTwin(name: 'stock' | 'ours', options: TwinOptions): Promise<SocketTwin & AsyncDisposable> {
  const said: Said[] = []
  const timing = { beatMs: 600_000, ...options.timing }
  const hub = createLocationHub({ location: cellLocation, limits: lifted, timing })
  if (!(hub instanceof Hub)) throw new TypeError('createLocationHub gave a hub that is not a Hub')
  const { router, caller } = appOf(hub, options, said)
  const all = { ...listeners(said, options), router, ...options.middleware }
  const server = createServer()
  const wss = new WebSocketServer({ server })
  if (name === 'stock') applyWSSHandler({ ...all, wss } as never)
  else createLocationWebSocketHandler({ ...all, wss } as never)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/trpc`,
    hub,
    said,
    async post(room, key, row) {
      await caller.locations.postLocation({ room, connectionKey: String(key).padStart(22, 'k'), location: cell(row) })
    },
    async [Symbol.asyncDispose]() {
      await hub.close()
      for (const ws of wss.clients) ws.terminate()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

type Talk = (socket: RawSocket, twin: SocketTwin) => Promise<unknown>
type TalkOptions = TwinOptions & { query?: string; headers?: Record<string, string> }

/** Runs the same conversation with both, and expects the same messages for each request, in the same order. */
export async function sameTalk(
  talk: Talk,
  { query = '', headers = { 'x-user': 'ada' }, ...options }: TalkOptions = {},
) {
  await using stock = await socketTwin('stock', options)
  await using ours = await socketTwin('ours', options)
  const record = async (twin: SocketTwin) => {
    using socket = rawSocket(twin.url + query, headers)
    await socket.opened()
    await talk(socket, twin)
    const errors = twin.said.filter((each) => 'error' in each || 'context' in each)
    return { byRequest: byRequest(socket.texts), errors }
  }
  const seen = await record(stock)
  expect(plain(await record(ours))).toEqual(plain(seen))
  return seen
}

/** Groups the messages by request, because only messages of the same request have a fixed order. */
function byRequest(texts: readonly string[]): Record<string, string[]> {
  const requests: Record<string, string[]> = {}
  for (const text of texts) (requests[/^\{"id":("[^"]*"|[^,]*)/.exec(text)?.[1] ?? 'text'] ??= []).push(text)
  return requests
}
