import { serveLocations } from 'hereabouts/testing'
import { afterAll, describe, expect, test } from 'vitest'
import { faultProxy, type Reply } from '../../support/network/fault-proxy.js'
import { isFresh, joined, rowsSeen } from '../../support/clients/joined.js'
import { cell, newKey, stockClient, subscribed } from '../../support/clients/stock-client.js'
import { until } from '../../support/until.js'

/* Faults of networks and deploys. After each of them every client converges, and no present member is shown to leave. */

const timing = { scale: 1 / 20 }
const server = await serveLocations({ timing })
afterAll(() => server.close())

// Known members stay visible for a lease and a heartbeat, which is enough for all of them to return on a slow machine.
const slower = { scale: 1 / 5 }

describe('a server that is killed and restarted', () => {
  test(
    'a server that is killed and restarted gets every member back, and no member is shown to leave',
    { timeout: 60_000 },
    async () => {
      let running = await serveLocations({ timing: slower })
      const { port, url } = running
      await using ada = joined(url, 'restart', cell(1))
      await using bob = joined(url, 'restart', cell(2))
      await using eve = joined(url, 'restart', cell(3))
      const everyone = [ada, bob, eve]
      const isComplete = () => everyone.every(({ room }) => room.others.length === 2)
      try {
        await until('all clients show all members', isComplete)
        for (const each of everyone) each.news.length = 0
        const seen: number[] = []
        for (const { room } of everyone) room.subscribe(({ others }) => void seen.push(others.length))
        await running.close()
        running = await serveLocations({ timing: slower, port })
        await until('all clients are live again', () => everyone.every(({ room }) => room.status.state === 'live'))
        await until('no member is shown as stale', () => isComplete() && everyone.every(({ room }) => isFresh(room)))
        ada.room.post(cell(7))
        await until('a move gets through', () => rowsSeen(bob.room).includes(7) && rowsSeen(eve.room).includes(7))
        expect(Math.min(...seen)).toBe(2)
        expect(everyone.flatMap(({ news }) => news)).toEqual(['moved', 'moved'])
      } finally {
        await running.close()
      }
    },
  )

  test(
    'moves that are made while the server is down are kept, and only the newest is shown after the restart',
    { timeout: 60_000 },
    async () => {
      let running = await serveLocations({ timing: slower })
      const { port, url } = running
      await using ada = joined(url, 'away', cell(1))
      await using bob = joined(url, 'away', cell(2))
      try {
        await until('clients show each other', () => rowsSeen(ada.room).length === 1 && rowsSeen(bob.room).length === 1)
        const rows = new Set<number | undefined>()
        bob.room.on('moved', ({ current }) => void rows.add(current?.row))
        await running.close()
        for (const row of [10, 11, 12]) ada.room.post(cell(row))
        expect(ada.room.self?.location).toEqual(cell(12))
        running = await serveLocations({ timing: slower, port })
        await until('the newest is shown', () => rowsSeen(bob.room)[0] === 12)
        expect([...rows]).toEqual([12])
      } finally {
        await running.close()
      }
    },
  )
})

