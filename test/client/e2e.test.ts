import { initTRPC } from '@trpc/server'
import { createHTTPServer } from '@trpc/server/adapters/standalone'
import { cellLocation, type CellLocation } from 'hereabouts'
import { createLocationClient, type LocationClient, type Room } from 'hereabouts/client'
import { createLocationHub, createLocationRouter } from 'hereabouts/server'
import { createLocationServer } from 'hereabouts/server/standalone'
import { describe, expect, test } from 'vitest'
import type { CellTypes } from '../support/cell-types.js'

type AnyRoom = Pick<Room<CellTypes>, 'subscribe' | 'others' | 'on'>
const cell = (row: number, col = 0): CellLocation => ({ sheet: 'Q3', row, col })
const until = (room: AnyRoom, holds: () => boolean) =>
  new Promise<void>((resolve) => {
    let stop = () => {}
    stop = room.subscribe(() => {
      if (!holds()) return
      resolve()
      queueMicrotask(() => stop())
    })
  })

const start = async (port = 0) => {
  const server = createLocationServer({ location: cellLocation, anonymous: true })
  const { url } = await server.listen(port)
  return { server, url: `${url}/trpc` }
}
type Router = Awaited<ReturnType<typeof start>>['server']['router']

describe('clients of a real server', () => {
  test('two clients of a real server see each other enter, move and leave', async () => {
    const { server, url } = await start()
    const [ada, bob] = [1, 2].map(() => createLocationClient<Router>({ url }))
    const adas = ada!.join('r', { profile: { name: 'Ada' }, location: cell(1) })
    const bobs = bob!.join('r', { profile: { name: 'Bob' } })
    const news: unknown[] = []
    await Promise.all([adas.flush(), bobs.flush(), adas.ready(), bobs.ready()])
    await until(bobs, () => bobs.others[0]?.profile?.name === 'Ada')
    bobs.on('moved', ({ previous, current }) => news.push([previous, current]))
    bobs.on('left', ({ member, reason }) => news.push([member.profile, reason]))
    adas.post(cell(2))
    await until(bobs, () => bobs.membersAt(cell(2)).length === 1)
    expect(bobs.membersAt(cell(2))[0]).toMatchObject({ profile: { name: 'Ada' } })
    await adas.leave()
    await until(bobs, () => bobs.others.length === 0)
    expect(news).toEqual([
      [cell(1), cell(2)],
      [{ name: 'Ada' }, 'left'],
    ])
    await bob!.close()
    await server.close()
  })

  test('clients of a real server survive a restart of the server without `entered` or `left` events', async () => {
    const first = await start()
    const clients = [1, 2, 3].map(() => createLocationClient<Router>({ url: first.url }))
    const rooms = clients.map((client, i) => client.join('r', { location: cell(i) }))
    const news: unknown[] = []
    await Promise.all(rooms.map((room) => until(room, () => room.others.length === 2)))
    for (const room of rooms)
      for (const kind of ['entered', 'left'] as const) room.on(kind, (event) => news.push([kind, event]))
    await first.server.close()
    await Promise.all(rooms.map((room) => until(room, () => room.status.state !== 'live')))
    const second = await start(Number(new URL(first.url).port))
    rooms[0]!.post(cell(9))
    await Promise.all(
      rooms.map((room) => until(room, () => room.membersAt(cell(9)).length === 1 && room.status.state === 'live')),
    )
    for (const room of rooms) expect(room.others).toHaveLength(2)
    expect(news).toEqual([])
    await Promise.all(clients.map((client) => client.close()))
    await second.server.close()
  })
})

describe('a merged router', () => {
  /** A transformer that, like superjson, wraps its values in an envelope. */
  const transformer = {
    serialize: (value: unknown) => ({ wrapped: value }),
    deserialize: (value: { wrapped: unknown }) => value.wrapped,
  }

  test('a client with `path` and a transformer joins, posts and watches in a merged router', async () => {
    const t = initTRPC.create({ transformer })
    const hub = createLocationHub({ location: cellLocation })
    const locations = createLocationRouter({ hub, procedure: t.procedure, anonymous: true })
    const app = t.router({ docs: t.router({ locations }) })
    const http = createHTTPServer({ router: app })
    await new Promise<void>((resolve) => http.listen(0, resolve))
    const { port } = http.address() as { port: number }
    const client: LocationClient<CellTypes> = createLocationClient<typeof app>({
      url: `http://127.0.0.1:${port}`,
      path: 'docs.locations',
      transformer,
    })
    const room = client.join('r', { location: cell(4), profile: { name: 'Ada' } })
    const watcher = client.watch('r')
    await room.flush()
    await until(watcher, () => watcher.membersAt(cell(4)).length === 1)
    expect(watcher.others).toMatchObject([{ profile: { name: 'Ada' }, location: cell(4) }])
    await client.close()
    await hub.close()
    http.closeAllConnections()
    http.close()
  })
})
