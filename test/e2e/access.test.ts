import { TRPCClientError } from '@trpc/client'
import { createLocationClient } from 'hereabouts/client'
import type { ServerContext } from 'hereabouts/server/standalone'
import { serveLocations } from 'hereabouts/testing'
import { describe, expect, test } from 'vitest'
import { cell, newKey, stockClient, subscribed, type Cells } from '../support/clients/stock-client.js'
import { until } from '../support/until.js'

/* Members cannot act for one another, and see only the rooms that they may read. */

const nameIn = ({ headers }: ServerContext) => headers.get('authorization')?.replace(/^Bearer /, '')

/** In these tests the bearer token is the memberId, and the name of a room tells what authorize() forbids there. */
const people = {
  identify({ ctx }: { ctx: ServerContext }) {
    const memberId = nameIn(ctx)
    if (!memberId) throw new Error('no session for 203.0.113.7')
    return { memberId }
  },
  authorize: ({ member, room, action }: { member: { memberId: string }; room: string; action: string }) =>
    !room.startsWith('closed') && !(room.startsWith('read-only') && action === 'post' && member.memberId !== 'owner') &&
    !(room.startsWith('drop-box') && action === 'read'), // prettier-ignore
}

const as = (url: string, name: string) => stockClient(url, { headers: { authorization: `Bearer ${name}` } })

/** Returns the error of a call that must be refused. */
async function refusal(call: Promise<unknown>): Promise<{ code: string; httpStatus: number; message: string }> {
  try {
    await call
  } catch (error) {
    if (!(error instanceof TRPCClientError)) throw error
    const { code, httpStatus } = (error as TRPCClientError<Cells>).data!
    expect(JSON.stringify(error.shape)).not.toContain('stack')
    return { code, httpStatus, message: error.message }
  }
  throw new Error('this call should have been refused')
}

const owned = { code: 'FORBIDDEN', httpStatus: 403, message: expect.stringMatching(/^connection-owned: .*new key/) }
const forbidden = { code: 'FORBIDDEN', httpStatus: 403, message: expect.stringMatching(/^forbidden: .* ask/) }
const unauthorized = { code: 'UNAUTHORIZED', httpStatus: 401, message: expect.stringMatching(/^unauthorized: Sign in/) }

describe("another member's connectionKey", () => {
  test("another member's connectionKey cannot be used to post, to leave or to open a stream", async () => {
    await using server = await serveLocations(people)
    const [ada, eve] = [as(server.url, 'ada'), as(server.url, 'eve')]
    const mine = { room: 'x', connectionKey: newKey() }
    const { connectionId } = await ada.postLocation.mutate({ ...mine, seq: 1, location: cell(1) })
    expect(await refusal(eve.postLocation.mutate({ ...mine, seq: 2, location: cell(2) }))).toEqual(owned)
    expect(await refusal(eve.postLocation.mutate({ ...mine, location: cell(2) }))).toEqual(owned)
    expect(await refusal(eve.leaveRoom.mutate(mine))).toEqual(owned)
    expect(await refusal(eve.leaveRoom.mutate({ ...mine, graceMs: 1 }))).toEqual(owned)
    using stream = subscribed(eve, mine)
    expect(await stream.errors.at(0)).toMatchObject({ message: owned.message, data: { code: 'FORBIDDEN' } })
    expect(await server.hub.room('x').members()).toMatchObject([{ memberId: 'ada', profile: null }])
    const { event } = await ada.getLocations.query({ room: 'x' })
    expect(event).toMatchObject({ connections: [{ connectionId, memberId: 'ada', location: cell(1) }] })
    expect(await ada.postLocation.mutate({ ...mine, seq: 2, location: cell(3) })).toMatchObject({ outcome: 'applied' })
  })

  test('a connectionKey still belongs to its member after that member left', async () => {
    await using server = await serveLocations(people)
    const [ada, eve] = [as(server.url, 'ada'), as(server.url, 'eve')]
    const mine = { room: 'x', connectionKey: newKey() }
    await ada.postLocation.mutate({ ...mine, location: cell(1) })
    await ada.leaveRoom.mutate(mine)
    expect(await refusal(eve.postLocation.mutate({ ...mine, location: cell(2) }))).toEqual(owned)
    expect(await server.hub.room('x').count()).toBe(0)
  })

  test(
    'when another member signs in, our client replaces the connectionKey of the previous member',
    { timeout: 60_000 },
    async () => {
      await using server = await serveLocations({ ...people, timing: { scale: 1 / 20 } })
      let name = 'ada'
      const client = createLocationClient<Cells>({
        url: server.url,
        headers: () => ({ authorization: `Bearer ${name}` }),
      })
      const room = client.join('x', { location: cell(1) })
      const members = async () => (await server.hub.room('x').members()).map(({ memberId }) => memberId)
      await until('ada is there', async () => (await members()).includes('ada'))
      name = 'bob'
      room.post(cell(2))
      await room.flush()
      await until('bob is there, and ada no more', async () => (await members()).join() === 'bob')
      expect(room.self).toMatchObject({ memberId: 'bob', location: cell(2) })
      await client.close()
      expect(await members()).toEqual([])
    },
  )
})