describe('posts', () => {
  test('posts that arrive at the server in reverse order leave every client at the newest location', async () => {
    const held: (() => Promise<Reply>)[] = []
    await using proxy = await faultProxy(server.url, {
      call: (call, pass) => new Promise((resolve) => held.push(async () => {
        const reply = await pass(call)
        resolve(reply)
        return reply
      })),
    }) // prettier-ignore
    const room = 'reversed'
    using viewer = subscribed(stockClient(server.url), { room })
    await until('the viewer is there', () => viewer.view.id !== null)
    const client = stockClient(proxy.url)
    const connectionKey = newKey()
    const rows = [1, 2, 3, 4, 5]
    const posts = rows.map((row) => client.postLocation.mutate({ room, connectionKey, seq: row, location: cell(row) }))
    await until('all posts have reached the proxy', () => held.length === rows.length)
    for (const release of held.reverse()) await release()
    const outcomes = (await Promise.all(posts)).map(({ outcome }) => outcome)
    // The posts may have been reordered on the way to the proxy. All clients must agree on one order.
    expect(outcomes.filter((outcome) => outcome === 'applied').length).toBeGreaterThan(0)
    expect(outcomes[4]).toBe('applied')
    await until('the newest is shown', () => viewer.view.connections.values().next().value?.location?.row === 5)
    const shown = viewer.heard.all.flatMap(({ event }) =>
      event.type === 'changes'
        ? [...(event.entered ?? []), ...(event.changed ?? [])].map(({ location }) => location!.row)
        : [],
    )
    expect(shown).toEqual([...shown].sort((a, b) => a - b))
    expect(viewer.diverged).toEqual([])
  })

  test('posts that a proxy delivers twice are applied once', async () => {
    await using proxy = await faultProxy(server.url, {
      async call(call, pass) {
        await pass(call)
        return pass(call)
      },
    })
    const room = 'twice'
    using viewer = subscribed(stockClient(server.url), { room })
    await until('the viewer is there', () => viewer.view.id !== null)
    await using ada = joined(proxy.url, room, cell(1))
    for (const row of [2, 3, 4]) {
      ada.room.post(cell(row))
      await ada.room.flush()
    }
    await until('the newest is shown', () => viewer.view.connections.values().next().value?.location?.row === 4)
    expect(viewer.view.connections.size).toBe(1)
    const frames = viewer.heard.all.filter(({ event }) => event.type === 'changes')
    expect(frames.length).toBeLessThanOrEqual(4)
    expect(ada.news).toEqual([])
  })

  test('posts that are lost, or whose replies are lost, are retried', { timeout: 60_000 }, async () => {
    let calls = 0
    await using proxy = await faultProxy(server.url, {
      async call(call, pass) {
        calls += 1
        // Every third request is lost, and so is the reply of every other third.
        if (calls % 3 === 0) throw new Error('lost')
        const reply = await pass(call)
        if (calls % 3 === 1) throw new Error('lost')
        return reply
      },
    })
    const room = 'lossy'
    using viewer = subscribed(stockClient(server.url), { room })
    await using ada = joined(proxy.url, room, cell(1))
    for (let row = 2; row <= 6; row++) {
      ada.room.post(cell(row))
      await until(`row ${row} is shown`, () => viewer.view.connections.values().next().value?.location?.row === row)
    }
    proxy.faults = {}
    await ada.room.flush()
    expect(viewer.view.connections.size).toBe(1)
    expect(viewer.diverged).toEqual([])
  })

  test('posts that arrive after a later leave do not bring the member back', async () => {
    const held: (() => void)[] = []
    await using proxy = await faultProxy(server.url, {
      async call(call, pass) {
        if (call.procedure === 'postLocation') await new Promise<void>((resolve) => held.push(resolve))
        return pass(call)
      },
    })
    const room = 'overtaken'
    using viewer = subscribed(stockClient(server.url), { room })
    await until('the viewer is there', () => viewer.view.id !== null)
    const ada = joined(proxy.url, room, cell(1))
    await until('the post is on its way', () => held.length === 1)
    await ada.room.leave()
    proxy.faults = {}
    held[0]!()
    const late = { room, connectionKey: newKey(), location: cell(9) }
    await stockClient(server.url).postLocation.mutate(late)
    await until('the post after the leave is shown', () => viewer.view.connections.size > 0)
    expect([...viewer.view.connections.values()].map(({ location }) => location?.row)).toEqual([9])
    await ada[Symbol.asyncDispose]()
  })
})

describe('a stream', () => {
  test('a stream that is cut between hello and snapshot starts again', async () => {
    let streams = 0
    await using proxy = await faultProxy(server.url, {
      open(call) {
        streams += 1
        return call
      },
      event: (event) => (event.includes('"snapshot"') && streams < 4 ? null : event),
    })
    const room = 'after-hello'
    await stockClient(server.url).postLocation.mutate({
      room,
      connectionKey: newKey(),
      location: cell(5),
      leaseMs: 15_000,
    })
    await using ada = joined(proxy.url, room, cell(1))
    await ada.room.ready()
    expect(streams).toBe(4)
    expect(rowsSeen(ada.room)).toEqual([5])
    expect(ada.news).toEqual([])
  })

  test('a stream with lost frames detects the gap and starts again', { timeout: 60_000 }, async () => {
    let lost = 0
    await using proxy = await faultProxy(server.url, {
      event(event) {
        if (!event.includes('"changed"') || lost > 2) return event
        lost += 1
        return ''
      },
    })
    const room = 'lost-frames'
    await using ada = joined(proxy.url, room, cell(1))
    await using bob = joined(server.url, room, cell(2))
    await until('clients show each other', () => rowsSeen(ada.room).length === 1 && rowsSeen(bob.room).length === 1)
    for (const row of [3, 4, 5]) {
      bob.room.post(cell(row))
      await bob.room.flush()
    }
    await until('the newest is shown', () => rowsSeen(ada.room)[0] === 5)
    expect(ada.news).not.toContain('left')
  })

  test('a stream of a stock client resumes after a cut at each of 20 byte offsets', { timeout: 90_000 }, async () => {
    // A stock client does not repeat a post whose headers come too late for the server's timeout.
    await using patient = await serveLocations({ timing: slower })
    const client = stockClient(patient.url)
    const offsets = Array.from({ length: 20 }, (_, i) => 100 + i * 37)
    await Promise.all(
      offsets.map(async (offset, n) => {
        const room = `stock-byte-${n}`
        const connectionKey = newKey()
        const post = (seq: number) =>
          client.postLocation.mutate({ room, connectionKey, seq, location: cell(seq), leaseMs: 15_000 })
        await post(1)
        await using proxy = await faultProxy(patient.url, { cutAfterBytes: offset })
        using stream = subscribed(stockClient(proxy.url), { room })
        await until('a stream was cut', () => proxy.streamed.some((sent) => sent >= offset), 30_000)
        await post(2)
        proxy.faults = {}
        await post(3)
        const isTrue = () => stream.view.connections.values().next().value?.location?.row === 3
        await until(`the truth is shown after a cut at ${offset}`, isTrue, 30_000)
        expect(stream.diverged).toEqual([])
        expect(stream.completed).toBe(false)
      }),
    )
  })
})
