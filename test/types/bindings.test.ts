import { initTRPC } from '@trpc/server'
import { cellLocation, type CellLocation, type RoomTypesWith } from 'hereabouts'
import { createLocationClient, type Member, type Room, type RoomStatus } from 'hereabouts/client'
import { createLocationHub, createLocationRouter } from 'hereabouts/server'
import * as solid from 'hereabouts/solid'
import * as svelte from 'hereabouts/svelte'
import * as vue from 'hereabouts/vue'
import type { Accessor } from 'solid-js'
import { describe, expectTypeOf, test } from 'vitest'
import { ref, type ComputedRef } from 'vue'
import * as z from 'zod'

/* Tests for the compiler: code without a mark compiles, and a line after @ts-expect-error does not. Nothing runs. */

const t = initTRPC.create()
const options = { procedure: t.procedure, anonymous: true } as const
const plainHub = createLocationHub({ location: cellLocation, profile: false })
const wholeHub = createLocationHub({
  location: cellLocation,
  profile: z.strictObject({ nick: z.string() }),
  presence: z.object({ typing: z.boolean() }).partial(),
  broadcasts: { wave: z.strictObject({ emoji: z.string().max(16) }) },
  locks: true,
})
const plain = t.router({ locations: createLocationRouter({ ...options, hub: plainHub }) })
const whole = t.router({ locations: createLocationRouter({ ...options, hub: wholeHub }) })

type Whole = RoomTypesWith<{
  location: CellLocation
  profile: { nick: string }
  presence: { typing?: boolean | undefined }
  broadcasts: { wave: { emoji: string } }
  locks: true
}>
type Others = readonly Member<Whole>[]

const plainClient = () => createLocationClient<typeof plain>({ url: '/trpc', path: 'locations' })
const wholeClient = () => createLocationClient<typeof whole>({ url: '/trpc', path: 'locations' })
const place = { sheet: 'Q3', row: 1, col: 1 }

/** Takes code that is compiled but never run. */
const unrun = (_never: () => unknown): void => {}

describe('the composables for Vue', () => {
  test('the composables for Vue have the types of the router', () => {
    unrun(() => {
      const composables = vue.createLocationComposables(wholeClient())
      const room = composables.provideRoom(() => ({ room: 'a', profile: { nick: 'ada' }, location: place }))
      expectTypeOf(room).toEqualTypeOf<ComputedRef<Room<Whole>>>()
      composables.provideRoom(ref({ room: 'a' }))
      expectTypeOf(composables.useOthers()).toEqualTypeOf<ComputedRef<Others>>()
      expectTypeOf(composables.useOthers((others) => others.length)).toEqualTypeOf<ComputedRef<number>>()
      expectTypeOf(composables.useStatus()).toEqualTypeOf<ComputedRef<RoomStatus>>()
      expectTypeOf(composables.useSelf(({ profile }) => profile?.nick)).toEqualTypeOf<
        ComputedRef<string | undefined | null>
      >()
      composables.useMembersAt(ref(place))
      composables.useOther(() => 'ada')
      composables.useRoom().value.post(place)
      composables.useRoom().value.setPresence({ typing: true })
      void composables.useRoom().value.broadcast('wave', { emoji: '👋' })
      composables.useOnBroadcast('wave', ({ payload }) => expectTypeOf(payload).toEqualTypeOf<{ emoji: string }>())
      composables.useRoomEvent('moved', ({ current }) => current?.row)
      const lock = vue.useLock(room, () => place)
      expectTypeOf(lock).toEqualTypeOf<ComputedRef<vue.UsedLock<Whole>>>()
      // @ts-expect-error: a row is a number
      composables.useMembersAt({ sheet: 'Q3', row: 'one', col: 1 })
      // @ts-expect-error: the profile has no name
      composables.provideRoom({ room: 'a', profile: { name: 'Ada' } })
      // @ts-expect-error: no broadcast has this name
      composables.useOnBroadcast('waves', () => {})
      // @ts-expect-error: a row is a number
      vue.useLock(room, { sheet: 'Q3', row: 'one', col: 1 })
    })
  })

  test('the composables for Vue lack the features that the router lacks', () => {
    unrun(() => {
      const composables = vue.createLocationComposables(plainClient())
      const room = composables.useRoom()
      // @ts-expect-error: there is no profile
      composables.provideRoom({ room: 'a', profile: { nick: 'ada' } })
      // @ts-expect-error: there are no broadcasts
      composables.useOnBroadcast('wave', () => {})
      // @ts-expect-error: there are no presence values
      room.value.setPresence({ typing: true })
      // @ts-expect-error: there are no locks
      vue.useLock(room, place)
    })
  })
})

