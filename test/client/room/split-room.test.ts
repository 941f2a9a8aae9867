import type { CellLocation } from 'hereabouts'
import { createLocationClient } from 'hereabouts/client'
import { manualClock, serveLocations } from 'hereabouts/testing'
import { beforeEach, expect, test, vi } from 'vitest'
import { byTurns } from '../../support/redis/round-robin.js'
import { until } from '../../support/until.js'

const warn = vi.spyOn(console, 'warn').mockImplementation(() => {})
beforeEach(() => void warn.mockClear())

const cell = (row: number): CellLocation => ({ sheet: 'Q3', row, col: 0 })
const advice = expect.stringMatching(/each has this room for itself.* Redis/) as string

/**
 * Starts two servers that know nothing of each other, and a client. `fetchOf` decides which server gets which request.
 */
async function twoServers(fetchOf: (urls: string[]) => typeof fetch) {
  const clock = manualClock()
  const servers = await Promise.all([serveLocations({ clock }), serveLocations({ clock })])
  const [{ url, server }] = servers
  const client = createLocationClient<typeof server.router>({
    url,
    clock,
    fetch: fetchOf(servers.map((server) => server.url)),
  })
  return {
    clock,
    client,
    async [Symbol.asyncDispose]() {
      await client.close()
      await Promise.all(servers.map((server) => server.close()))
    },
  }
}
const postsElsewhere =
  ([, elsewhere]: string[]): typeof fetch =>
  (input, init) => {
    const url = input as string
    return fetch(url.includes('onLocation') ? url : elsewhere + url.slice(url.indexOf('/trpc') + 5), init)
  }

test('a client whose posts and stream reach different processes writes one warning with advice to the console', async () => {
  await using split = await twoServers(postsElsewhere)
  const room = split.client.join('r')
  await room.ready()
  await room.flush()
  expect(room.status.state).toBe('live')
  await until('the console has it', async () => (await split.clock.advance(500), warn.mock.calls.length > 0))
  await split.clock.advance(60_000)
  expect(warn.mock.calls).toEqual([[advice]])
  expect(room.status.state).toBe('live')
})

test('a room that is split among processes raises `misconfigured`, and with a listener of `error` the console stays empty', async () => {
  await using split = await twoServers(postsElsewhere)
  const room = split.client.join('r')
  const errors: object[] = []
  room.on('error', ({ error }) => errors.push(error))
  await until('it is told', async () => (await split.clock.advance(500), errors.length > 0))
  expect(errors).toMatchObject([{ code: 'misconfigured', message: advice }])
  expect(warn).not.toHaveBeenCalled()
})

test('a room behind a balancer that alternates between two processes raises `misconfigured` while the member moves', async () => {
  await using split = await twoServers(byTurns)
  const room = split.client.join('r')
  const codes: string[] = []
  room.on('error', ({ error }) => codes.push(error.code))
  let row = 0
  await until('it is told', async () => {
    room.post(cell((row += 1)))
    await split.clock.advance(500)
    return codes.length > 0
  })
  expect(codes).toEqual(['misconfigured'])
})

test('a room of one process raises no error, also when the process is restarted', async () => {
  const clock = manualClock()
  const first = await serveLocations({ clock })
  const { port, url } = first
  const client = createLocationClient<typeof first.server.router>({ url, clock })
  const room = client.join('r')
  const codes: string[] = []
  room.on('error', ({ error }) => codes.push(error.code))
  await room.ready()
  await room.flush()
  await first.close()
  await using second = await serveLocations({ clock, port })
  expect(second.port).toBe(port)
  const movesFor = async (ms: number) => {
    for (let at = 0; at < ms; at += 1_000) {
      room.post(cell(at))
      await clock.advance(1_000)
    }
  }
  await until('it is back', async () => (await movesFor(1_000), room.status.state === 'live'))
  await movesFor(60_000)
  expect(codes).toEqual([])
  await client.close()
})
