import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { initTRPC, type inferRouterInputs, type inferRouterOutputs } from '@trpc/server'
import type { TRPCClient } from '@trpc/client'
import {
  cellLocation,
  pointLocation,
  systemClock,
  type CellLocation,
  type Clock,
  type LocationEvent,
  type MemberProfile,
  type Out,
  type PointLocation,
  type PostLocationOutput,
  type RoomTypesWith,
  type Schema,
  type Tracked,
  type Unchanged,
} from 'hereabouts'
import {
  createLocationHub,
  createLocationRouter,
  LocationError,
  type LocationHub,
  type RoomMember,
} from 'hereabouts/server'
import { createLocationServer, type ServerContext } from 'hereabouts/server/standalone'
import { serveLocations } from 'hereabouts/testing'
import { describe, expect, expectTypeOf, test } from 'vitest'
import * as z from 'zod'
import * as mini from 'zod/mini'
import { compile, root } from '../support/snippets.js'
import { tagged } from '../support/tagged.js'

/* Tests for the compiler: code without a mark compiles, and a line after @ts-expect-error does not. */

const hub = createLocationHub({ location: cellLocation })
const t = initTRPC.context<{ user: string }>().create()
const tt = initTRPC.context<{ user: string }>().create({ transformer: tagged })
const nobody = { hub, anonymous: true } as const

const bare = t.router(createLocationRouter({ ...nobody, procedure: t.procedure }))
const merged = t.router({ locations: createLocationRouter({ ...nobody, procedure: t.procedure }) })
const deep = t.router({ docs: t.router({ locations: createLocationRouter({ ...nobody, procedure: t.procedure }) }) })
const bareTagged = tt.router(createLocationRouter({ ...nobody, procedure: tt.procedure }))
const mergedTagged = tt.router({ locations: createLocationRouter({ ...nobody, procedure: tt.procedure }) })
const deepTagged = tt.router({
  docs: tt.router({ locations: createLocationRouter({ ...nobody, procedure: tt.procedure }) }),
})

/** Takes code that is compiled but never run. */
const unrun = (_never: (...never: never[]) => unknown): void => {}

test('the two readings of a clock cannot be compared or subtracted', () => {
  unrun((clock: Clock) => {
    // @ts-expect-error a monotonic reading is no time of day
    void (clock.date() < clock.now())
    // @ts-expect-error a monotonic reading and a time of day cannot be subtracted
    void (clock.now() - clock.date())
  })
  expect(systemClock.date().getTime() - Date.now()).toBeLessThan(1_000)
})

type Post = { room: string; location: CellLocation | null }

