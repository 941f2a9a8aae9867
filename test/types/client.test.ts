import { initTRPC } from '@trpc/server'
import {
  cellLocation,
  pointLocation,
  type CellLocation,
  type MemberProfile,
  type PointLocation,
  type RoomTypesWith,
} from 'hereabouts'
import {
  createLocationClient,
  type LocationClient,
  type LocationOf,
  type LocationPath,
  type Member,
  type ProfileOf,
} from 'hereabouts/client'
import { createLocationHub, createLocationRouter } from 'hereabouts/server'
import { createLocationServer } from 'hereabouts/server/standalone'
import { describe, expectTypeOf, test } from 'vitest'
import * as z from 'zod'
import { tagged } from '../support/tagged.js'

/* Tests for the compiler: code without a mark compiles, and a line after @ts-expect-error does not. Nothing runs. */

const t = initTRPC.create()
const tt = initTRPC.create({ transformer: tagged })
const cells = createLocationHub({ location: cellLocation })
const points = createLocationHub({ location: pointLocation, profile: z.object({ nick: z.string() }) })
const cellRecord = () => createLocationRouter({ hub: cells, procedure: t.procedure, anonymous: true })
const pointRecord = () => createLocationRouter({ hub: points, procedure: t.procedure, anonymous: true })
const taggedRecord = () => createLocationRouter({ hub: cells, procedure: tt.procedure, anonymous: true })

const server = createLocationServer({ location: cellLocation, anonymous: true })
const bare = t.router(cellRecord())
const merged = t.router({ ping: t.procedure.query(() => 'pong'), locations: pointRecord() })
const deep = t.router({ docs: t.router({ sheets: t.router({ locations: cellRecord() }) }) })
const several = t.router({ cells: cellRecord(), maps: t.router({ points: pointRecord() }) })
const bareTagged = tt.router(taggedRecord())
const deepTagged = tt.router({ docs: tt.router({ locations: taggedRecord() }) })
const without = t.router({ ping: t.procedure.query(() => 'pong') })

type Of = {
  server: typeof server.router
  bare: typeof bare
  merged: typeof merged
  deep: typeof deep
  several: typeof several
  bareTagged: typeof bareTagged
  deepTagged: typeof deepTagged
  without: typeof without
}

const url = '/trpc'
/** Takes code that is compiled but never run. */
const unrun = (_never: () => unknown): void => {}

describe('the path option', () => {
  test('the path option is inferred from the router', () => {
    expectTypeOf<LocationPath<Of['server']>>().toEqualTypeOf<''>()
    expectTypeOf<LocationPath<Of['bare']>>().toEqualTypeOf<''>()
    expectTypeOf<LocationPath<Of['merged']>>().toEqualTypeOf<'locations'>()
    expectTypeOf<LocationPath<Of['deep']>>().toEqualTypeOf<'docs.sheets.locations'>()
    expectTypeOf<LocationPath<Of['several']>>().toEqualTypeOf<'cells' | 'maps.points'>()
    expectTypeOf<LocationPath<Of['deepTagged']>>().toEqualTypeOf<'docs.locations'>()
    expectTypeOf<LocationPath<Of['without']>>().toEqualTypeOf<never>()
  })

  test('the path option is required for a merged router and must match it', () => {
    unrun(() => {
      createLocationClient<Of['server']>({ url })
      createLocationClient<Of['bare']>({ url })
      createLocationClient<Of['bare']>({ url, path: '' })
      createLocationClient<Of['merged']>({ url, path: 'locations' })
      createLocationClient<Of['deep']>({ url, path: 'docs.sheets.locations' })
      // @ts-expect-error: a bare router has no path
      createLocationClient<Of['bare']>({ url, path: 'locations' })
      // @ts-expect-error: a merged router needs a path
      createLocationClient<Of['merged']>({ url })
      // @ts-expect-error: this is not the router's path
      createLocationClient<Of['merged']>({ url, path: 'location' })
      // @ts-expect-error: the path must be complete
      createLocationClient<Of['deep']>({ url, path: 'docs' })
      // @ts-expect-error: this router has no location procedures
      createLocationClient<Of['without']>({ url })
    })
  })

  test('the path option must be a type argument when the router has several location routers', () => {
    unrun(() => {
      const client = createLocationClient<Of['several'], 'maps.points'>({ url, path: 'maps.points' })
      expectTypeOf(client).toEqualTypeOf<
        LocationClient<RoomTypesWith<{ location: PointLocation; profile: { nick: string } }>>
      >()
      // @ts-expect-error: with several location routers the path must be a type argument
      createLocationClient<Of['several']>({ url, path: 'maps.points' })
      // @ts-expect-error: this router has no location procedures at this path
      createLocationClient<Of['several'], 'maps'>({ url, path: 'maps' })
      // @ts-expect-error: this path does not exist
      createLocationClient<Of['merged'], 'elsewhere'>({ url, path: 'elsewhere' })
    })
  })
})

