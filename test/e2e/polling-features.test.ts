import { cellLocation } from 'hereabouts'
import { createLocationClient } from 'hereabouts/client'
import { createLocationServer } from 'hereabouts/server/standalone'
import { manualClock } from 'hereabouts/testing'
import { expect, onTestFinished, test } from 'vitest'
import * as z from 'zod'
import { cell } from '../support/clients/stock-client.js'
import { until } from '../support/until.js'

/* A polling client learns the server's features from the answers to its polls, as a stream learns them from hello. */

const options = {
  location: cellLocation,
  presence: z.strictObject({ typing: z.boolean() }).partial(),
  broadcasts: { note: z.string() },
  locks: true,
  anonymous: true,
  timing: { claimMs: 0 },
} as const

/** Starts a server and a client that must poll, because each of its streams is answered by a proxy's sign-in page. */
async function polling() {
  const server = createLocationServer(options)
  const { trpcUrl: url } = await server.listen(0)
  onTestFinished(() => server.close())
  const clock = manualClock()
  const client = createLocationClient<typeof server.router>({
    url,
    clock,
    fetch: async (input, init) =>
      (input as string).includes('onLocation')
        ? new Response('<title>Please sign in</title>', { headers: { 'content-type': 'text/html' } })
        : fetch(input, init),
  })
  onTestFinished(() => client.close())
  const room = client.join('r', { location: cell(1) })
  room.on('error', () => {})
  /** Waits for a condition while the client's clock advances. */
  const later = (what: string, holds: () => unknown) =>
    until(what, async () => (await holds()) || (await clock.advance(500)))
  return { server, url, room, later }
}

async function joined() {
  const all = await polling()
  await all.later('the client polls', () => all.room.status.state === 'polling')
  await all.room.flush()
  return all
}

test('the answer to a poll lists the same features, presenceMs and locks as hello', async () => {
  const { url } = await joined()
  const said = async (path: string) => {
    const response = await fetch(`${url}/${path}?input=${encodeURIComponent('{"room":"r"}')}`)
    if (path === 'onLocation') {
      for await (const chunk of response.body!) {
        const text = new TextDecoder().decode(chunk)
        const [, hello] = /^data: (.*"hello".*)$/m.exec(text) ?? []
        if (hello) return JSON.parse(hello) as { features: string[]; presenceMs: number; locks: object }
      }
    }
    return ((await response.json()) as { result: { data: { features: string[]; presenceMs: number; locks: object } } })
      .result.data
  }
  const { features, presenceMs, locks } = await said('onLocation')
  expect(features).toEqual(['used', 'presence', 'broadcasts', 'locks'])
  expect(await said('getLocations')).toMatchObject({ features, presenceMs, locks })
})

test('a presence value that a polling client sets is stored in the room', async () => {
  const { server, room, later } = await joined()
  room.setPresence({ typing: true })
  let isPosted = false
  void room.flush().then(() => (isPosted = true))
  await later('the presence value was posted', () => isPosted)
  expect((await server.hub.room('r').members())[0]!.presence).toEqual({ typing: true })
})

test('a presence value that was set before the first poll is posted once a poll lists presence values', async () => {
  const { server, room, later } = await polling()
  room.setPresence({ typing: true })
  const there = server.hub.room('r')
  await later('the room shows the presence value', async () => (await there.members())[0]?.presence.typing === true)
})

test('a polling client takes a lock, shows it, and releases it', async () => {
  const { server, room, later } = await joined()
  const lock = (await room.lock(cell(1)))!
  const { memberId } = room.self!
  expect(await server.hub.room('r').isLocked({ location: cell(1), memberId, fence: lock.fence })).toBe(true)
  await later('a poll shows the lock', () => room.lockedBy(cell(1))?.memberId === memberId)
  await lock.release()
  expect(await server.hub.room('r').unlock(cell(1))).toBe(false)
})

test('a polling client refuses to broadcast: broadcast() resolves with false and reports that the connection is polling', async () => {
  const { room } = await joined()
  const errors: string[] = []
  room.on('error', ({ error }) => errors.push(error.message))
  expect(await room.broadcast('note', 'hi')).toBe(false)
  expect(errors).toEqual([expect.stringContaining('the connection is polling')])
})