describe('the identity of a caller', () => {
  test('the identity of a caller comes from identify(), not from a memberKey', async () => {
    await using server = await serveLocations(people)
    const ada = as(server.url, 'ada')
    const memberKey = newKey()
    const { memberId } = await ada.postLocation.mutate({ room: 'x', location: null, memberKey })
    expect(memberId).toBe('ada')
    const second = await as(server.url, 'bob').postLocation.mutate({ room: 'x', location: null, memberKey })
    expect(second.memberId).toBe('bob')
  })

  test('a caller for whom identify() throws is refused with UNAUTHORIZED by every procedure', async () => {
    await using server = await serveLocations(people)
    const stranger = stockClient(server.url)
    const room = 'x'
    expect(await refusal(stranger.postLocation.mutate({ room, location: null }))).toEqual(unauthorized)
    expect(await refusal(stranger.leaveRoom.mutate({ room, connectionKey: newKey() }))).toEqual(unauthorized)
    expect(await refusal(stranger.getLocations.query({ room }))).toEqual(unauthorized)
    expect(await refusal(stranger.countMembers.query({ rooms: [room] }))).toEqual(unauthorized)
    using stream = subscribed(stranger, { room })
    const { message, data } = await stream.errors.at(0)
    expect({ message, code: data!.code }).toEqual({ message: unauthorized.message, code: 'UNAUTHORIZED' })
    // The app's own error goes to its log, not to the caller.
    expect(message).not.toContain('203.0.113.7')
  })

  test('a member who posts without a connectionKey has one default connection, which no key gives access to', async () => {
    await using server = await serveLocations(people)
    const ada = as(server.url, 'ada')
    const first = await ada.postLocation.mutate({ room: 'x', location: cell(1) })
    const second = await ada.postLocation.mutate({ room: 'x', location: cell(2) })
    expect(first.connectionKey).toBeUndefined()
    expect(second).toMatchObject({ outcome: 'applied', connectionId: first.connectionId, seq: first.seq + 1 })
    expect(await server.hub.room('x').count()).toBe(1)
  })

  test('a memberId may be a property name of JavaScript objects, such as __proto__', async () => {
    await using server = await serveLocations(people)
    const names = ['__proto__', 'constructor', 'hasOwnProperty', 'toString']
    using stream = subscribed(as(server.url, 'viewer'), { room: '__proto__' })
    for (const name of names) {
      const reply = await as(server.url, name).postLocation.mutate({ room: '__proto__', location: cell(1) })
      expect(reply).toMatchObject({ outcome: 'applied', memberId: name })
    }
    await until('all members are visible', () => stream.view.connections.size === names.length)
    const seen = Array.from(stream.view.connections.values(), ({ memberId }) => memberId)
    expect(seen).toEqual(names)
    expect(await server.hub.room('__proto__').count()).toBe(names.length)
    await server.hub.revoke('__proto__')
    await until('one member is gone', () => stream.view.connections.size === names.length - 1)
  })

  test('when identify() returns a profile, it is shown and a posted profile is ignored', async () => {
    await using server = await serveLocations({
      ...people,
      identify: ({ ctx }) => ({ memberId: nameIn(ctx)!, profile: { name: `The real ${nameIn(ctx)}` } }),
    })
    await as(server.url, 'eve').postLocation.mutate({ room: 'x', location: null, profile: { name: 'Ada' } })
    expect(await server.hub.room('x').members()).toMatchObject([{ memberId: 'eve', profile: { name: 'The real eve' } }])
  })

  test('when identify() returns no profile, the posted profile is shown', async () => {
    await using server = await serveLocations(people)
    await as(server.url, 'ada').postLocation.mutate({ room: 'x', location: null, profile: { name: 'Ada L.' } })
    expect(await server.hub.room('x').members()).toMatchObject([{ memberId: 'ada', profile: { name: 'Ada L.' } }])
  })

  test('a member may have limits.memberConnections connections in one room, and one more is refused as room-full', async () => {
    await using server = await serveLocations({ ...people, limits: { memberConnections: 10 } })
    const ada = as(server.url, 'ada')
    const post = (room = 'x') => ada.postLocation.mutate({ room, location: null, connectionKey: newKey() })
    for (let n = 1; n <= 10; n++) expect(await post()).toMatchObject({ outcome: 'applied' })
    expect(await refusal(post())).toMatchObject({
      code: 'TOO_MANY_REQUESTS',
      message: expect.stringMatching(/^room-full: /),
    })
    expect(await post('y')).toMatchObject({ outcome: 'applied' })
    expect((await as(server.url, 'bob').postLocation.mutate({ room: 'x', location: null })).outcome).toBe('applied')
  })
})

