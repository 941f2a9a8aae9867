import { getEventListeners } from 'node:events'
import { createLocationClient } from 'hereabouts/client'
import { fakeRoom, serveLocations } from 'hereabouts/testing'
import { expect, test } from 'vitest'
import { activeResources, alive, cycles, progress, settled } from '../../support/garbage.js'
import { cell, type Cells } from '../../support/clients/stock-client.js'

const patience = { timeout: 600_000 }

test(`joining and leaving ${cycles} fake rooms leaks no room, timer or socket`, patience, async () => {
  const cycle = async () => {
    const fake = await fakeRoom({ others: { ada: {} } })
    fake.room.on('moved', () => {})
    fake.room.subscribe(() => {})
    await fake.moves('ada', { sheet: 'Q3', row: 1, col: 1 })
    await fake.close()
    return new WeakRef(fake.room)
  }
  await cycle()
  const before = activeResources()
  const rooms: WeakRef<object>[] = []
  for (let i = 0; i < cycles; i++) rooms.push(await cycle())
  expect(await alive(rooms)).toBeLessThanOrEqual(2)
  await settled(before)
})

test(
  `joining and leaving ${cycles} rooms with one client leaks no room, no abort listener and no member on the server`,
  patience,
  async () => {
    const before = activeResources()
    await using server = await serveLocations({
      timing: { scale: 1 / 20 },
      limits: { postsPerSecond: 1e6, postBurst: 1e6 },
    })
    const client = createLocationClient<Cells>({ url: server.url })
    const { signal } = new AbortController()
    const rooms: WeakRef<object>[] = []
    const cycle = async (nth: number) => {
      const id = `room-${nth % 10}`
      const own = new AbortController()
      // The listeners below reference this object. The app adds them to the room and never removes them.
      const component = { shown: 0 }
      const room = client.join(id, { location: cell(nth % 1000), signal: AbortSignal.any([own.signal]) })
      const again = client.join(id, { signal })
      room.on('moved', () => component.shown++)
      again.subscribe(() => component.shown++)
      await Promise.all([room.ready(), again.flush()])
      const gone = new Promise<void>((resolve) => {
        room.subscribe(({ status }) => status.state === 'closed' && resolve())
      })
      if (nth % 2) own.abort()
      else await room.leave()
      await again.leave()
      await gone
      rooms.push(new WeakRef(room), new WeakRef(again), new WeakRef(component))
    }
    // Ten rooms in parallel, with consecutive cycles in each.
    for (let nth = 0; nth < cycles; nth += 10) {
      await Promise.all(Array.from({ length: 10 }, (_, i) => cycle(nth + i)))
      progress(nth)
    }
    expect(getEventListeners(signal, 'abort')).toEqual([])
    expect(await alive(rooms)).toBeLessThanOrEqual(6)
    await client.close()
    for (let nth = 0; nth < 10; nth++) expect(await server.hub.room(`room-${nth}`).count()).toBe(0)
    // The server closes idle keep-alive connections.
    await server.close()
    await settled(before)
  },
)
