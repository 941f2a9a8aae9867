import { createTRPCClient, createWSClient, wsLink } from '@trpc/client'
import { LocationError } from 'hereabouts/server'
import { manualClock, serveLocations } from 'hereabouts/testing'
import { describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import type { Cells } from '../../support/clients/stock-client.js'
import { cell } from '../../support/clients/stock-client.js'
import { until } from '../../support/until.js'

/* Subscriptions of tRPC's own WebSocket client (wsLink), set up as in its documentation. */

function wsClient(url: string) {
  let sockets = 0
  const client = createWSClient({
    url: url.replace('http', 'ws'),
    WebSocket: WebSocket as never,
    onOpen: () => (sockets += 1),
    retryDelayMs: () => 20,
  })
  return {
    client,
    trpc: createTRPCClient<Cells>({ links: [wsLink({ client })] }),
    get sockets() {
      return sockets
    },
  }
}

/** Opens twelve subscriptions, each to another room. Returns the events that each has received. */
function twelve({ trpc }: ReturnType<typeof wsClient>) {
  return Array.from({ length: 12 }, (_, at) => {
    const seen = { types: [] as string[], rows: [] as (number | undefined)[], errors: [] as unknown[], isOver: false }
    trpc.onLocation.subscribe(
      { room: `room-${at}` },
      {
        onData({ data }) {
          seen.types.push(data.type)
          if (data.type === 'changes' || data.type === 'snapshot')
            for (const each of (data.type === 'snapshot'
              ? data.connections
              : [...(data.changed ?? []), ...(data.entered ?? [])]) ?? [])
              seen.rows.push(each.location?.row)
        },
        onError: (error) => seen.errors.push(error),
        onComplete: () => (seen.isOver = true),
      },
    )
    return seen
  })
}

const lives = (seen: ReturnType<typeof twelve>) => seen.every(({ types }) => types.includes('snapshot'))

describe("tRPC's wsLink", () => {
  test('twelve subscriptions of wsLink resume by themselves after a restart of the server, without an error', async () => {
    const first = await serveLocations({ webSocket: true })
    const stock = wsClient(first.url)
    const seen = twelve(stock)
    await until('all subscriptions have a snapshot', () => lives(seen))
    await first.close()
    await using second = await serveLocations({ webSocket: true, port: first.port })
    await until('all subscriptions have another hello', () =>
      seen.every(({ types }) => types.filter((type) => type === 'hello').length === 2),
    )
    for (let at = 0; at < 12; at++) await second.hub.room(`room-${at}`).post({ memberId: 'ada', location: cell(7) })
    await until('all subscriptions have the post', () => seen.every(({ rows }) => rows.includes(7)))
    expect(seen.flatMap(({ errors }) => errors)).toEqual([])
    expect(seen.some(({ isOver }) => isOver)).toBe(false)
    await stock.client.close()
  })

  test('twelve subscriptions of wsLink resume on the next server after a drain, without an error', async () => {
    const first = await serveLocations({ webSocket: true, timing: { drainMs: 200 } })
    const stock = wsClient(first.url)
    const seen = twelve(stock)
    await until('all subscriptions have a snapshot', () => lives(seen))
    await first.hub.drain()
    await first.close()
    await using _second = await serveLocations({ webSocket: true, port: first.port })
    await until('all subscriptions have another hello', () =>
      seen.every(({ types }) => types.filter((type) => type === 'hello').length === 2),
    )
    expect(seen.flatMap(({ errors }) => errors)).toEqual([])
    await stock.client.close()
  })

  test('twelve subscriptions of wsLink wait while authorize fails as `unavailable` for ten seconds, and then start on the same socket', async () => {
    const clock = manualClock()
    let isDown = true
    const authorize = () => {
      if (isDown) throw new LocationError('unavailable', 'The database restarts.')
      return true
    }
    await using server = await serveLocations({
      webSocket: true,
      clock,
      identify: () => ({ memberId: 'ada' }),
      authorize,
    })
    const stock = wsClient(server.url)
    const seen = twelve(stock)
    await until('the server is asked', async () => (await clock.advance(50), stock.sockets === 1))
    for (let waited = 0; waited < 10_000; waited += 500) {
      await clock.advance(500)
      // The query is a round trip on the socket, so the client also answers a ping meanwhile.
      await stock.trpc.countMembers.query({ rooms: [] })
    }
    expect(seen.some(({ types }) => types.length > 0)).toBe(false)
    isDown = false
    await until('all subscriptions have a snapshot', async () => (await clock.advance(100), lives(seen)))
    expect(seen.flatMap(({ errors }) => errors)).toEqual([])
    expect(stock.sockets).toBe(1)
    await stock.client.close()
  })

  test('twelve subscriptions of wsLink continue on one socket while an SSE stream is rotated', async () => {
    const clock = manualClock()
    await using server = await serveLocations({ webSocket: true, clock, timing: { rotateMs: 60_000 } })
    const stock = wsClient(server.url)
    const seen = twelve(stock)
    await until('all subscriptions have a snapshot', () => lives(seen))
    const closing = new AbortController()
    const input = encodeURIComponent(JSON.stringify({ room: 'room-0' }))
    const other = await fetch(`${server.url}/onLocation?input=${input}`, { signal: closing.signal })
    const text = other.text()
    let isRotated = false
    void text.then(() => (isRotated = true))
    await until('the stream over SSE is rotated', async () => {
      await clock.advance(5_000)
      await stock.trpc.countMembers.query({ rooms: [] })
      return isRotated
    })
    expect(await text).toContain('"reason":"rotated"')
    expect(seen.every(({ types }) => types.filter((type) => type === 'hello').length === 1)).toBe(true)
    expect(seen.some(({ types }) => types.includes('bye'))).toBe(false)
    expect(stock.sockets).toBe(1)
    await stock.client.close()
  })

  test('calls and subscriptions of wsLink share one socket', async () => {
    await using server = await serveLocations({ webSocket: true })
    const stock = wsClient(server.url)
    const seen = twelve(stock)
    const reply = await stock.trpc.postLocation.mutate({
      room: 'room-3',
      connectionKey: 'k'.repeat(22),
      location: cell(5),
    })
    await until('the post was seen', () => seen[3]!.rows.includes(5))
    expect([reply.outcome, stock.sockets]).toEqual(['applied', 1])
    await expect(stock.trpc.getLocations.query({ room: '' })).rejects.toThrow('bad-input: ')
    await stock.client.close()
  })
})
