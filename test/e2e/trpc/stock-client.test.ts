import { createTRPCClient, httpBatchStreamLink } from '@trpc/client'
import { serveLocations } from 'hereabouts/testing'
import { afterAll, describe, expect, test } from 'vitest'
import { faultProxy, soonAgain } from '../../support/network/fault-proxy.js'
import { cell, newKey, stockClient, subscribed, type Cells } from '../../support/clients/stock-client.js'
import { until } from '../../support/until.js'

/* @trpc/client with the package `eventsource`, without our client, gets everything that the protocol promises. */

const server = await serveLocations({ timing: { scale: 1 / 20 } })
afterAll(() => server.close())

describe('a stock client', () => {
  test('a stock client receives hello, then a snapshot of the room, then each change', async () => {
    const client = stockClient(server.url)
    const reply = await client.postLocation.mutate({ room: 'stock', location: cell(1) })
    expect(reply).toMatchObject({ outcome: 'applied', seq: 1, connectionKey: expect.stringMatching(/^[\w-]{22}$/) })
    using stream = subscribed(client, { room: 'stock' })
    expect((await stream.heard.at(0)).event).toMatchObject({ type: 'hello', protocol: 1, connectionId: null })
    const { event: snapshot } = await stream.heard.at(1)
    expect(snapshot).toMatchObject({ type: 'snapshot', connections: [{ location: cell(1) }] })
    const { connectionKey } = reply
    const moved = await client.postLocation.mutate({ room: 'stock', location: cell(2), connectionKey })
    const changes = await stream.heard.find('the move arrives', ({ event }) => event.type === 'changes')
    expect(changes).toMatchObject({ id: moved.id, event: { changed: [{ location: cell(2) }] } })
    expect(stream.errors.all).toEqual([])
  })

  test('a stock client whose stream is cut reconnects by itself and receives one merged change from its last event id, and no second snapshot', async () => {
    await using proxy = await faultProxy(server.url, { event: soonAgain })
    const client = stockClient(server.url)
    const room = 'cut-off'
    const post = (connectionKey: string, seq: number, row: number) =>
      client.postLocation.mutate({ room, connectionKey, seq, location: cell(row), leaseMs: 15_000 })
    const [ada, ...others] = Array.from({ length: 6 }, newKey)
    for (const key of [ada!, ...others]) await post(key, 1, 0)
    using stream = subscribed(stockClient(proxy.url), { room })
    await until('the viewer shows all members', () => stream.view.connections.size === 6)
    await post(ada!, 2, 2)
    await until('the first move is in sight', () => stream.told.at(-1)?.event.type === 'changes')
    const held = stream.view.id
    proxy.cut()
    for (const seq of [3, 4, 5]) await post(ada!, seq, seq)
    const isHome = () => [...stream.view.connections.values()].some(({ location }) => location?.row === 5)
    await until('the newest move is in sight', isHome)
    expect(stream.diverged).toEqual([])
    const { told } = stream
    expect(told.map(({ event }) => event.type)).toEqual(['snapshot', 'changes', 'changes'])
    expect(told.at(-1)!.event).toMatchObject({ from: held, changed: [{ location: cell(5) }] })
    const rows = JSON.stringify(told)
    expect(rows).not.toContain('"row":3')
    expect(rows).not.toContain('"row":4')
    expect(stream.completed).toBe(false)
  })

  test('a stock client stays present while three lines of code answer each heartbeat with a post, and is shown as `lost` when they stop', async () => {
    const client = stockClient(server.url)
    const post = { room: 'three-lines', connectionKey: newKey(), seq: 1, location: cell(1) }
    const { connectionId } = await client.postLocation.mutate(post)
    using subscription = (() => {
      const { unsubscribe } = client.onLocation.subscribe(
        { room: post.room, connectionKey: post.connectionKey },
        {
          onData({ data }) {
            if (data.type === 'beat') void client.postLocation.mutate(post)
          },
        },
      )
      return { [Symbol.dispose]: unsubscribe }
    })()
    using watcher = subscribed(client, { room: post.room })
    await until(
      'there are five heartbeats',
      () => watcher.heard.all.filter(({ event }) => event.type === 'beat').length >= 5,
    )
    // A lease lasts for three heartbeats: without those posts it would have expired.
    expect(watcher.view.connections.has(connectionId)).toBe(true)
    expect(watcher.told).toHaveLength(1)
    subscription[Symbol.dispose]()
    await until('the connection is gone after it stopped posting', () => watcher.view.connections.size === 0)
    expect(watcher.told.at(-1)!.event).toMatchObject({ left: [{ connectionId, reason: 'lost' }] })
  })

  test('a stock client with httpBatchLink sends two posts in one request, which become one frame, and two queries in another', async () => {
    const client = stockClient(server.url, { batching: true })
    const room = 'batched'
    const replies = await Promise.all([
      client.postLocation.mutate({ room, connectionKey: newKey(), location: cell(1) }),
      client.postLocation.mutate({ room, connectionKey: newKey(), location: cell(2) }),
    ])
    expect(replies.map(({ outcome }) => outcome)).toEqual(['applied', 'applied'])
    const [counts, { event }] = await Promise.all([
      client.countMembers.query({ rooms: [room] }),
      client.getLocations.query({ room }),
    ])
    expect(counts).toEqual([{ room, members: 2 }])
    expect(event).toMatchObject({ type: 'snapshot', connections: [{}, {}] })
    // The posts of one request go out as one frame.
    expect(new Set(replies.map(({ id }) => id)).size).toBe(1)
  })

  test('a stock client with httpBatchStreamLink sends two posts in one request, and both are applied', async () => {
    const client = createTRPCClient<Cells>({ links: [httpBatchStreamLink({ url: server.url })] })
    const room = 'streamed'
    const replies = await Promise.all([
      client.postLocation.mutate({ room, connectionKey: newKey(), location: cell(1) }),
      client.postLocation.mutate({ room, connectionKey: newKey(), location: cell(2) }),
    ])
    expect(replies.map(({ outcome }) => outcome)).toEqual(['applied', 'applied'])
  })

  test('a stock client that subscribes with a room id that is too long gets a BAD_REQUEST error inside the stream', async () => {
    using stream = subscribed(stockClient(server.url), { room: 'x'.repeat(129) })
    const error = await stream.errors.at(0)
    expect(error.data).toMatchObject({ code: 'BAD_REQUEST', httpStatus: 400, path: 'onLocation' })
    expect(error.message).toMatch(/^bad-input: room: /)
  })

  test('a stock client that calls leaveRoom is shown as `left` to other viewers at once', async () => {
    const client = stockClient(server.url)
    const connectionKey = newKey()
    using stream = subscribed(client, { room: 'leaving' })
    const { connectionId } = await client.postLocation.mutate({ room: 'leaving', location: null, connectionKey })
    await until('the connection is shown', () => stream.view.connections.has(connectionId))
    expect(await client.leaveRoom.mutate({ room: 'leaving', connectionKey })).toEqual({ outcome: 'left' })
    await until('the connection is gone', () => !stream.view.connections.has(connectionId), 3_000)
    expect(stream.told.at(-1)!.event).toMatchObject({ left: [{ connectionId, reason: 'left' }] })
  })
})