describe('the transformer option', () => {
  test('the transformer option is required exactly when the router has a transformer', () => {
    unrun(() => {
      createLocationClient<Of['bareTagged']>({ url, transformer: tagged })
      createLocationClient<Of['bareTagged']>({ url, transformer: { input: tagged, output: tagged } })
      createLocationClient<Of['deepTagged']>({ url, path: 'docs.locations', transformer: tagged })
      // @ts-expect-error: the router has a transformer
      createLocationClient<Of['bareTagged']>({ url })
      // @ts-expect-error: the router has a transformer
      createLocationClient<Of['deepTagged']>({ url, path: 'docs.locations' })
      // @ts-expect-error: the router has no transformer
      createLocationClient<Of['bare']>({ url, transformer: tagged })
    })
  })
})

describe('locations and profiles', () => {
  test("locations and profiles have the types of the router's schemas", () => {
    expectTypeOf<LocationOf<Of['server']>>().toEqualTypeOf<CellLocation>()
    expectTypeOf<LocationOf<Of['deep']>>().toEqualTypeOf<CellLocation>()
    expectTypeOf<LocationOf<Of['merged']>>().toEqualTypeOf<PointLocation>()
    expectTypeOf<LocationOf<Of['deepTagged']>>().toEqualTypeOf<CellLocation>()
    expectTypeOf<LocationOf<Of['several'], 'maps.points'>>().toEqualTypeOf<PointLocation>()
    expectTypeOf<ProfileOf<Of['bare']>>().toEqualTypeOf<MemberProfile>()
    expectTypeOf<ProfileOf<Of['merged']>>().toEqualTypeOf<{ nick: string }>()
  })

  test('locations and profiles of a wrong type do not compile', () => {
    unrun(() => {
      const client = createLocationClient<Of['merged']>({ url, path: 'locations' })
      const room = client.join('map', { location: { x: 1, y: 2 }, profile: { nick: 'Ada' } })
      room.post({ x: 1, y: 2 })
      room.post(null)
      room.update({ profile: { nick: 'Ada' }, activity: 'idle' })
      // @ts-expect-error: a point has a y
      room.post({ x: 1 })
      // @ts-expect-error: coordinates are numbers
      room.post({ x: '1', y: 2 })
      // @ts-expect-error: a point has no z
      room.post({ x: 1, y: 2, z: 3 })
      // @ts-expect-error: an absent location is null
      room.post(undefined)
      // @ts-expect-error: a cell is not a point
      client.join('map', { location: { sheet: 'Q3', row: 1, col: 1 } })
      // @ts-expect-error: a profile has the type of the server's schema
      client.join('map', { profile: { name: 'Ada' } })
      // @ts-expect-error: an activity is one of three words
      room.update({ activity: 'asleep' })
      // @ts-expect-error: membersAt takes a point
      room.membersAt({ x: 1 })
      // @ts-expect-error: there is no such event
      room.on('entred', () => {})
      // @ts-expect-error: a watched room has no post
      client.watch('map').post(null)
      // @ts-expect-error: the list of members is read-only
      room.others.push(room.others[0])
    })
  })

  test('locations and profiles that are read have the types of those that are posted', () => {
    unrun(() => {
      const room = createLocationClient<Of['server']>({ url }).join('sheet')
      expectTypeOf(room.others).toEqualTypeOf<readonly Member<RoomTypesWith<{ location: CellLocation }>>[]>()
      expectTypeOf(room.self).toEqualTypeOf<Member<RoomTypesWith<{ location: CellLocation }>> | null>()
      expectTypeOf(room.post({ sheet: 'Q3', row: 4, col: 2 })).toEqualTypeOf<void>()
      room.on('moved', ({ member, previous, current }) => {
        expectTypeOf(member.profile).toEqualTypeOf<MemberProfile | null>()
        expectTypeOf(previous).toEqualTypeOf<CellLocation | null>()
        expectTypeOf(current).toEqualTypeOf<CellLocation | null>()
      })
      room.on('left', ({ reason }) => expectTypeOf(reason).toEqualTypeOf<'left' | 'lost' | 'revoked'>())
    })
  })
})
