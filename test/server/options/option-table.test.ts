import { EventEmitter } from 'node:events'
import { initTRPC } from '@trpc/server'
import { cellLocation } from 'hereabouts'
import {
  createLocationHub,
  createLocationMiddleware,
  createLocationRouter,
  createRequestGuard,
  silentLogger,
  type Limits,
  type TimingOptions,
} from 'hereabouts/server'
import { createLocationWebSocketHandler } from 'hereabouts/server/websocket'
import { prometheusMetrics } from 'hereabouts/server/prometheus'
import { createLocationServer } from 'hereabouts/server/standalone'
import { pino } from 'pino'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { defaultLimits } from '../../../src/server/options/limits.js'
import { defaultTiming } from '../../../src/server/options/timing.js'
import { tables, type Row } from './option-table.js'

/*
 * An option of the server whose value would silently match nothing, or too much, is refused when the server is created.
 * option-table.ts lists such values, and test/house/options.test.ts finds options that are missing from this list.
 */

const t = initTRPC.create()
const hub = createLocationHub({ location: cellLocation })
const router = t.router({ locations: createLocationRouter({ hub, procedure: t.procedure, anonymous: true }) })

/** Functions that call each constructor with working options, some of which the test replaces. */
const constructors: Record<keyof typeof tables, (options: object) => unknown> = {
  createLocationServer: (options) => createLocationServer({ location: cellLocation, anonymous: true, ...options }),
  createLocationHub: (options) => createLocationHub({ location: cellLocation, ...options }),
  createLocationRouter: (options) =>
    createLocationRouter({ hub, procedure: t.procedure, anonymous: true, ...options } as never),
  createLocationMiddleware: (options) => createLocationMiddleware({ router, ...options } as never),
  createLocationWebSocketHandler: (options) =>
    createLocationWebSocketHandler({
      ...(!('wss' in options) && { server: new EventEmitter() }),
      router,
      ...options,
    } as never),
  createRequestGuard: (options) => createRequestGuard(options),
  prometheusMetrics: (options) => prometheusMetrics(options),
}

const refusal = (message: string) =>
  expect.objectContaining({ code: 'misconfigured', message: expect.stringContaining(message) }) as Error

describe.each(Object.entries(constructors))('%s', (name, construct) => {
  const rows: Row[] = tables[name as keyof typeof tables]

  test.each(rows)('the option %s is refused as `misconfigured` with the value %o', (option, value, message) => {
    expect(() => construct({ [option]: value })).toThrow(refusal(message))
    expect(() => construct({ [option]: value })).toThrow(refusal(option))
  })

  test('an unknown option is refused, and the error message names it', () => {
    expect(() => construct({ orgins: [] })).toThrow(refusal(`Unknown option orgins of ${name}. Leave it out.`))
    expect(() => construct({ constructor: 5 })).toThrow(refusal('Unknown option constructor'))
  })

  test('an option that is undefined counts as left out', () => {
    const undefinedOptions = Object.fromEntries(rows.map(([option]) => [option, undefined]))
    const needed = ['location', 'hub', 'procedure', 'router', 'anonymous', 'server', 'wss']
    for (const option of needed) delete undefinedOptions[option]
    expect(() => construct({ ...undefinedOptions, orgins: undefined })).not.toThrow()
  })
})

/** The durations of which 0 says something that is not the same as another option. */
const mayBeZero = new Set<string>(['leaseMinMs', 'closedMs', 'graceMaxMs', 'claimMs', 'drainMs', 'recheckMs', 'postMs', 'presenceMs', 'frameMinMs']) // prettier-ignore

