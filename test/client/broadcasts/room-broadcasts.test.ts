import { cellLocation } from 'hereabouts'
import { createLocationClient } from 'hereabouts/client'
import { silentLogger } from 'hereabouts/server'
import { createLocationServer } from 'hereabouts/server/standalone'
import { fakeRoom } from 'hereabouts/testing'
import { describe, expect, onTestFinished, test } from 'vitest'
import * as z from 'zod'
import { until } from '../../support/until.js'

const broadcasts = { note: z.string(), reaction: z.strictObject({ emoji: z.string().max(16) }) }

async function start(options: { compress?: boolean; limits?: object } = {}) {
  const server = createLocationServer({
    location: cellLocation,
    broadcasts,
    logger: silentLogger,
    identify: ({ ctx }) => ({ memberId: ctx.headers.get('x-member') ?? 'nobody' }),
    authorize: ({ member, action }) => action === 'read' || member.memberId !== 'reader',
    ...options,
  })
  onTestFinished(() => server.close())
  const { trpcUrl } = await server.listen(0)
  const join = async (member: string, room = 'r') => {
    const client = createLocationClient<typeof server.router>({ url: trpcUrl, headers: { 'x-member': member } })
    onTestFinished(() => client.close())
    const joined = client.join(room)
    await joined.ready()
    await joined.flush().catch(() => {})
    await until('the room is live', () => joined.status.state === 'live' || joined.status.state === 'closed')
    return joined
  }
  return { server, join, url: trpcUrl }
}
type Joined = Awaited<ReturnType<Awaited<ReturnType<typeof start>>['join']>>

/** Collects the broadcasts `note` that a room receives, each with its sender. */
function notesOf(room: Pick<Joined, 'onBroadcast'>) {
  const notes: string[] = []
  room.onBroadcast('note', ({ payload, memberId }) => notes.push(`${memberId}: ${payload}`))
  return notes
}
const errorsOf = (room: Pick<Joined, 'on'>) => {
  const codes: string[] = []
  room.on('error', ({ error }) => codes.push(error.code))
  return codes
}

