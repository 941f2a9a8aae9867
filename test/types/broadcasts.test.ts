import { initTRPC, type inferRouterInputs } from '@trpc/server'
import { cellLocation, type CellLocation, type RoomTypesWith } from 'hereabouts'
import { createLocationClient, type Member, type Room, type RoomTypesOf, type WatchedRoom } from 'hereabouts/client'
import { createLocationHooks } from 'hereabouts/react'
import { createLocationHub, createLocationRouter } from 'hereabouts/server'
import { createLocationServer } from 'hereabouts/server/standalone'
import { fakeRoom, serveLocations } from 'hereabouts/testing'
import { describe, expectTypeOf, test } from 'vitest'
import * as z from 'zod'

/* Tests for the compiler: code without a mark compiles, and a line after @ts-expect-error does not. Nothing runs. */

const t = initTRPC.create()
const reaction = z.strictObject({ emoji: z.string().max(16) })
const ping = z.null()
const hub = createLocationHub({ location: cellLocation, profile: false, broadcasts: { reaction, ping } })
const record = createLocationRouter({ hub, procedure: t.procedure, anonymous: true })
const app = t.router({ docs: t.router({ locations: record }), hello: t.procedure.query(() => 'hi') })
const standalone = createLocationServer({ location: cellLocation, anonymous: true, broadcasts: { reaction } })
const one = createLocationHub({ location: cellLocation, profile: false, broadcasts: { reaction } })

type Types = RoomTypesWith<{
  location: CellLocation
  profile: never
  broadcasts: { reaction: { emoji: string }; ping: null }
}>
const client = () => createLocationClient<typeof app>({ url: '/trpc', path: 'docs.locations' })

/** Takes code that is compiled but never run. */
const unrun = (_never: () => unknown): void => {}

describe('a router with broadcasts', () => {
  test('the room types of a router name each broadcast and its payload, for one broadcast and for several', () => {
    expectTypeOf<RoomTypesOf<typeof app>>().toEqualTypeOf<Types>()
    expectTypeOf<RoomTypesOf<typeof app>['broadcasts']>().toEqualTypeOf<Types['broadcasts']>()
    expectTypeOf<RoomTypesOf<typeof standalone.router>['broadcasts']>().toEqualTypeOf<{ reaction: { emoji: string } }>()
    expectTypeOf(one['~types']).toEqualTypeOf<
      RoomTypesWith<{ location: CellLocation; profile: never; broadcasts: { reaction: { emoji: string } } }> | undefined
    >()
    type Input = inferRouterInputs<typeof app>['docs']['locations']['broadcastToRoom']
    expectTypeOf<Input['name']>().toEqualTypeOf<'reaction' | 'ping'>()
    expectTypeOf<Extract<Input, { name: 'reaction' }>['payload']>().toEqualTypeOf<{ emoji: string }>()
  })

  test('a router with broadcasts has typed methods in its client, its hooks and its hub', () => {
    unrun(async () => {
      const room: Room<Types> = client().join('a')
      expectTypeOf(room.broadcast('reaction', { emoji: '🎉' })).toEqualTypeOf<Promise<boolean>>()
      await room.broadcast('ping', null, { to: 'ada' })
      room.onBroadcast('reaction', ({ payload, member, at }) => {
        expectTypeOf(payload).toEqualTypeOf<{ emoji: string }>()
        expectTypeOf(member).toEqualTypeOf<Member<Types> | null>()
        expectTypeOf(at).toEqualTypeOf<Date>()
      })
      const hooks = createLocationHooks(client())
      await hooks.useBroadcast()('reaction', { emoji: '🎉' })
      hooks.useOnBroadcast('ping', ({ payload }) => expectTypeOf(payload).toEqualTypeOf<null>())
      await hub.room('a').broadcast('reaction', { emoji: '🎉' }, { from: 'bot', to: 'ada' })
      await standalone.hub.room('a').broadcast('reaction', { emoji: '🎉' })
      const served = await serveLocations({ broadcasts: { reaction } })
      await served.hub.room('a').broadcast('reaction', { emoji: '🎉' })
      const fake = await fakeRoom<Types>()
      await fake.room.broadcast('ping', null)
    })
  })

  test('unknown names of broadcasts, wrong payloads and a broadcast from a watched room do not compile', () => {
    unrun(async () => {
      const room = client().join('a')
      // @ts-expect-error: no broadcast has this name
      await room.broadcast('reactions', { emoji: '🎉' })
      // @ts-expect-error: the payload is of another broadcast
      await room.broadcast('reaction', null)
      // @ts-expect-error: no broadcast has this name
      room.onBroadcast('reactions', () => {})
      const watched: WatchedRoom<Types> = client().watch('a')
      watched.onBroadcast('ping', () => {})
      // @ts-expect-error: we only watch
      await watched.broadcast('ping', null)
      const hooks = createLocationHooks(client())
      // @ts-expect-error: no broadcast has this name
      hooks.useOnBroadcast('reactions', () => {})
      // @ts-expect-error: the payload is of another broadcast
      await hub.room('a').broadcast('ping', { emoji: '🎉' })
    })
  })

  test('reserved names of broadcasts, and schemas that are not of plain JSON, do not compile', () => {
    unrun(() => {
      // @ts-expect-error: the name is reserved
      createLocationHub({ location: cellLocation, broadcasts: { 'hereabouts:typing': z.boolean() } })
      // @ts-expect-error: a date is no JSON
      createLocationHub({ location: cellLocation, broadcasts: { at: z.date() } })
      // @ts-expect-error: true is no schema
      createLocationHub({ location: cellLocation, broadcasts: { reaction: true } })
    })
  })
})

describe('a hub without broadcasts', () => {
  test('a hub without broadcasts has no `broadcast` method, and its router has no `broadcastToRoom`', () => {
    unrun(async () => {
      const plain = createLocationHub({ location: cellLocation })
      // @ts-expect-error: there are no broadcasts
      await plain.room('a').broadcast('reaction', {})
      const procedures = createLocationRouter({ hub: plain, procedure: t.procedure, anonymous: true })
      // @ts-expect-error: there are no broadcasts
      return procedures.broadcastToRoom
    })
  })
})