describe('an identity that expires', () => {
  const shortly = {
    ...people,
    identify: ({ ctx }: { ctx: ServerContext }) => ({ memberId: nameIn(ctx)!.split('#')[0]!, expiresAt: new Date(Date.now() + 500) }),
  } // prettier-ignore

  test('an identity that expires ends the stream with a bye', async () => {
    await using server = await serveLocations(shortly)
    using stream = subscribed(as(server.url, 'ada'), { room: 'x' })
    const { event } = await stream.heard.find('the bye arrives', ({ event }) => event.type === 'bye')
    expect(event).toEqual({ type: 'bye', reason: 'expired' })
    expect(stream.errors.all).toEqual([])
    expect(stream.completed).toBe(false)
  })

  test(
    'when an identity expires, our client reconnects with a new one, and other viewers see no leave',
    { timeout: 60_000 },
    async () => {
      await using server = await serveLocations({ ...shortly, timing: { scale: 1 / 20 } })
      let tokens = 0
      const headers = () => ({ authorization: `Bearer ada#${(tokens += 1)}` })
      const watcher = createLocationClient<Cells>({ url: server.url, headers: () => ({ authorization: 'Bearer bob' }) })
      const watched = watcher.watch('x')
      const ada = createLocationClient<Cells>({ url: server.url, headers })
      const room = ada.join('x', { location: cell(1) })
      await until('ada is visible', () => watched.others.length === 1)
      const news: string[] = []
      for (const event of ['entered', 'left'] as const) watched.on(event, () => void news.push(event))
      const before = tokens
      const states: string[] = []
      room.on('status', ({ current }) => void states.push(current.state))
      await until('ada came back twice', () => states.filter((state) => state === 'live').length >= 2)
      room.post(cell(2))
      await until('ada moves', () => watched.others[0]?.location?.row === 2)
      expect(news).toEqual([])
      expect(tokens).toBeGreaterThan(before)
      await Promise.all([ada.close(), watcher.close()])
    },
  )

  test('a call with an expired identity is refused with UNAUTHORIZED', async () => {
    await using server = await serveLocations({
      ...people,
      identify: () => ({ memberId: 'ada', expiresAt: new Date(0) }),
    })
    expect(await refusal(as(server.url, 'ada').getLocations.query({ room: 'x' }))).toEqual(unauthorized)
  })
})

