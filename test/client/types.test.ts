import { initTRPC } from '@trpc/server'
import { cellLocation, type CellLocation, type MemberProfile, type RoomTypesWith } from 'hereabouts'
import type {
  createLocationClient,
  LocationClient,
  LocationClientOptions,
  LocationOf,
  LocationPath,
  ProfileOf,
} from 'hereabouts/client'
import { createLocationHooks } from 'hereabouts/react'
import { createLocationHub, createLocationRouter } from 'hereabouts/server'
import { createLocationServer } from 'hereabouts/server/standalone'
import { describe, expectTypeOf, test } from 'vitest'
import * as z from 'zod'
import type { CellTypes } from '../support/cell-types.js'

/* Tests for the compiler. Only the creation of routers runs. */
const hub = createLocationHub({ location: cellLocation })
const transformer = { serialize: (value: unknown) => value, deserialize: (value: unknown) => value }
const plain = initTRPC.create()
const odd = initTRPC.create({ transformer })
const locations = createLocationRouter({ hub, procedure: plain.procedure, anonymous: true })
const oddLocations = createLocationRouter({ hub, procedure: odd.procedure, anonymous: true })
const hello = plain.procedure.query(() => 'hello')

const bare = createLocationServer({ location: cellLocation, anonymous: true }).router
const once = plain.router({ hello, locations })
const twice = plain.router({ hello, docs: plain.router({ hello, locations }) })
const several = plain.router({ docs: plain.router({ locations }), maps: plain.router({ locations }) })
const without = plain.router({ hello })
const transformed = odd.router({ locations: oddLocations })

type Options<R extends { _def: { record: object } }> = LocationClientOptions<R, LocationPath<R>>
const url = '/trpc'

describe('the path of a location router', () => {
  test('the path of a location router is inferred wherever the router was merged', () => {
    expectTypeOf<LocationPath<typeof bare>>().toEqualTypeOf<''>()
    expectTypeOf<LocationPath<typeof once>>().toEqualTypeOf<'locations'>()
    expectTypeOf<LocationPath<typeof twice>>().toEqualTypeOf<'docs.locations'>()
    expectTypeOf<LocationPath<typeof several>>().toEqualTypeOf<'docs.locations' | 'maps.locations'>()
  })

  test('the path of a location router is required for a merged router and rejected for a bare one', () => {
    expectTypeOf({ url }).toExtend<Options<typeof bare>>()
    expectTypeOf({ url }).not.toExtend<Options<typeof once>>()
    expectTypeOf({ url, path: 'locations' as const }).toExtend<Options<typeof once>>()
    expectTypeOf({ url, path: 'location' as const }).not.toExtend<Options<typeof once>>()
    expectTypeOf({ url, path: 'docs.locations' as const }).toExtend<Options<typeof twice>>()
    expectTypeOf({ url, path: 'locations' as const }).not.toExtend<Options<typeof bare>>()
    expectTypeOf({ url }).not.toExtend<Options<typeof without>>()
  })

  test('the path of a location router must be a type argument when there are several location routers', () => {
    type Named = LocationClientOptions<typeof several, 'docs.locations'>
    expectTypeOf({ url, path: 'docs.locations' as const }).toExtend<Named>()
    expectTypeOf({ url, path: 'docs.locations' as const }).not.toExtend<Options<typeof several>>()
  })
})

describe('a transformer', () => {
  test('a transformer is required exactly when the router has one', () => {
    const path = 'locations' as const
    expectTypeOf({ url, path, transformer }).toExtend<Options<typeof transformed>>()
    expectTypeOf({ url, path }).not.toExtend<Options<typeof transformed>>()
    expectTypeOf({ url, path, transformer }).not.toExtend<Options<typeof once>>()
  })
})

describe('locations and profiles', () => {
  test('locations and profiles have the types of the app’s schemas', () => {
    expectTypeOf<LocationOf<typeof twice>>().toEqualTypeOf<CellLocation>()
    expectTypeOf<ProfileOf<typeof twice>>().toEqualTypeOf<MemberProfile>()
    const profile = z.strictObject({ nick: z.string(), team: z.enum(['red', 'blue']) })
    const mine = createLocationServer({ location: z.strictObject({ floor: z.int() }), profile, anonymous: true }).router
    type Client = ReturnType<typeof createLocationClient<typeof mine>>
    expectTypeOf<Client>().toEqualTypeOf<
      LocationClient<RoomTypesWith<{ location: { floor: number }; profile: { nick: string; team: 'red' | 'blue' } }>>
    >()
  })

  test('locations and profiles of a wrong type do not compile', () => {
    const wrong = (client: LocationClient<CellTypes>) => {
      const room = client.join('r', { location: { sheet: 'Q3', row: 1, col: 1 }, profile: { name: 'Ada' } })
      room.post(null)
      // @ts-expect-error a location needs its column
      room.post({ sheet: 'Q3', row: 1 })
      // @ts-expect-error a name is a string
      room.update({ profile: { name: 7 } })
      // @ts-expect-error a watched room has no location of its own
      client.watch('r').post(null)
      room.on('moved', ({ previous, current }) => {
        expectTypeOf(previous).toEqualTypeOf<CellLocation | null>()
        expectTypeOf(current).toEqualTypeOf<CellLocation | null>()
      })
    }
    expectTypeOf(wrong).toBeFunction()
  })

  test('locations and profiles have the same types in the hooks', () => {
    const { useOthers, useSelf, usePost } = createLocationHooks({} as LocationClient<CellTypes>)
    expectTypeOf<Parameters<ReturnType<typeof usePost>>>().toEqualTypeOf<[location: CellLocation | null]>()
    const component = () => {
      expectTypeOf(useOthers((others) => others.length)).toEqualTypeOf<number>()
      expectTypeOf(useSelf((self) => self.location)).toEqualTypeOf<CellLocation | null>()
    }
    expectTypeOf(component).toBeFunction()
  })
})
