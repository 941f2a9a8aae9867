import { LocationError } from 'hereabouts'
import { describe, expect, test, vi } from 'vitest'
import type { Access } from '../../../src/server/access/access-types.js'
import { Gate, type GateOptions } from '../../../src/server/access/gate.js'
import { silentLogger } from '../../../src/server/options/logger.js'
import { manualClock } from '../../../src/testing/manual-clock.js'

async function parseProfile(value: unknown) {
  if (typeof value !== 'object') throw new LocationError('bad-input', 'A profile is an object.')
  return { json: JSON.stringify(value), value }
}

function gateOf(access: Partial<Access<string, unknown>>, own: Partial<GateOptions> = {}) {
  const clock = manualClock()
  const options = { clock, logger: silentLogger, hookMs: 5_000, recheckMs: 60_000, parseProfile, ...own }
  return { clock, gate: new Gate(access as Access<string, unknown>, options) }
}
const ada = { memberId: 'ada', scope: null, profile: undefined, expiresAt: null }

describe('identify()', () => {
  test("identify() returns the caller's identity from the context", async () => {
    const { clock, gate } = gateOf({
      identify: ({ ctx }) => ({
        memberId: ctx,
        profile: { name: 'Ada' },
        expiresAt: new Date(clock.date().getTime() + 1),
      }),
      authorize: () => true,
    })
    expect(await gate.caller('ada')).toEqual({
      memberId: 'ada',
      scope: null,
      profile: { json: '{"name":"Ada"}', value: { name: 'Ada' } },
      expiresAt: new Date(clock.date().getTime() + 1),
    })
  })

  test('a call whose memberId from identify() has an invisible character is `misconfigured`, names the character and is logged once', async () => {
    const error = vi.fn()
    const { gate } = gateOf(
      { identify: () => ({ memberId: 'a\u202eb' }), authorize: () => true },
      { logger: { ...silentLogger, error } },
    )
    for (let i = 0; i < 3; i++)
      await expect(gate.caller('x')).rejects.toMatchObject({
        code: 'misconfigured',
        message: expect.stringContaining('memberId must not contain U+202E') as string,
      })
    expect(error).toHaveBeenCalledTimes(1)
  })

  test('a memberId that identify() returns is converted to Unicode normal form C', async () => {
    const { gate } = gateOf({ identify: () => ({ memberId: 'Jose\u0301' }), authorize: () => true })
    expect(await gate.caller('x')).toMatchObject({ memberId: 'José' })
  })

  test('when the schema refuses the profile that identify() returned, the caller is identified without a profile', async () => {
    const { gate } = gateOf({ identify: () => ({ memberId: 'ada', profile: 'too long' }), authorize: () => true })
    expect(await gate.caller('x')).toMatchObject({ memberId: 'ada', profile: { json: 'null' } })
  })

  test.each([
    ['null', () => null, 'unauthorized'],
    ['an expired identity', () => ({ memberId: 'ada', expiresAt: new Date(0) }), 'unauthorized'],
    ['an invisible memberId', () => ({ memberId: '\u200b' }), 'misconfigured'],
    ['a memberId that is not a string', () => ({ memberId: 7 }), 'misconfigured'],
    ['a scope that is not a string', () => ({ memberId: 'ada', scope: 7 }), 'misconfigured'],
    ['a scope too long for a key', () => ({ memberId: 'ada', scope: 'x'.repeat(257) }), 'misconfigured'],
    ['an invalid date', () => ({ memberId: 'ada', expiresAt: new Date(NaN) }), 'misconfigured'],
  ])('a call is refused when identify() returns %s', async (_what, identify, code) => {
    const { gate } = gateOf({ identify: identify as never, authorize: () => true })
    await expect(gate.caller('x')).rejects.toMatchObject({ code })
  })

  test.each(['memberId', 'profile', 'expiresAt', 'scope'])(
    'a call whose identify() returns an object whose %s cannot be read is answered `misconfigured`, which is logged once',
    async (field) => {
      const error = vi.fn()
      const cause = new Error('the password is swordfish')
      const identity = Object.defineProperty({ memberId: 'ada' }, field, {
        get() {
          throw cause
        },
      })
      const access = { identify: () => identity, authorize: () => true }
      const { gate } = gateOf(access, { logger: { ...silentLogger, error } })
      const refusal = { code: 'misconfigured', message: 'identify() returned an invalid identity: reading it threw.', cause } // prettier-ignore
      for (let i = 0; i < 3; i++) await expect(gate.caller('x')).rejects.toMatchObject(refusal)
      expect(error).toHaveBeenCalledTimes(1)
    },
  )

  test('identify() may return an object with getters: each field is read once', async () => {
    let reads = 0
    const identity = {
      get memberId() {
        return reads++ === 0 ? 'ada' : (7 as never)
      },
    }
    const { gate } = gateOf({ identify: () => identity, authorize: () => true })
    expect(await gate.caller('x')).toMatchObject({ memberId: 'ada' })
    expect(reads).toBe(1)
  })

  test('a call whose identify() throws is answered `unauthorized`, with the error as the cause', async () => {
    const cause = new Error('bad token')
    const { gate } = gateOf({ identify: () => Promise.reject(cause), authorize: () => true })
    await expect(gate.caller('x')).rejects.toMatchObject({ code: 'unauthorized', cause })
  })

  test('a TRPCError that identify() throws is passed on unchanged', async () => {
    const own = Object.assign(new Error('Pay first'), { name: 'TRPCError' })
    const { gate } = gateOf({ identify: () => Promise.reject(own), authorize: () => true })
    await expect(gate.caller('x')).rejects.toBe(own)
  })

  test('a call whose identify() hangs is answered `unavailable` after five seconds', async () => {
    const { clock, gate } = gateOf({ identify: () => new Promise<never>(() => {}), authorize: () => true })
    const asked = gate.caller('x').catch((error: unknown) => error)
    await clock.advance(5_000)
    expect(await asked).toMatchObject({ code: 'unavailable' })
  })
})