describe('broadcasts between clients of a real server', () => {
  test.each([false, true])(
    'broadcasts reach every other connection of a room, in order and with their sender (gzip: %s)',
    async (compress) => {
      const { server, join } = await start({ compress })
      const [ada, window, bob] = [await join('ada'), await join('ada'), await join('bob')]
      const heard = [ada, window, bob].map(notesOf)
      const members: unknown[] = []
      bob.onBroadcast('reaction', ({ payload, member, at }) =>
        members.push([payload, member?.memberId, at instanceof Date]),
      )
      for (let i = 0; i < 15; i++) expect(await ada.broadcast('note', `${i}`)).toBe(true)
      expect(await ada.broadcast('reaction', { emoji: '🎉' })).toBe(true)
      await server.hub.room('r').broadcast('note', 'bye', { from: 'bot' })
      await server.hub.room('r').broadcast('note', 'now')
      const theServers = ['bot: bye', 'null: now']
      await until('all have arrived', () => heard.every((notes) => notes.includes('null: now')))
      const adas = Array.from({ length: 15 }, (_, i) => `ada: ${i}`)
      expect(heard).toEqual([theServers, [...adas, ...theServers], [...adas, ...theServers]])
      expect(members).toEqual([[{ emoji: '🎉' }, 'ada', true]])
    },
  )

  test('a broadcast to one member reaches only the windows of that member, and watchers receive broadcasts to everybody', async () => {
    const { join, url } = await start()
    const [ada, bob, bobToo, cy] = [await join('ada'), await join('bob'), await join('bob'), await join('cy')]
    const client = createLocationClient<Awaited<ReturnType<typeof start>>['server']['router']>({ url })
    onTestFinished(() => client.close())
    const watcher = client.watch('r')
    await watcher.ready()
    const heard = [bob, bobToo, cy, watcher].map(notesOf)
    expect(await ada.broadcast('note', 'psst', { to: 'bob' })).toBe(true)
    expect(await ada.broadcast('note', 'all')).toBe(true)
    await until('all have arrived', () => heard.every((notes) => notes.includes('ada: all')))
    const both = ['ada: psst', 'ada: all']
    expect(heard).toEqual([both, both, ['ada: all'], ['ada: all']])
  })

  test('a broadcast over the rate limit resolves to false and raises an `error` event with `rate-limited`', async () => {
    const { join } = await start({ limits: { broadcastBurst: 2, broadcastsPerSecond: 1e-3 } })
    const ada = await join('ada')
    const errors = errorsOf(ada)
    const sent = [await ada.broadcast('note', '1'), await ada.broadcast('note', '2'), await ada.broadcast('note', '3')]
    expect(sent).toEqual([true, true, false])
    expect(errors).toEqual(['rate-limited'])
  })

  test('a broadcast with a wrong name, payload, recipient or size rejects, and is not sent', async () => {
    const { join } = await start()
    const [ada, bob] = [await join('ada'), await join('bob')]
    const notes = notesOf(bob)
    const anything = ada.broadcast as (name: string, payload: unknown, options?: object) => Promise<boolean>
    await expect(anything('nothing', 'x')).rejects.toMatchObject({ code: 'bad-input' })
    await expect(anything('note', 7)).rejects.toMatchObject({ code: 'bad-input' })
    await expect(anything('note', Number.NaN)).rejects.toMatchObject({ code: 'bad-input' })
    await expect(anything('note', undefined)).rejects.toMatchObject({ code: 'bad-input' })
    await expect(anything('note', 'x', { to: '' })).rejects.toMatchObject({ code: 'bad-input' })
    await expect(anything('note', '-'.repeat(1_023))).rejects.toMatchObject({ code: 'too-large' })
    expect(await ada.broadcast('note', 'last')).toBe(true)
    await until('the last one has arrived', () => notes.length > 0)
    expect(notes).toEqual(['ada: last'])
  })

  test('the server takes no broadcast from a reader, from an absent or foreign connection, or with invalid fields', async () => {
    const { join, url } = await start()
    const reader = await join('reader')
    expect(await reader.broadcast('note', 'x')).toBe(false)
    const call = async (input: object, member = 'ada') => {
      const headers = { 'content-type': 'application/json', 'x-member': member }
      const body = JSON.stringify({ room: 'r', name: 'note', payload: 'x', ...input })
      return (await fetch(`${url}/broadcastToRoom`, { method: 'POST', headers, body })).json() as Promise<object>
    }
    const sent = { result: { data: { outcome: 'sent' } } }
    expect(await call({})).toEqual({ result: { data: { outcome: 'absent' } } })
    await fetch(`${url}/postLocation`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-member': 'ada' },
      body: JSON.stringify({ room: 'r', location: null, connectionKey: 'c2VjcmV0LW9mLWEtdGFiIQ' }),
    })
    const connectionKey = 'c2VjcmV0LW9mLWEtdGFiIQ'
    expect(await call({ connectionKey, nonce: 'a' })).toEqual(sent)
    expect(await call({ connectionKey }, 'bob')).toMatchObject({
      error: { message: expect.stringMatching(/^connection-owned: /) as string },
    })
    expect(await call({ connectionKey, nonce: '!' })).toMatchObject({ error: { data: { code: 'BAD_REQUEST' } } })
    expect(await call({ connectionKey, more: 1 })).toMatchObject({ error: { data: { code: 'BAD_REQUEST' } } })
  })

  test('a payload that the app changes after the call is sent as it was at the call', async () => {
    const { join } = await start()
    const [ada, bob] = [await join('ada'), await join('bob')]
    const heard: string[] = []
    bob.onBroadcast('reaction', ({ payload }) => heard.push(payload.emoji))
    const payload = { emoji: '1' }
    // The first call loads the code of broadcasts, the second one does not.
    for (const emoji of ['2', '3']) {
      const sent = ada.broadcast('reaction', payload)
      payload.emoji = emoji
      expect(await sent).toBe(true)
    }
    await until('bob hears both', () => heard.length === 2)
    expect(heard).toEqual(['1', '2'])
  })

  test('a broadcast that is sent twice with the same nonce is received once', async () => {
    const { join, url } = await start()
    const bob = await join('bob')
    const notes = notesOf(bob)
    const post = (procedure: string, input: object) =>
      fetch(`${url}/${procedure}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-member': 'ada' },
        body: JSON.stringify({ room: 'r', ...input }),
      })
    await post('postLocation', { location: null })
    await post('broadcastToRoom', { name: 'note', payload: 'once', nonce: 'n1' })
    await post('broadcastToRoom', { name: 'note', payload: 'once', nonce: 'n1' })
    await post('broadcastToRoom', { name: 'note', payload: 'twice', nonce: 'n2' })
    await post('broadcastToRoom', { name: 'note', payload: 'twice' })
    await until('all have arrived', () => notes.length >= 3)
    expect(notes).toEqual(['ada: once', 'ada: twice', 'ada: twice'])
  })
})

describe('broadcasts of a fake room', () => {
  const fake = () =>
    fakeRoom<{
      location: unknown
      profile: unknown
      presence: never
      broadcasts: { note: string }
      locks: false
    }>({ others: { ada: {} } })

  test('a fake room records our broadcasts and delivers those of other members and of the server', async () => {
    await using room = await fake()
    const heard: unknown[] = []
    room.room.onBroadcast('note', ({ payload, member, memberId }) => heard.push([payload, member?.memberId, memberId]))
    await room.sends('ada', 'note', 'hi')
    await room.sends(null, 'note', 'now')
    expect(heard).toEqual([
      ['hi', 'ada', 'ada'],
      ['now', undefined, null],
    ])
    expect(await room.room.broadcast('note', 'yes', { to: 'ada' })).toBe(true)
    expect(room.broadcasts).toEqual([{ name: 'note', payload: 'yes', to: 'ada' }])
  })

  test('a broadcast in a fake room without a connection resolves to false and raises an `error` event', async () => {
    await using room = await fake()
    const errors = errorsOf(room.room)
    await room.losesConnection()
    expect(await room.room.broadcast('note', 'lost')).toBe(false)
    await room.restoresConnection()
    expect(await room.room.broadcast('note', 'sent')).toBe(true)
    expect(room.broadcasts).toEqual([{ name: 'note', payload: 'sent' }])
    expect(errors).toContain('network')
  })
})
