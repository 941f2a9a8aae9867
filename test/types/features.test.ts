import { initTRPC } from '@trpc/server'
import { cellLocation, type CellLocation, type RoomTypes, type RoomTypesWith } from 'hereabouts'
import {
  createLocationClient,
  type Member,
  type ProfileOf,
  type Room,
  type RoomTypesOf,
  type WatchedRoom,
} from 'hereabouts/client'
import { createLocationHooks, type RoomProviderProps } from 'hereabouts/react'
import { createLocationHub, createLocationRouter } from 'hereabouts/server'
import { createLocationServer } from 'hereabouts/server/standalone'
import { fakeRoom } from 'hereabouts/testing'
import { describe, expectTypeOf, test } from 'vitest'
import * as z from 'zod'

/* Tests for the compiler: code without a mark compiles, and a line after @ts-expect-error does not. Nothing runs. */

const t = initTRPC.create()
const options = { procedure: t.procedure, anonymous: true } as const
const plainHub = createLocationHub({ location: cellLocation, profile: false })
const profileHub = createLocationHub({ location: cellLocation, profile: z.strictObject({ nick: z.string() }) })
const plain = t.router({ docs: t.router({ locations: createLocationRouter({ ...options, hub: plainHub }) }) })
const withProfile = t.router({ locations: createLocationRouter({ ...options, hub: profileHub }) })
const standalone = createLocationServer({ location: cellLocation, profile: false, anonymous: true })

type Plain = RoomTypesWith<{ location: CellLocation; profile: never }>
type WithProfile = RoomTypesWith<{ location: CellLocation; profile: { nick: string } }>

const plainClient = () => createLocationClient<typeof plain>({ url: '/trpc', path: 'docs.locations' })
const profileClient = () => createLocationClient<typeof withProfile>({ url: '/trpc', path: 'locations' })

/** Takes code that is compiled but never run. */
const unrun = (_never: () => unknown): void => {}

describe('the room types of a router', () => {
  test('the room types of a router name every feature, with `never` or `false` for a feature that the router lacks', () => {
    expectTypeOf<RoomTypesOf<typeof plain>>().toEqualTypeOf<Plain>()
    expectTypeOf<RoomTypesOf<typeof standalone.router>>().toEqualTypeOf<Plain>()
    expectTypeOf<RoomTypesOf<typeof withProfile, 'locations'>>().toEqualTypeOf<WithProfile>()
    expectTypeOf<Plain>().toEqualTypeOf<{
      location: CellLocation
      profile: never
      presence: never
      broadcasts: never
      locks: false
    }>()
    expectTypeOf<ProfileOf<typeof plain>>().toEqualTypeOf<never>()
    expectTypeOf(plainHub['~types']).toEqualTypeOf<Plain | undefined>()
  })

  test('the room types of a router let an app write functions for the rooms of any router', () => {
    unrun(() => {
      const names = <T extends RoomTypes>(room: Pick<Room<T>, 'others'>) => room.others.map(({ memberId }) => memberId)
      const locationOf = (member: Member<RoomTypes>) => member.location
      const room: Room<WithProfile> = profileClient().join('a')
      const watched: WatchedRoom<WithProfile> = room
      expectTypeOf(names(room)).toEqualTypeOf<string[]>()
      names(plainClient().join('a'))
      locationOf(room.others[0]!)
      // @ts-expect-error: the profiles differ
      const other: Room<Plain> = room
      return [watched, other]
    })
  })
})