describe('authorize()', () => {
  test('authorize() is called at most once a minute for calls with the same member, room and action', async () => {
    const authorize = vi.fn(() => true)
    const { clock, gate } = gateOf({ identify: () => ({ memberId: 'ada' }), authorize })
    for (let i = 0; i < 5; i++) await gate.admit('ctx', ada, 'r', 'post')
    expect(authorize).toHaveBeenCalledTimes(1)
    await gate.admit('ctx', ada, 'r', 'read')
    await gate.admit('ctx', ada, 'r2', 'post')
    await gate.admit('ctx', { ...ada, memberId: 'bob' }, 'r', 'post')
    expect(authorize).toHaveBeenCalledTimes(4)
    await clock.advance(60_000)
    await gate.admit('ctx', ada, 'r', 'post')
    expect(authorize).toHaveBeenCalledTimes(5)
  })

  test('authorize() is called separately for each scope of a member, and receives the scope', async () => {
    const authorize = vi.fn(({ scope }: { scope: string | null }) => scope === 'full')
    const { gate } = gateOf({ identify: ({ ctx }) => ({ memberId: 'ada', scope: ctx }), authorize })
    for (const [first, second] of [
      ['full', 'read-only'],
      ['read-only', 'full'],
    ] as const)
      // prettier-ignore
      for (const scope of [first, second, first])
        expect(
          await gate.admit('ctx', await gate.caller(scope), 'r', 'post').then(
            () => 'full',
            () => 'read-only',
          ),
        ).toBe(scope)
    expect(authorize).toHaveBeenCalledTimes(2)
    gate.forget('ada')
    await gate.admit('ctx', await gate.caller('full'), 'r', 'post')
    expect(authorize).toHaveBeenCalledTimes(3)
  })

  test('authorize() is called for every post and query when recheckMs is 0', async () => {
    const authorize = vi.fn(() => true)
    const { gate } = gateOf({ identify: () => ({ memberId: 'ada' }), authorize }, { recheckMs: 0 })
    for (let i = 0; i < 5; i++) await gate.admit('ctx', ada, 'r', i % 2 ? 'post' : 'read')
    expect(authorize).toHaveBeenCalledTimes(5)
  })

  test('at most 10,000 answers of authorize() are cached, however many members, scopes and rooms there are', async () => {
    const authorize = vi.fn(() => true)
    const { gate } = gateOf({ identify: () => ({ memberId: 'ada' }), authorize })
    for (let i = 0; i < 20_000; i++) await gate.admit('ctx', { ...ada, scope: `token ${i}` }, 'r', 'post')
    expect(gate.size).toBe(10_000)
  })

  test('authorize() is called despite a cached answer when a call demands a fresh check or the member was revoked', async () => {
    const authorize = vi.fn(() => true)
    const { gate } = gateOf({ identify: () => ({ memberId: 'ada' }), authorize })
    await gate.admit('ctx', ada, 'r', 'read')
    await gate.admit('ctx', ada, 'r', 'read', true)
    expect(authorize).toHaveBeenCalledTimes(2)
    gate.forget('ada')
    await gate.admit('ctx', ada, 'r', 'read')
    expect(authorize).toHaveBeenCalledTimes(3)
  })

  test('an answer that authorize() was asked for before a revocation, of whomever, is used once and not cached', async () => {
    const answers: ((isAllowed: boolean) => void)[] = []
    const authorize = vi.fn(() => new Promise<boolean>((resolve) => answers.push(resolve)))
    const { gate } = gateOf({ identify: () => ({ memberId: 'ada' }), authorize })
    for (const revoked of ['ada', 'bob']) {
      const asked = gate.admit('ctx', ada, 'r', 'read')
      gate.forget(revoked)
      answers.pop()!(true)
      await asked
      expect(gate.size).toBe(0)
    }
    const again = gate.admit('ctx', ada, 'r', 'read')
    answers.pop()!(false)
    await expect(again).rejects.toMatchObject({ code: 'forbidden' })
    expect(authorize).toHaveBeenCalledTimes(3)
  })

  test('a fresh answer of authorize() replaces the cached one', async () => {
    let isAllowed = true
    const { gate } = gateOf({ identify: () => ({ memberId: 'ada' }), authorize: () => isAllowed })
    await gate.admit('ctx', ada, 'r', 'read')
    isAllowed = false
    await expect(gate.admit('ctx', ada, 'r', 'read', true)).rejects.toMatchObject({ code: 'forbidden' })
    await expect(gate.admit('ctx', ada, 'r', 'read')).rejects.toMatchObject({ code: 'forbidden' })
  })

  test('a revocation drops the cached answers of that member in all rooms, and of no other member', async () => {
    const { gate } = gateOf({ identify: () => ({ memberId: 'ada' }), authorize: () => true })
    for (const memberId of ['ada', 'bob'])
      for (const room of ['a', 'b']) await gate.admit('ctx', { ...ada, memberId }, room, 'post')
    gate.forget('ada')
    expect(gate.size).toBe(2)
  })

  test('authorize() gets the context, the member with a frozen profile, the scope, the room and the action', async () => {
    const authorize = vi.fn((_options: unknown) => true)
    const { gate } = gateOf({ identify: () => ({ memberId: 'ada' }), authorize })
    const profile = { json: '{"name":"Ada"}', value: { name: 'Ada' } }
    await gate.admit('ctx', { ...ada, scope: 'full', profile }, 'r', 'post')
    const [[given]] = authorize.mock.calls as [[{ member: { profile: object } }]]
    expect(given).toEqual({
      ctx: 'ctx',
      member: { memberId: 'ada', profile: { name: 'Ada' } },
      scope: 'full',
      room: 'r',
      action: 'post',
    })
    expect([Object.isFrozen(given.member), Object.isFrozen(given.member.profile)]).toEqual([true, true])
  })

  test('anonymous callers are allowed everything without authorize(), and are asked for each call with it', async () => {
    await gateOf({ anonymous: true }).gate.admit('ctx', { ...ada, memberId: null }, 'r', 'post')
    const authorize = vi.fn(
      ({ member, action }: { member: null; action: string }) => member === null && action === 'read',
    )
    const { gate } = gateOf({ anonymous: true, authorize } as never)
    for (let i = 0; i < 3; i++) await gate.admit('ctx', { ...ada, memberId: null }, 'r', 'read')
    await expect(gate.admit('ctx', { ...ada, memberId: null }, 'r', 'post')).rejects.toMatchObject({
      code: 'forbidden',
    })
    expect([authorize.mock.calls.length, gate.size]).toEqual([4, 0])
  })

  test.each([
    ['false', false],
    ['nothing', undefined],
    ['a truthy string', 'yes'],
  ])('an action is refused when authorize() returns %s', async (_what, answer) => {
    const { gate } = gateOf({ identify: () => ({ memberId: 'ada' }), authorize: () => answer as never })
    await expect(gate.admit('ctx', ada, 'r', 'read')).rejects.toMatchObject({ code: 'forbidden' })
  })

  test('an action whose authorize() throws, or hangs for five seconds, is answered `unavailable`', async () => {
    const throwing = gateOf({ identify: () => ({ memberId: 'ada' }), authorize: () => Promise.reject(new Error('db')) })
    await expect(throwing.gate.admit('ctx', ada, 'r', 'read')).rejects.toMatchObject({ code: 'unavailable' })
    const hanging = gateOf({ identify: () => ({ memberId: 'ada' }), authorize: () => new Promise<never>(() => {}) })
    const asked = hanging.gate.admit('ctx', ada, 'r', 'read').catch((error: unknown) => error)
    await hanging.clock.advance(5_000)
    expect(await asked).toMatchObject({ code: 'unavailable' })
  })

  test('two pairs of member and room whose concatenated names are equal do not share a cached answer of authorize()', async () => {
    const { gate } = gateOf({
      identify: () => ({ memberId: 'x' }),
      authorize: ({ room }: { room: string }) => room === 'b',
    })
    await gate.admit('ctx', { ...ada, memberId: 'a"' }, 'b', 'read')
    await expect(gate.admit('ctx', { ...ada, memberId: 'a' }, '","b', 'read')).rejects.toMatchObject({
      code: 'forbidden',
    })
  })
})

