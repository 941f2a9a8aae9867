import { initTRPC } from '@trpc/server'
import { cellLocation } from 'hereabouts'
import { createLocationHub, createLocationRouter } from 'hereabouts/server'
import { expect, test } from 'vitest'

/** A router whose callers are signed in as Ada, called in the same process. */
function inProcess(profile: { name: string }) {
  const t = initTRPC.create()
  const hub = createLocationHub({ location: cellLocation })
  const asked: { profile: unknown }[] = []
  const router = t.router({
    locations: createLocationRouter({
      hub,
      procedure: t.procedure,
      identify: () => ({ memberId: 'ada', profile }),
      authorize: ({ member }) => (asked.push(member), true),
    }),
  })
  const { locations } = router.createCaller({})
  const room = hub.room('r')
  const namesAt = async () => (await room.members()).map((member) => [member.profile?.name, member.location?.row])
  return { hub, room, locations, asked, namesAt, [Symbol.asyncDispose]: () => hub.close() }
}

test('a room keeps the values of objects that the app passes to post() and changes later', async () => {
  await using app = inProcess({ name: 'Ada' })
  const post = { memberId: 'bob', profile: { name: 'Bob' }, location: { sheet: 'Q3', row: 1, col: 0 } }
  const posted = app.room.post(post)
  post.profile.name = 'Mallory'
  post.location.row = 9
  await posted
  expect(await app.namesAt()).toEqual([['Bob', 1]])
  await app.room.post(post)
  expect(await app.namesAt()).toEqual([['Mallory', 9]])
})

test('changing the objects that hub.room().members() returned does not change the room', async () => {
  await using app = inProcess({ name: 'Ada' })
  await app.room.post({ memberId: 'bob', profile: { name: 'Bob' }, location: { sheet: 'Q3', row: 1, col: 0 } })
  const [bob] = await app.room.members()
  bob!.profile!.name = 'Mallory'
  bob!.location!.row = 9
  bob!.connections[0]!.location!.row = 9
  expect(await app.namesAt()).toEqual([['Bob', 1]])
})

test('a profile that `identify` returned is shown as it was returned, even if the app changes the object later', async () => {
  const profile = { name: 'Ada' }
  await using app = inProcess(profile)
  await app.locations.postLocation({ room: 'r', location: null })
  profile.name = 'Countess'
  expect(await app.namesAt()).toEqual([['Ada', undefined]])
  await app.locations.postLocation({ room: 'r', location: null })
  expect(await app.namesAt()).toEqual([['Countess', undefined]])
})

test('the objects that `authorize` and a caller in the same process receive are frozen', async () => {
  await using app = inProcess({ name: 'Ada' })
  await app.locations.postLocation({ room: 'r', location: { sheet: 'Q3', row: 1, col: 0 } })
  const { event } = await app.locations.getLocations({ room: 'r' })
  if (event.type !== 'snapshot') throw new Error(`A snapshot was expected, not ${event.type}.`)
  expect(() => (event.connections[0]!.location!.row = 9)).toThrow(TypeError)
  expect(() => event.connections.pop()).toThrow(TypeError)
  expect(app.asked.length).toBeGreaterThan(0)
  for (const { profile } of app.asked) expect(Object.isFrozen(profile)).toBe(true)
  expect(await app.namesAt()).toEqual([['Ada', 1]])
})

test('posting the profile `null` removes the profile, and posting no profile keeps it', async () => {
  await using app = inProcess({ name: 'Ada' })
  await app.room.post({ memberId: 'bob', profile: { name: 'Bob' }, location: null })
  await app.room.post({ memberId: 'bob', location: null })
  expect(await app.namesAt()).toEqual([['Bob', undefined]])
  await app.room.post({ memberId: 'bob', profile: null, location: null })
  expect((await app.room.members())[0]!.profile).toBeNull()
})