describe('a location router', () => {
  test('a location router has typed inputs and outputs at any depth of merging, with and without a transformer', () => {
    expectTypeOf<inferRouterInputs<typeof bare>['postLocation']['location']>().toEqualTypeOf<CellLocation | null>()
    expectTypeOf<inferRouterInputs<typeof merged>['locations']['postLocation']>().toExtend<Post>()
    expectTypeOf<inferRouterInputs<typeof deep>['docs']['locations']['postLocation']>().toExtend<Post>()
    expectTypeOf<inferRouterInputs<typeof bareTagged>['postLocation']>().toExtend<Post>()
    expectTypeOf<inferRouterInputs<typeof mergedTagged>['locations']['postLocation']>().toExtend<Post>()
    expectTypeOf<inferRouterInputs<typeof deepTagged>['docs']['locations']['postLocation']>().toExtend<Post>()

    type Event = LocationEvent<RoomTypesWith<{ location: CellLocation }>>
    expectTypeOf<inferRouterOutputs<typeof bare>['getLocations']>().toEqualTypeOf<{
      id: string
      event: Event
      features?: string[]
      presenceMs?: number
      locks?: { lockMs: number; idleMs: number }
    }>()
    expectTypeOf<inferRouterOutputs<typeof deep>['docs']['locations']['getLocations']['event']>().toEqualTypeOf<Event>()
    expectTypeOf<
      inferRouterOutputs<typeof deepTagged>['docs']['locations']['getLocations']['event']
    >().toEqualTypeOf<Event>()
    expectTypeOf<inferRouterOutputs<typeof merged>['locations']['postLocation']>().toEqualTypeOf<PostLocationOutput>()
    expectTypeOf<inferRouterOutputs<typeof bare>['onLocation']>().toExtend<AsyncIterable<Tracked<Event>>>()
  })

  test('a location router checks the inputs of a stock tRPC client', () => {
    unrun(() => {
      const client = {} as TRPCClient<typeof deep>
      const { locations } = client.docs
      void locations.postLocation.mutate({ room: 'x', location: { sheet: 'Q3', row: 4, col: 2 } })
      void locations.postLocation.mutate({ room: 'x', location: null })
      // @ts-expect-error: a row is a number
      void locations.postLocation.mutate({ room: 'x', location: { sheet: 'Q3', row: '4', col: 2 } })
      // @ts-expect-error: a cell has a column
      void locations.postLocation.mutate({ room: 'x', location: { sheet: 'Q3', row: 4 } })
      // @ts-expect-error: a cell has no z
      void locations.postLocation.mutate({ room: 'x', location: { sheet: 'Q3', row: 4, col: 2, z: 1 } })
      // @ts-expect-error: a post needs a location
      void locations.postLocation.mutate({ room: 'x' })
      // @ts-expect-error: a post has no memberId
      void locations.postLocation.mutate({ room: 'x', location: null, memberId: 'ada' })
      // @ts-expect-error: an activity is one of three words
      void locations.postLocation.mutate({ room: 'x', location: null, activity: 'asleep' })
      // @ts-expect-error: a profile has a name
      void locations.postLocation.mutate({ room: 'x', location: null, profile: {} })
      locations.onLocation.subscribe(
        { room: 'x' },
        {
          onData({ id, data }) {
            expectTypeOf(id).toEqualTypeOf<string>()
            expectTypeOf(data).toEqualTypeOf<LocationEvent<RoomTypesWith<{ location: CellLocation }>>>()
          },
        },
      )
    })
  })
})

describe('a schema', () => {
  test('a schema of zod or zod/mini gives the hub its types', () => {
    const classic = createLocationHub({ location: z.object({ x: z.number(), note: z.string().optional() }) })
    expectTypeOf(classic).toEqualTypeOf<
      LocationHub<RoomTypesWith<{ location: { x: number; note?: string | undefined } }>>
    >()
    const small = createLocationHub({
      location: mini.object({ x: mini.number() }),
      profile: mini.object({ nick: mini.string() }),
    })
    expectTypeOf(small).toEqualTypeOf<
      LocationHub<RoomTypesWith<{ location: { x: number }; profile: { nick: string } }>>
    >()
    const either = createLocationHub({ location: z.discriminatedUnion('kind', [z.object({ kind: z.literal('a') }), z.object({ kind: z.literal('b'), n: z.int() })]) }) // prettier-ignore
    expectTypeOf(either).toEqualTypeOf<
      LocationHub<RoomTypesWith<{ location: { kind: 'a' } | { kind: 'b'; n: number } }>>
    >()
  })

  test('a schema that transforms values does not compile, with an explanation, and is refused at run time', () => {
    expect(() =>
      // @ts-expect-error: a location, profile or presence schema must not transform
      createLocationHub({ location: z.object({ row: z.string().transform(Number) }) }),
    ).toThrow(LocationError)
    expect(() =>
      // @ts-expect-error: use .optional() instead of .default()
      createLocationHub({ location: z.object({ row: z.number().default(0) }) }),
    ).toThrow(/\.optional\(\)/)
    expect(() =>
      // @ts-expect-error: a profile schema must not transform values
      createLocationHub({ location: cellLocation, profile: z.object({ name: z.string().transform(Number) }) }),
    ).toThrow(LocationError)
    expect(() =>
      // @ts-expect-error: a date is not JSON
      createLocationHub({ location: z.object({ at: z.date() }) }),
    ).toThrow(LocationError)
    expect(() =>
      // @ts-expect-error: a map is not JSON, at any depth of a schema
      createLocationHub({ location: z.object({ a: z.array(z.object({ b: z.map(z.string(), z.string()) })) }) }),
    ).toThrow(LocationError)
    unrun(() => [
      createLocationHub({ location: z.json() }),
      createLocationHub({ location: z.any() }),
      createLocationHub({ location: z.object({ list: z.array(z.string()), more: z.record(z.string(), z.unknown()) }) }),
    ])
    // @ts-expect-error: a location schema is required
    expect(() => createLocationHub({})).toThrow('`location` must be a zod 4 schema and is missing')
    // @ts-expect-error: JSON Schema is not a zod schema
    expect(() => createLocationHub({ location: { type: 'string' } })).toThrow('`location` must be a zod 4 schema: ')
    type Refused = Parameters<typeof createLocationHub<z.ZodDefault<z.ZodNumber>>>[0]['location']
    expectTypeOf<Refused>().toExtend<{
      error: 'a location, profile or presence schema must not transform: use .optional() instead of .default()'
    }>()
  })
})