describe('the numbers of limits and timing', () => {
  const wrong = [-1, Number.NaN, '5', null, true, {}]
  const rangeOf = (name: string) =>
    name === 'depth' ? 'of 0 or more' : /Per(Second|Minute)$/.test(name) ? 'above 0' : 'of 1 or more'
  const largest = (name: string) => (name === 'depth' ? '100 for the largest value' : 'Infinity for no limit')
  test.each(Object.keys(defaultLimits) as (keyof Limits)[])(
    'a value in limits that is not a number of its range is refused: %s',
    (name) => {
      for (const value of wrong)
        expect(() => constructors.createLocationHub({ limits: { [name]: value } })).toThrow(
          refusal(
            `limits.${name} must be a number ${rangeOf(name)}. Leave it out for the default, or write ${largest(name)}.`,
          ),
        )
    },
  )

  test.each([...Object.keys(defaultTiming), 'scale'] as (keyof TimingOptions)[])(
    'a value in timing that is not a number of its range is refused: %s',
    (name) => {
      for (const value of wrong)
        expect(() => constructors.createLocationHub({ timing: { [name]: value } })).toThrow(
          refusal(
            `timing.${name} must be a number ${mayBeZero.has(name) ? 'of 0 or more' : 'above 0'}. Leave it out for the default`,
          ),
        )
    },
  )

  test.each(Object.keys(defaultLimits) as (keyof Limits)[])('a limit of 0 is refused, except a depth: %s', (name) => {
    const construct = (value: number) => () => constructors.createLocationHub({ limits: { [name]: value } })
    if (name === 'depth') expect(construct(0)).not.toThrow()
    else expect(construct(0)).toThrow(refusal(`limits.${name} must be a number ${rangeOf(name)}`))
    // Half a call at once would let twice as many calls through as the rate says.
    if (rangeOf(name) === 'of 1 or more') expect(construct(0.5)).toThrow(refusal(`limits.${name}`))
    else expect(construct(0.5)).not.toThrow()
    expect(construct(1)).not.toThrow()
    if (name !== 'depth') expect(construct(Infinity)).not.toThrow()
  })

  test.each([...Object.keys(defaultTiming), 'scale'])(
    'a duration of 0 is refused unless it has a meaning: %s',
    (name) => {
      const construct = () => constructors.createLocationHub({ timing: { [name]: 0 } })
      if (mayBeZero.has(name)) expect(construct).not.toThrow()
      else expect(construct).toThrow(refusal(`timing.${name} must be a number above 0`))
    },
  )

  test.each(Object.keys(defaultTiming))(
    'a value in timing above 2147483647 ms, the longest time of a timer, is refused: %s',
    (name) => {
      for (const value of [2 ** 31, Infinity])
        expect(() => constructors.createLocationHub({ timing: { [name]: value } })).toThrow(
          refusal(`timing.${name} is ${value}: it must be at most 2147483647.`),
        )
    },
  )

  // sweepMs of 2 ** 31 - 1 once took 4 GB of memory: one slot of a ring for each turn until the next sweep.
  test.each([
    { requestMs: 20_001 },
    { requestMs: 2 ** 31 - 1 },
    { scale: 1 / 3 },
    { scale: 3_579 },
    { sweepMs: 2 ** 31 - 1 },
    { sweepMs: 1e-9 },
    { beatMs: 2 ** 31 - 1 },
    { beatMs: 1e-9 },
  ])('a server takes fractions and extreme durations as timing: %o', async (timing) => {
    const server = createLocationServer({ location: cellLocation, anonymous: true, timing, logger: silentLogger })
    expect(server.hub.health()).toBe('ready')
    await server.close()
  })

  test.each([
    ['limits', { post: 5 }, 'Unknown option limits.post. Leave it out.'],
    ['limits', { depth: 101 }, 'limits.depth is 101: it must be at most 100.'],
    ['timing', { beat: 5 }, 'Unknown option timing.beat. Leave it out.'],
    ['timing', { scale: 3_580 }, 'timing.scale is 3580: it must be at most 3579.'],
    ['timing', { leaseMinMs: 9, leaseMaxMs: 8 }, 'timing.leaseMinMs is 9 and timing.leaseMaxMs is 8'],
    ['timing', { frameMinMs: 9, frameMaxMs: 8 }, 'timing.frameMinMs is 9 and timing.frameMaxMs is 8'],
  ])('the option %s with the value %o is refused as `misconfigured`', (option, value, message) => {
    expect(() => constructors.createLocationHub({ [option]: value })).toThrow(refusal(message))
    expect(() => constructors.createLocationServer({ [option]: value })).toThrow(refusal(message))
  })
})

describe('missing and conflicting options', () => {
  test.each([
    ['createLocationHub without location', () => createLocationHub({} as never), '`location` must be a zod 4 schema and is missing'],
    ['createLocationHub without options', () => createLocationHub(undefined as never), 'createLocationHub needs an object'],
    ['createLocationServer without options', () => createLocationServer(undefined as never), 'createLocationServer needs an object'],
    ['createLocationServer without identify, authorize and anonymous', () => createLocationServer({ location: cellLocation } as never), 'Pass identify() and authorize()'],
    ['createLocationRouter without options', () => createLocationRouter(undefined as never), 'createLocationRouter needs an object'],
    ['createLocationRouter without hub', () => createLocationRouter({ procedure: t.procedure, anonymous: true } as never), 'needs hub and procedure'],
    ['createLocationRouter without procedure', () => createLocationRouter({ hub, anonymous: true } as never), 'needs hub and procedure'],
    ['createLocationRouter with anonymous and identify', () => constructors.createLocationRouter({ identify: () => ({}) }), 'Pass identify() and authorize()'],
    ['createLocationMiddleware without router', () => createLocationMiddleware({} as never), 'createLocationMiddleware needs router'],
    ['createRequestGuard with a path that has no location procedures', () => createRequestGuard({ router, path: 'other' }), 'no location procedures at path "other"'],
    ['createRequestGuard with a limit of 0', () => createRequestGuard({ limits: { batch: 0 } }), 'limits.batch must be a number of 1 or more'],
    ['createRequestGuard with an unknown limit', () => createRequestGuard({ limits: { posts: 5 } as never }), 'Unknown option limits.posts'],
    ['createRequestGuard with a depth that overflows the stack', () => createRequestGuard({ limits: { depth: 1e6 } }), 'limits.depth is 1000000'],
  ])('missing or conflicting options are refused as `misconfigured`: %s', (_what, construct, message) => expect(construct).toThrow(refusal(message))) // prettier-ignore
})

test('console and winston are accepted as logger, and a pino logger is refused with the advice to use pinoLogger()', () => {
  expect(() => constructors.createLocationHub({ logger: console })).not.toThrow()
  const winston = Object.assign(() => {}, { info() {}, warn() {}, error() {} })
  expect(() => constructors.createLocationHub({ logger: winston })).not.toThrow()
  expect(() => constructors.createLocationHub({ logger: pino({ enabled: false }) })).toThrow(
    refusal('pinoLogger(pino)'),
  )
})

test('createLocationServer and createLocationMiddleware accept valid values of many options together', () => {
  const options = { profile: z.strictObject({ nick: z.string() }), limits: {}, timing: {}, static: 'dist', compress: true, keepAliveMs: 5_000, clientIp: () => undefined, origins: [], allowedHosts: [] } // prettier-ignore
  expect(() => constructors.createLocationServer(options)).not.toThrow()
  const trpc = { requestGuard: false, createContext: async () => ({}), maxBodySize: 1, compress: false, middleware: () => {}, onError() {}, responseMeta: () => ({}), batching: { enabled: true }, allowBatching: true, allowMethodOverride: true, maxBatchSize: 5 } // prettier-ignore
  expect(() => constructors.createLocationMiddleware(trpc)).not.toThrow()
})