describe('a router without a profile schema', () => {
  test('the client and the hooks of a router without a profile schema take no profile', () => {
    unrun(() => {
      const client = plainClient()
      const room = client.join('a', { location: null })
      room.update({ activity: 'away' })
      // @ts-expect-error: there is no profile
      client.join('a', { profile: { name: 'Ada' } })
      // @ts-expect-error: there is no profile
      room.update({ profile: { name: 'Ada' } })
      expectTypeOf(room.others[0]!.profile).toEqualTypeOf<null>()
      const hooks = createLocationHooks(client)
      hooks.usePost()(null)
      // @ts-expect-error: there is no profile to update
      hooks.useUpdateProfile()
      const props: RoomProviderProps<Plain> = { room: 'a' }
      // @ts-expect-error: there is no profile
      const wrong: RoomProviderProps<Plain> = { room: 'a', profile: { name: 'Ada' } }
      return [props, wrong]
    })
  })

  test('the hub and the fake room of a router without a profile schema take no profile', () => {
    unrun(async () => {
      await plainHub.room('a').post({ memberId: 'bot', location: null })
      // @ts-expect-error: there is no profile
      await plainHub.room('a').post({ memberId: 'bot', location: null, profile: { name: 'Bot' } })
      createLocationRouter({
        hub: plainHub,
        procedure: t.procedure,
        // @ts-expect-error: there is no profile
        identify: () => ({ memberId: 'ada', profile: { name: 'Ada' } }),
        authorize: () => true,
      })
      const fake = await fakeRoom<Plain>()
      await fake.moves('ada', { sheet: 'Q3', row: 1, col: 1 })
      // @ts-expect-error: there is no profile
      await fake.enters('ada', { profile: { name: 'Ada' } })
      // @ts-expect-error: true is no schema
      createLocationHub({ location: cellLocation, profile: true })
    })
  })
})

describe('a router with a profile schema', () => {
  test('the client, hooks and fake room of a router with a profile schema have profiles of its type', () => {
    unrun(async () => {
      const client = profileClient()
      client.join('a', { profile: { nick: 'ada' } }).update({ profile: { nick: 'ada' } })
      createLocationHooks(client).useUpdateProfile()({ nick: 'ada' })
      // @ts-expect-error: a nick is a string
      createLocationHooks(client).useUpdateProfile()({ nick: 7 })
      const fake = await fakeRoom<RoomTypesOf<typeof withProfile>>({ profile: { nick: 'me' } })
      await fake.enters('ada', { profile: { nick: 'ada' } })
      // @ts-expect-error: the profile has no nick
      await fake.enters('ada', { profile: { name: 'Ada' } })
    })
  })
})

describe('a router with a presence schema', () => {
  const value = z.object({ pointer: z.object({ x: z.number() }).nullable(), typing: z.boolean() }).partial()
  const hub = createLocationHub({ location: cellLocation, presence: value })
  const router = t.router({ locations: createLocationRouter({ ...options, hub }) })
  type Types = RoomTypesOf<typeof router>

  test('the client, hooks, hub and fake room of a router with a presence schema have typed presence values', () => {
    unrun(async () => {
      expectTypeOf<Types['presence']>().toEqualTypeOf<z.output<typeof value>>()
      const client = createLocationClient<typeof router>({ url: '/trpc', path: 'locations' })
      const room = client.join('a')
      room.setPresence({ typing: true })
      room.setPresence({ pointer: null, typing: undefined })
      room.on('presence', ({ previous, current }) => [previous.typing, current.pointer?.x])
      expectTypeOf(room.others[0]!.presence.typing).toEqualTypeOf<boolean | undefined>()
      // @ts-expect-error: typing is a boolean
      room.setPresence({ typing: 'yes' })
      // @ts-expect-error: there is no such key
      room.setPresence({ tping: true })
      // @ts-expect-error: a presence value is never null
      room.setPresence(null)
      // @ts-expect-error: a watched room has no methods that post
      client.watch('a').setPresence({ typing: true })
      createLocationHooks(client).useSetPresence()({ typing: true })
      // @ts-expect-error: typing is a boolean
      createLocationHooks(client).useSetPresence()({ typing: 1 })
      await hub.room('a').post({ memberId: 'bot', location: null, presence: { typing: true } })
      // @ts-expect-error: typing is a boolean
      await hub.room('a').post({ memberId: 'bot', location: null, presence: { typing: 1 } })
      expectTypeOf((await hub.room('a').members())[0]!.presence.typing).toEqualTypeOf<boolean | undefined>()
      const fake = await fakeRoom<Types>({ others: { ada: { presence: { typing: true } } } })
      await fake.setsPresence('ada', {})
      // @ts-expect-error: typing is a boolean
      await fake.setsPresence('ada', { typing: 1 })
      // @ts-expect-error: typing is required, so {} is refused
      createLocationHub({ location: cellLocation, presence: z.object({ typing: z.boolean() }) })
    })
  })
})