test('a compiler that misses an access option names `identify` first, never only `anonymous`', () => {
  const folder = mkdtempSync(join(root, 'test/types/.access-'))
  const source = `import { cellLocation } from 'hereabouts'
import { createLocationServer } from 'hereabouts/server/standalone'
createLocationServer({ location: cellLocation })
createLocationServer({ location: cellLocation, authorize: () => true })
`
  try {
    writeFileSync(join(folder, 'app.ts'), source)
    writeFileSync(
      join(folder, 'tsconfig.json'),
      JSON.stringify({ extends: '../../../tsconfig.json', include: ['app.ts'] }),
    )
    const said = compile(folder)
    expect(said.match(/error TS/g)).toHaveLength(2)
    expect(said).toMatch(/missing the following properties from type '.*': identify, authorize/)
    expect(said).toContain("Property 'identify' is missing")
    expect(said).not.toContain("Property 'anonymous' is missing")
  } finally {
    rmSync(folder, { recursive: true })
  }
}, 60_000)

// These schemas compile although they change values. The hub refuses them at run time.
test.for([
  ['coerces', z.object({ row: z.coerce.number<number>() })],
  ['catches', z.object({ row: z.number().catch(0) })],
  ['overwrites', z.object({ sheet: z.string().trim() })],
  [
    'decodes',
    z.object({ sheet: z.codec(z.string(), z.string(), { decode: (text) => `${text}!`, encode: (text) => text }) }),
  ],
  ['preprocesses', z.object({ sheet: z.preprocess(String, z.string()) })],
] as const)('a schema that compiles but %s values is refused when the hub is created', ([, location]) => {
  expect(() => createLocationHub({ location: location as z.ZodType<object, object> })).toThrow(LocationError)
})