describe('a thenable that is not a promise', () => {
  test('a thenable that identify() returns is awaited for at most five seconds, and its error is hidden from the caller', async () => {
    // oxlint-disable-next-line unicorn/no-thenable
    const thenable = { then: (_: unknown, reject: (error: Error) => void) => reject(new Error('secret')) }
    const { gate } = gateOf({ identify: () => thenable as never, authorize: () => true })
    await expect(gate.caller('x')).rejects.toMatchObject({ code: 'unauthorized' })
    // oxlint-disable-next-line unicorn/no-thenable
    const hanging = gateOf({ identify: () => ({ then: () => {} }) as never, authorize: () => true })
    const asked = hanging.gate.caller('x').catch((error: unknown) => error)
    await hanging.clock.advance(5_000)
    expect(await asked).toMatchObject({ code: 'unavailable' })
  })
})

describe('the access options', () => {
  test('access options with both anonymous and identify are `misconfigured`', () => {
    expect(() => gateOf({ anonymous: true, identify: () => ({ memberId: 'ada' }) } as never)).toThrow(
      expect.objectContaining({ code: 'misconfigured' }),
    )
  })

  test('access options with neither anonymous: true nor identify, or with identify but no authorize, are `misconfigured`', () => {
    expect(() => gateOf({})).toThrow(LocationError)
    expect(() => gateOf({ identify: () => ({ memberId: 'ada' }) })).toThrow(
      expect.objectContaining({ code: 'misconfigured' }),
    )
  })

  test('with anonymous: true, every caller may do everything, or only what authorize() allows if it is given', async () => {
    const { gate } = gateOf({ anonymous: true })
    const nobody = await gate.caller('ctx')
    expect(nobody).toEqual({ memberId: null, scope: null, profile: undefined, expiresAt: null })
    await gate.admit('ctx', nobody, 'r', 'post')
    const closed = gateOf({ anonymous: true, authorize: ({ room }) => room === 'lobby' })
    await closed.gate.admit('ctx', nobody, 'lobby', 'post')
    await expect(closed.gate.admit('ctx', nobody, 'vault', 'read')).rejects.toMatchObject({ code: 'forbidden' })
  })
})