describe('a member who is revoked', () => {
  test('a member who is revoked is removed from every room, and their streams end with FORBIDDEN', async () => {
    const revoked = new Set<string>()
    await using server = await serveLocations({
      identify: people.identify,
      authorize: ({ member }) => !revoked.has(member.memberId),
    })
    const [ada, bob] = [as(server.url, 'ada'), as(server.url, 'bob')]
    using stream = subscribed(bob, { room: 'x' })
    using mine = subscribed(ada, { room: 'x' })
    for (const room of ['x', 'y']) await ada.postLocation.mutate({ room, location: null })
    await until('ada is visible', () => stream.view.connections.size === 1 && mine.view.connections.size === 1)
    revoked.add('ada')
    await server.hub.revoke('ada')
    await until('ada is gone', () => stream.view.connections.size === 0)
    expect(stream.told.at(-1)!.event).toMatchObject({ left: [{ reason: 'revoked' }] })
    expect(await server.hub.room('y').count()).toBe(0)
    expect(await mine.errors.at(0)).toMatchObject({ data: { code: 'FORBIDDEN' } })
    expect(mine.heard.all.at(-1)!.event).toEqual({ type: 'bye', reason: 'revoked' })
    expect(await refusal(ada.postLocation.mutate({ room: 'x', location: null }))).toEqual(forbidden)
    expect(stream.errors.all).toEqual([])
  })

  test('a member who is revoked in one room stays in the other rooms', async () => {
    await using server = await serveLocations(people)
    const ada = as(server.url, 'ada')
    for (const room of ['x', 'y']) await ada.postLocation.mutate({ room, location: null })
    using elsewhere = subscribed(ada, { room: 'y' })
    await elsewhere.heard.at(1)
    await server.hub.revoke('ada', 'x')
    expect(await server.hub.room('x').count()).toBe(0)
    expect(await server.hub.room('y').count()).toBe(1)
    expect(elsewhere.errors.all).toEqual([])
  })

  test('our client closes the room of a revoked member with reason forbidden', async () => {
    const revoked = new Set<string>()
    await using server = await serveLocations({
      identify: people.identify,
      authorize: ({ member }) => !revoked.has(member.memberId),
    })
    const ada = createLocationClient<Cells>({ url: server.url, headers: { authorization: 'Bearer ada' } })
    const room = ada.join('x', { location: cell(1) })
    await until(
      'ada is visible',
      async () => room.status.state === 'live' && (await server.hub.room('x').count()) === 1,
    )
    revoked.add('ada')
    await server.hub.revoke('ada')
    await until('the room is closed', () => room.status.state === 'closed')
    expect(room.status).toMatchObject({ state: 'closed', reason: 'forbidden' })
    await ada.close()
  })
})

describe('access to rooms', () => {
  test('a member without access to a room cannot post to it, read, count or stream it', async () => {
    await using server = await serveLocations(people)
    const ada = as(server.url, 'ada')
    const room = 'closed'
    expect(await refusal(ada.postLocation.mutate({ room, location: null }))).toEqual(forbidden)
    expect(await refusal(ada.getLocations.query({ room }))).toEqual(forbidden)
    expect(await ada.countMembers.query({ rooms: ['open', room] })).toEqual([{ room: 'open', members: 0 }])
    using stream = subscribed(ada, { room })
    expect(await stream.errors.at(0)).toMatchObject({ data: { code: 'FORBIDDEN' } })
    expect(stream.heard.all).toEqual([])
    expect(await server.hub.room(room).count()).toBe(0)
  })

  test('a member who may read a room but not post can stream it', async () => {
    await using server = await serveLocations(people)
    const room = 'read-only'
    await as(server.url, 'owner').postLocation.mutate({ room, location: cell(1) })
    const ada = as(server.url, 'ada')
    expect(await refusal(ada.postLocation.mutate({ room, location: null }))).toEqual(forbidden)
    using stream = subscribed(ada, { room })
    await until('the owner is visible', () => stream.view.connections.size === 1)
  })

  test('a member who may post to a room but not read it gets a reply without an event id', async () => {
    await using server = await serveLocations(people)
    const room = 'drop-box'
    const ada = as(server.url, 'ada')
    const reply = await ada.postLocation.mutate({ room, location: cell(1) })
    expect(reply.outcome).toBe('applied')
    expect(reply.id).toBeUndefined()
    expect(await refusal(ada.getLocations.query({ room }))).toEqual(forbidden)
    expect(await server.hub.room(room).count()).toBe(1)
  })

  test(
    'open streams are authorized again, and the stream of a member who lost the right to read ends',
    { timeout: 60_000 },
    async () => {
      let mayRead = true
      await using server = await serveLocations({
        ...people,
        authorize: () => mayRead,
        timing: { beatMs: 100, recheckMs: 200 },
      })
      using stream = subscribed(as(server.url, 'ada'), { room: 'x' })
      await stream.heard.at(1)
      mayRead = false
      expect(await stream.errors.at(0)).toMatchObject({ data: { code: 'FORBIDDEN' } })
      expect(stream.heard.all.at(-1)!.event).toEqual({ type: 'bye', reason: 'revoked' })
    },
  )
})