describe('identify, authorize and anonymous', () => {
  test('a server requires `identify` with `authorize`, or `anonymous: true`', () => {
    expect(() =>
      // @ts-expect-error: neither identify nor anonymous
      createLocationServer({ location: cellLocation }),
    ).toThrow(/anonymous: true/)
    expect(() =>
      // @ts-expect-error: identify without authorize
      createLocationServer({ location: cellLocation, identify: () => ({ memberId: 'ada' }) }),
    ).toThrow(/authorize/)
    expect(() =>
      // @ts-expect-error: anonymous is true or absent
      createLocationServer({ location: cellLocation, anonymous: false }),
    ).toThrow(/anonymous: true/)
    unrun(() => {
      createLocationServer({ location: cellLocation, anonymous: true })
      // @ts-expect-error: anonymous excludes identify
      createLocationServer({ location: cellLocation, anonymous: true, identify: () => ({ memberId: 'ada' }) })
      // @ts-expect-error: a router needs identify or anonymous as well
      createLocationRouter({ hub, procedure: t.procedure })
      // @ts-expect-error: identify without authorize
      createLocationRouter({ hub, procedure: t.procedure, identify: () => ({ memberId: 'ada' }) })
    })
  })

  test('`identify` and `authorize` receive the context type of the given procedure', () => {
    const narrowed = t.procedure.use(({ next }) => next({ ctx: { session: { id: 7 } } }))
    createLocationRouter({
      hub,
      procedure: narrowed,
      identify({ ctx }) {
        expectTypeOf(ctx.user).toEqualTypeOf<string>()
        expectTypeOf(ctx.session).toEqualTypeOf<{ id: number }>()
        return { memberId: ctx.user, profile: { name: ctx.user }, expiresAt: new Date() }
      },
      authorize({ ctx, member, room, action }) {
        expectTypeOf(ctx.session.id).toEqualTypeOf<number>()
        expectTypeOf(member).toEqualTypeOf<{ memberId: string; profile: MemberProfile | null }>()
        expectTypeOf(room).toEqualTypeOf<string>()
        expectTypeOf(action).toEqualTypeOf<'read' | 'post'>()
        return Promise.resolve(true)
      },
    })
    unrun(() =>
      createLocationServer({
        location: cellLocation,
        identify({ ctx }) {
          expectTypeOf(ctx).toEqualTypeOf<ServerContext>()
          return { memberId: ctx.ip }
        },
        authorize: ({ member, room }) => room === member.memberId,
      }),
    )
  })

  test('`identify` must return a profile of the schema and a Date, and `authorize` a boolean', () => {
    unrun(() => {
      createLocationServer({
        location: cellLocation,
        // @ts-expect-error: a profile has a name
        identify: () => ({ memberId: 'ada', profile: { nick: 'Ada' } }),
        authorize: () => true,
      })
      createLocationServer({
        location: cellLocation,
        profile: z.object({ nick: z.string() }),
        identify: () => ({ memberId: 'ada', profile: { nick: 'Ada' } }),
        authorize: () => true,
      })
      createLocationServer({
        location: cellLocation,
        // @ts-expect-error: expiresAt is a Date
        identify: () => ({ memberId: 'ada', expiresAt: 5_000 }),
        authorize: () => true,
      })
      createLocationServer({
        location: cellLocation,
        identify: () => ({ memberId: 'ada' }),
        // @ts-expect-error: authorize returns a boolean
        authorize: () => 'yes',
      })
    })
  })
})

describe('a room of the hub', () => {
  test('a room of the hub accepts posts that match its schemas', () => {
    unrun(() => {
      void hub.room('x').post({ memberId: 'bot', location: { sheet: 'Q3', row: 1, col: 1 } })
      void hub.room('x').post({ memberId: 'bot', location: null, profile: { name: 'Bot' } })
      // @ts-expect-error: the location is not a cell
      void hub.room('x').post({ memberId: 'bot', location: { x: 1, y: 2 } })
      // @ts-expect-error: the profile has no name
      void hub.room('x').post({ memberId: 'bot', location: null, profile: { title: 'Bot' } })
    })
    expectTypeOf(hub.room('x').members()).resolves.toEqualTypeOf<
      readonly RoomMember<RoomTypesWith<{ location: CellLocation }>>[]
    >()
  })
})

describe('serveLocations', () => {
  test('serveLocations defaults to cell locations and anonymous callers', () => {
    unrun(async () => {
      const usual = await serveLocations()
      expectTypeOf(usual.hub).toEqualTypeOf<LocationHub<RoomTypesWith<{ location: CellLocation }>>>()
      const points = await serveLocations({ location: pointLocation, timing: { scale: 1 / 50 } })
      expectTypeOf(points.hub).toEqualTypeOf<LocationHub<RoomTypesWith<{ location: PointLocation }>>>()
      const known = await serveLocations({
        identify: ({ ctx }) => ({ memberId: ctx.ip }),
        authorize: ({ member }) => !!member,
      })
      expectTypeOf(known.url).toEqualTypeOf<string>()
      // @ts-expect-error: identify without authorize
      await serveLocations({ identify: () => ({ memberId: 'ada' }) })
      // @ts-expect-error: a schema that transforms
      await serveLocations({ location: z.string().transform(Number) })
    })
  })
})

describe('the schema types of the package root', () => {
  test('the schema types of the package root let an app write a generic function over schemas', () => {
    const hubOf = <S extends Schema>(location: S & Unchanged<S>): LocationHub<RoomTypesWith<{ location: Out<S> }>> =>
      createLocationHub<S>({ location })
    expectTypeOf(hubOf(pointLocation)).toEqualTypeOf<LocationHub<RoomTypesWith<{ location: PointLocation }>>>()
    expectTypeOf<Out<typeof cellLocation>>().toEqualTypeOf<CellLocation>()
  })
})
