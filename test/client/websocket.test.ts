import { createServer } from 'node:http'
import type { RoomTypesWith } from 'hereabouts'
import { createLocationClient, type Room, type RoomStatus } from 'hereabouts/client'
import { webSocket } from 'hereabouts/client/websocket'
import { serveLocations, type ServedLocations } from 'hereabouts/testing'
import { describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import * as z from 'zod'
import { cell } from '../support/clients/stock-client.js'
import { tcpProxy } from '../support/network/tcp-proxy.js'
import type { CellTypes } from '../support/cell-types.js'
import { until } from '../support/until.js'

/* A client over a real WebSocket, in Node. In Chromium: test/browser/websocket.test.ts. */

type Cells = ServedLocations<CellTypes>['server']['router']
type Presence = Room<RoomTypesWith<{ location: CellTypes['location']; presence: { typing?: boolean; line?: number } }>>

/** Creates a client and records its sockets and requests. */
function socketClient(
  url: string,
  options: { socketUrl?: string; Socket?: typeof WebSocket; params?: () => Record<string, string> } = {},
) {
  const requests: string[] = []
  const sockets: WebSocket[] = []
  class Recorded extends (options.Socket ?? WebSocket) {
    constructor(address: string) {
      super(address)
      sockets.push(this)
    }
  }
  const client = createLocationClient<Cells>({
    url,
    transport: webSocket({
      url: options.socketUrl ?? url,
      WebSocket: Recorded as never,
      ...(options.params && { connectionParams: options.params }),
    }),
    fetch: (input, init) => {
      requests.push(String(input instanceof Request ? input.url : input).replace(/^.*\/|\?.*$/g, ''))
      return fetch(input, init)
    },
  })
  return { client, requests, sockets }
}

const liveBy = (transport: string) => (status: RoomStatus) => status.state === 'live' && status.transport === transport

describe('a client over a WebSocket', () => {
  test('a client over a WebSocket joins, posts and sees others over one socket', async () => {
    await using server = await serveLocations({ webSocket: true })
    const ada = socketClient(server.url)
    const bob = socketClient(server.url)
    const room = ada.client.join('q3', { location: cell(1) })
    const other = ada.client.join('q4', { location: cell(1) })
    const theirs = bob.client.join('q3', { location: cell(2) })
    await until('all are live', () => [room, other, theirs].every(({ status }) => liveBy('websocket')(status)))
    await until('they see each other', () => room.others.length === 1 && theirs.others.length === 1)
    const before = ada.requests.length
    room.post(cell(7))
    await room.flush()
    await until('bob has seen it', () => theirs.others[0]?.location?.row === 7)
    expect([ada.sockets.length, bob.sockets.length]).toEqual([1, 1])
    expect(ada.requests.slice(before)).toEqual([])
    await Promise.all([ada.client.close(), bob.client.close()])
    expect(ada.requests).toContain('leaveRoom')
    expect(ada.requests).not.toContain('onLocation')
    await until('the sockets are closed', () =>
      [...ada.sockets, ...bob.sockets].every(({ readyState }) => readyState >= 2),
    )
  })

  test('a presence value posted over a WebSocket reaches another member, and so does the removal of a key', async () => {
    const presence = z.object({ typing: z.boolean(), line: z.number() }).partial()
    await using server = await serveLocations({ webSocket: true, presence, timing: { scale: 1 / 20 } })
    const [ada, bob] = [socketClient(server.url), socketClient(server.url)]
    const [own, theirs] = [ada, bob].map(
      ({ client }) => client.join('q3', { location: cell(1) }) as unknown as Presence,
    )
    await until('both are live', () => [own, theirs].every((room) => liveBy('websocket')(room!.status)))
    await until('they see each other', () => theirs!.others.length === 1)
    const before = ada.requests.length
    own!.setPresence({ typing: true, line: 4 })
    await until('the value is seen', () => theirs!.others[0]?.presence.typing)
    own!.setPresence({ typing: undefined })
    await until('the removed key is gone', () => !theirs!.others[0]?.presence.typing)
    expect(theirs!.others[0]?.presence).toEqual({ line: 4 })
    expect(ada.requests.slice(before)).toEqual([])
    expect([ada.sockets.length, bob.sockets.length]).toEqual([1, 1])
    await Promise.all([ada.client.close(), bob.client.close()])
  })

  test('a client whose WebSocket is cut is live again over another socket and sees new members', async () => {
    await using server = await serveLocations({ webSocket: true, timing: { scale: 1 / 20 } })
    await using proxy = await tcpProxy(server.port)
    const { client, sockets } = socketClient(server.url, { socketUrl: `http://127.0.0.1:${proxy.port}/trpc` })
    const room = client.join('q3', { location: cell(1) })
    await until('it is live', () => liveBy('websocket')(room.status))
    sockets[0]!.terminate()
    await until('another socket is open', () => sockets.length > 1 && liveBy('websocket')(room.status))
    await server.hub.room('q3').post({ memberId: 'bob', location: cell(5) })
    await until('it sees bob', () => room.others.length === 1)
    await client.close()
  })

  test('`reconnect()` closes the WebSocket and opens another one', async () => {
    await using server = await serveLocations({ webSocket: true, timing: { scale: 1 / 20 } })
    const { client, sockets } = socketClient(server.url)
    const room = client.join('q3', { location: cell(1) })
    await until('it is live', () => liveBy('websocket')(room.status))
    client.reconnect()
    await until('another socket is open', () => sockets.length === 2 && liveBy('websocket')(room.status))
    expect(sockets[0]!.readyState).toBeGreaterThanOrEqual(2)
    await client.close()
  })

  test('a client falls back to SSE when two sockets in a row brought no hello, and reports the transport `sse`', async () => {
    await using server = await serveLocations({ timing: { scale: 1 / 20 } })
    const { client, sockets, requests } = socketClient(server.url)
    const room = client.join('q3', { location: cell(1) })
    await until('it is live over SSE', () => liveBy('sse')(room.status))
    expect(sockets).toHaveLength(2)
    expect(requests.filter((name) => name === 'onLocation')).toHaveLength(1)
    await room.flush()
    await client.close()
  })

  test('a client returns to WebSockets when SSE fails, too', async () => {
    const port = await freePort()
    const { client, sockets } = socketClient(`http://127.0.0.1:${port}/trpc`)
    const room = client.join('q3', { location: cell(1) })
    await until('it has tried three times', () => sockets.length >= 3)
    await using _server = await serveLocations({ webSocket: true, port, timing: { scale: 1 / 20 } })
    // Without `reconnect`, the room may poll for half a minute after three failures.
    client.reconnect()
    await until('it is live', () => liveBy('websocket')(room.status))
    await client.close()
  })

  test('a stream that the server refuses over a WebSocket closes the room with the reason of the refusal', async () => {
    await using server = await serveLocations({
      webSocket: true,
      anonymous: true,
      authorize: ({ room }) => room !== 'closed',
    })
    const { client, sockets } = socketClient(server.url)
    const room = client.watch('closed')
    await until('it is refused', () => room.status.state === 'closed')
    expect(room.status).toMatchObject({ reason: 'forbidden', transport: 'websocket' })
    expect(sockets).toHaveLength(1)
    await client.close()
  })
})

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}