describe('app callbacks that fail', () => {
  const never = new Promise<never>(() => {})
  const wrongs: [string, unknown, string][] = [
    ['throws', () => { throw new Error('database password is hunter2') }, 'UNAUTHORIZED'],
    ['rejects', () => Promise.reject(new Error('database password is hunter2')), 'UNAUTHORIZED'],
    ['hangs', () => never, 'SERVICE_UNAVAILABLE'],
    ['returns nothing', () => undefined, 'UNAUTHORIZED'],
    ['returns a memberId that is not a string', () => ({ memberId: 7 }), 'INTERNAL_SERVER_ERROR'],
    ['returns an empty memberId', () => ({ memberId: '' }), 'INTERNAL_SERVER_ERROR'],
    ['returns a memberId with a control character', () => ({ memberId: 'a\u0000' }), 'INTERNAL_SERVER_ERROR'],
    ['returns an invalid date', () => ({ memberId: 'ada', expiresAt: 'tomorrow' }), 'INTERNAL_SERVER_ERROR'],
  ] // prettier-ignore

  test.for(wrongs)('a caller for whom identify %s is refused, others are served', async ([, wrong, code]) => {
    await using server = await serveLocations({
      ...people,
      timing: { hookMs: 100 },
      identify: ({ ctx }) =>
        nameIn(ctx) === 'eve' ? (wrong as () => { memberId: string })() : people.identify({ ctx }),
    })
    const eve = as(server.url, 'eve')
    const refused = await refusal(eve.postLocation.mutate({ room: 'x', location: null }))
    expect(refused.code).toBe(code)
    expect(refused.message).not.toContain('hunter2')
    using stream = subscribed(eve, { room: 'x' })
    const { states, errors } = stream
    await until(
      'the stream is refused',
      () => errors.all.length > 0 || states.all.filter((state) => state === 'connecting').length > 1,
    )
    expect(stream.heard.all).toEqual([])
    const reply = await as(server.url, 'ada').postLocation.mutate({ room: 'x', location: cell(1) })
    expect(reply.outcome).toBe('applied')
    expect(await server.hub.room('x').members()).toMatchObject([{ memberId: 'ada', profile: null }])
  })

  const answers: [string, unknown, string][] = [
    ['throws', () => { throw new Error('hunter2') }, 'SERVICE_UNAVAILABLE'],
    ['rejects', () => Promise.reject(new Error('hunter2')), 'SERVICE_UNAVAILABLE'],
    ['hangs', () => never, 'SERVICE_UNAVAILABLE'],
    ['returns nothing', () => undefined, 'FORBIDDEN'],
    ['returns a string', () => 'yes', 'FORBIDDEN'],
    ['returns 1', () => 1, 'FORBIDDEN'],
    ['returns an object', () => ({ allowed: true }), 'FORBIDDEN'],
  ] // prettier-ignore

  test.for(answers)('a caller for whom authorize %s is refused, others are served', async ([, wrong, code]) => {
    await using server = await serveLocations({
      identify: people.identify,
      timing: { hookMs: 100 },
      authorize: ({ member }) => (member.memberId === 'eve' ? (wrong as () => boolean)() : true),
    })
    const refused = await refusal(as(server.url, 'eve').postLocation.mutate({ room: 'x', location: null }))
    expect(refused.code).toBe(code)
    expect(refused.message).not.toContain('hunter2')
    expect((await as(server.url, 'ada').postLocation.mutate({ room: 'x', location: cell(1) })).outcome).toBe('applied')
    expect(await server.hub.room('x').count()).toBe(1)
  })
})