describe('a router without presence values, broadcasts and locks', () => {
  test('a router without presence values, broadcasts and locks has no methods for them', () => {
    unrun(() => {
      const room = profileClient().join('a')
      const hooks = createLocationHooks(profileClient())
      // The methods are absent, not of the type `never`: an editor would offer the name of a method that is in the
      // type.
      expectTypeOf<
        Extract<keyof typeof room, 'setPresence' | 'broadcast' | 'lock' | 'lockedBy'>
      >().toEqualTypeOf<never>()
      // @ts-expect-error: there are no presence values
      room.setPresence({ typing: true })
      // @ts-expect-error: there are no broadcasts
      void room.broadcast('reaction', {})
      // @ts-expect-error: there are no broadcasts
      room.onBroadcast('reaction', () => {})
      // @ts-expect-error: there are no locks
      void room.lock({ sheet: 'Q3', row: 1, col: 1 })
      // @ts-expect-error: there are no locks
      room.lockedBy({ sheet: 'Q3', row: 1, col: 1 })
      // @ts-expect-error: there are no presence values
      hooks.useSetPresence()
      // @ts-expect-error: there are no broadcasts
      hooks.useBroadcast()
      // @ts-expect-error: there are no broadcasts
      hooks.useOnBroadcast('reaction', () => {})
      // @ts-expect-error: there are no locks
      hooks.useLock({ sheet: 'Q3', row: 1, col: 1 })
      // @ts-expect-error: there are no locks
      hooks.useRoom().lockedBy({ sheet: 'Q3', row: 1, col: 1 })
      // @ts-expect-error: there are no locks
      profileClient().watch('a').lockedBy({ sheet: 'Q3', row: 1, col: 1 })
      // @ts-expect-error: there are no locks
      void fakeRoom<WithProfile>().then((fake) => fake.locks('ada', { sheet: 'Q3', row: 1, col: 1 }))
    })
  })
})

describe('a hub with locks', () => {
  const hub = createLocationHub({ location: cellLocation, locks: { idleMs: 60_000 } })
  const locking = t.router({ locations: createLocationRouter({ ...options, hub }) })

  test('a hub with locks has lock methods, and so do the rooms of its router', () => {
    unrun(() => {
      const place = { sheet: 'Q3', row: 1, col: 1 }
      void hub.room('a').isLocked({ location: place, memberId: 'ada', fence: 1 })
      void hub.room('a').unlock(place)
      // @ts-expect-error: a fence is a number
      void hub.room('a').isLocked({ location: place, memberId: 'ada', fence: 'one' })
      // @ts-expect-error: there are no locks
      void plainHub.room('a').unlock(place)
      // @ts-expect-error: idleMs is a number
      createLocationHub({ location: cellLocation, locks: { idleMs: 'one' } })
      expectTypeOf<RoomTypesOf<typeof locking>['locks']>().toEqualTypeOf<true>()
      expectTypeOf<RoomTypesOf<typeof plain>['locks']>().toEqualTypeOf<false>()
      const client = createLocationClient<typeof locking>({ url: '/trpc', path: 'locations' })
      const room = client.join('a')
      void room.lock(place, { takeOver: true }).then((lock) => lock?.release())
      room.lockedBy(place)
      client.watch('a').lockedBy(place)
      // @ts-expect-error: a watched room has no `lock`
      void client.watch('a').lock(place)
      // @ts-expect-error: a place is a location
      void room.lock(null)
      createLocationHooks(client).useLock(place).acquire satisfies () => Promise<boolean>
      void createLocationHooks(client).useRoom().lock(place)
      void fakeRoom<RoomTypesOf<typeof locking>>().then((fake) => fake.locks('ada', place))
    })
  })
})

describe('membersAt', () => {
  test('membersAt takes no option but `windows`', () => {
    unrun(() => {
      const room = profileClient().join('a')
      const place = { sheet: 'Q3', row: 1, col: 1 }
      room.membersAt(place, { windows: 'all' })
      createLocationHooks(profileClient()).useMembersAt(place, { windows: 'all' })
      // @ts-expect-error: windows is 'all' or absent
      room.membersAt(place, { windows: 'some' })
    })
  })
})