describe('the stores for Svelte', () => {
  test('the stores for Svelte have the types of the router', () => {
    unrun(() => {
      const stores = svelte.createLocationStores(wholeClient())
      const room = stores.provideRoom(() => ({ room: 'a', profile: { nick: 'ada' }, location: place }))
      expectTypeOf(room).toEqualTypeOf<svelte.RoomStore<Room<Whole>>>()
      expectTypeOf(stores.useOthers()).toEqualTypeOf<svelte.RoomStore<Others>>()
      expectTypeOf(stores.useOthers((others) => others.length).current).toEqualTypeOf<number>()
      stores.useOthers().subscribe((others) => expectTypeOf(others).toEqualTypeOf<Others>())
      expectTypeOf(stores.useSelf(({ profile }) => profile?.nick).current).toEqualTypeOf<string | undefined | null>()
      stores.useMembersAt(() => place)
      stores.useOther('ada', ({ location }) => location?.row)
      room.current.post(place)
      void room.current.broadcast('wave', { emoji: '👋' })
      stores.useOnBroadcast('wave', ({ payload }) => expectTypeOf(payload).toEqualTypeOf<{ emoji: string }>())
      expectTypeOf(svelte.useLock(room, () => place)).toEqualTypeOf<svelte.RoomStore<svelte.UsedLock<Whole>>>()
      // @ts-expect-error: a row is a number
      stores.useMembersAt({ sheet: 'Q3', row: 'one', col: 1 })
      // @ts-expect-error: the profile has no name
      stores.provideRoom({ room: 'a', profile: { name: 'Ada' } })
      // @ts-expect-error: no broadcast has this name
      stores.useOnBroadcast('waves', () => {})
    })
  })

  test('the stores for Svelte lack the features that the router lacks', () => {
    unrun(() => {
      const stores = svelte.createLocationStores(plainClient())
      const room = stores.useRoom()
      // @ts-expect-error: there is no profile
      stores.provideRoom({ room: 'a', profile: { nick: 'ada' } })
      // @ts-expect-error: there are no broadcasts
      stores.useOnBroadcast('wave', () => {})
      // @ts-expect-error: there are no presence values
      room.current.setPresence({ typing: true })
      // @ts-expect-error: there are no locks
      svelte.useLock(room, place)
    })
  })
})

describe('the primitives for Solid', () => {
  test('the primitives for Solid have the types of the router', () => {
    unrun(() => {
      const primitives = solid.createLocationPrimitives(wholeClient())
      primitives.RoomProvider({ room: 'a', profile: { nick: 'ada' }, location: place, children: [] })
      const room = primitives.useRoom()
      expectTypeOf(room).toEqualTypeOf<Accessor<Room<Whole>>>()
      expectTypeOf(primitives.useOthers()).toEqualTypeOf<Accessor<Others>>()
      expectTypeOf(primitives.useOthers((others) => others.length)).toEqualTypeOf<Accessor<number>>()
      expectTypeOf(primitives.useSelf(({ profile }) => profile?.nick)()).toEqualTypeOf<string | undefined | null>()
      primitives.useMembersAt(() => place)
      room().setPresence({ typing: true })
      void room().broadcast('wave', { emoji: '👋' })
      primitives.useOnBroadcast('wave', ({ payload }) => expectTypeOf(payload).toEqualTypeOf<{ emoji: string }>())
      expectTypeOf(solid.useLock(room, () => place)).toEqualTypeOf<Accessor<solid.UsedLock<Whole>>>()
      // @ts-expect-error: a row is a number
      primitives.useMembersAt({ sheet: 'Q3', row: 'one', col: 1 })
      // @ts-expect-error: the profile has no name
      primitives.RoomProvider({ room: 'a', profile: { name: 'Ada' } })
      // @ts-expect-error: no broadcast has this name
      primitives.useOnBroadcast('waves', () => {})
    })
  })

  test('the primitives for Solid lack the features that the router lacks', () => {
    unrun(() => {
      const primitives = solid.createLocationPrimitives(plainClient())
      const room = primitives.useRoom()
      // @ts-expect-error: there is no profile
      primitives.RoomProvider({ room: 'a', profile: { nick: 'ada' } })
      // @ts-expect-error: there are no broadcasts
      primitives.useOnBroadcast('wave', () => {})
      // @ts-expect-error: there are no presence values
      room().setPresence({ typing: true })
      // @ts-expect-error: there are no locks
      solid.useLock(room, place)
    })
  })
})
