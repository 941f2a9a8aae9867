import { LocationError, type LockLocationOutput } from 'hereabouts'
import { manualClock, serveLocations } from 'hereabouts/testing'
import { expect, onTestFinished, test } from 'vitest'
import { anonymousMemberIdOf, connectionIdOf } from '../../src/server/rules/ids.js'

/* The procedures `lockLocation` and `unlockLocation`, by plain HTTP. */

const keyOf = (name: string) => name.padEnd(22, '-')
const cell = (row: number) => ({ sheet: 'Q3', row, col: 1 })

async function served({ timing, ...options }: { timing?: object; [option: string]: unknown } = {}) {
  const clock = manualClock()
  // With 0, a new process does not first collect the claims of previous lock holders.
  const server = await serveLocations({
    locks: true,
    clock,
    ...options,
    timing: { claimMs: 0, frameMinMs: 0, ...timing },
  })
  onTestFinished(() => server.close())
  const call = async (procedure: string, input: object, headers = {}) => {
    const response = await fetch(`${server.url}/${procedure}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ room: 'r', ...input }),
    })
    const body = (await response.json()) as { result?: { data: unknown }; error?: { message: string } }
    return { status: response.status, data: body.result?.data as LockLocationOutput, message: body.error?.message }
  }
  const enter = (name: string, headers = {}) =>
    call('postLocation', { connectionKey: keyOf(name), location: null }, headers)
  const lock = (name: string, lockSeq: number, row = 1, own: object = {}) =>
    call('lockLocation', { connectionKey: keyOf(name), lockSeq, location: cell(row), ...own })
  return { ...server, clock, call, enter, lock }
}

test('a place that one connection has locked is answered `taken` to another until it is unlocked', async () => {
  const { enter, lock, call, hub } = await served()
  await enter('ada')
  await enter('bob')
  const { data } = await lock('ada', 1)
  expect(data).toEqual({ outcome: 'locked', fence: expect.any(Number) as number })
  const holder = { memberId: anonymousMemberIdOf(keyOf('ada')), connectionId: connectionIdOf(keyOf('ada')) }
  expect((await lock('bob', 1)).data).toEqual({ outcome: 'taken', holder })
  const fence = data.outcome === 'locked' ? data.fence : 0
  const room = hub.room('r')
  const memberId = holder.memberId
  expect(await room.isLocked({ location: cell(1), memberId, fence })).toBe(true)
  expect(await room.isLocked({ location: cell(1), memberId: 'bob', fence })).toBe(false)
  // Some databases return a large integer as text.
  const text = String(fence) as unknown as number
  const check = room.isLocked({ location: cell(1), memberId, fence: text })
  await expect(check).rejects.toMatchObject({ code: 'bad-input' })
  const unlock = { connectionKey: keyOf('ada'), location: cell(1), lockSeq: 2, fence }
  expect((await call('unlockLocation', unlock)).data).toEqual({ outcome: 'unlocked' })
  expect((await lock('bob', 2)).data).toMatchObject({ outcome: 'locked' })
  expect(await room.unlock(cell(1))).toBe(true)
  expect(await room.unlock(cell(1))).toBe(false)
})

test('in the first 5 seconds (claimMs) of a process no lock is granted, and `isLocked` rejects with `unavailable`', async () => {
  const { enter, lock, hub, clock } = await served({ timing: { claimMs: 5_000 } })
  await enter('ada')
  expect((await lock('ada', 1)).data).toEqual({ outcome: 'taken', holder: null, retryAfterMs: 5_000 })
  const check = hub.room('r').isLocked({ location: cell(1), memberId: 'ada', fence: 1 })
  await expect(check).rejects.toMatchObject({ code: 'unavailable' })
  await clock.advance(5_000)
  expect((await lock('ada', 2)).data).toMatchObject({ outcome: 'locked' })
})

test('hello lists lockMs and idleMs if the hub has locks, and no locks otherwise', async () => {
  const helloOf = async (options: { [option: string]: unknown }) => {
    const { hub } = await served(options)
    const plain = hub as unknown as {
      subscribe(room: string, options: object): Promise<{ take(): { event: object } | undefined }>
    }
    const recheck = async () => true
    const subscriber = await plain.subscribe('r', { connectionId: null, memberId: null, expiresAt: null, recheck })
    return subscriber.take()!.event
  }
  expect(await helloOf({})).toMatchObject({ features: ['used', 'locks'], locks: { lockMs: 30_000, idleMs: 120_000 } })
  const hello = await helloOf({ locks: { idleMs: 7_000 }, timing: { lockMs: 9_000 } })
  expect(hello).toMatchObject({ locks: { lockMs: 9_000, idleMs: 7_000 } })
  expect(await helloOf({ locks: false })).toMatchObject({ features: ['used'] })
  expect(await helloOf({ locks: false })).not.toHaveProperty('locks')
})

test('a hub without locks has neither the procedure lockLocation nor the method isLocked', async () => {
  const { enter, lock, hub } = await served({ locks: false })
  await enter('ada')
  expect((await lock('ada', 1)).status).toBe(404)
  expect('isLocked' in hub.room('r')).toBe(false)
})

test('a location above limits.lockBytes is not locked (413), and malformed lock input is refused with 400', async () => {
  const { enter, lock, call, hub } = await served({ limits: { lockBytes: 20 } })
  await enter('ada')
  expect(await lock('ada', 1)).toMatchObject({ status: 413, message: expect.stringContaining('limit is 20') as string })
  for (const own of [{ lockSeq: -1 }, { location: null }, { claim: 0.5 }, { takeOver: false }, { more: 1 }])
    expect(await lock('ada', 1, 1, own), JSON.stringify(own)).toMatchObject({ status: 400 })
  expect(await call('lockLocation', { location: cell(1), lockSeq: 1 })).toMatchObject({ status: 400 })
  await expect(hub.room('r').unlock({ sheet: 7 } as never)).rejects.toThrow(LocationError)
})

test('lockLocation and unlockLocation use the rate limit of posts, and need the right to post', async () => {
  const reader = { x: 'reader' }
  const guarded = await served({
    limits: { postsPerSecond: 1, postBurst: 3 },
    identify: ({ ctx }: { ctx: { headers: Headers } }) => ({ memberId: ctx.headers.get('x') ?? 'ada' }),
    authorize: ({ member, action }: { member: { memberId: string }; action: string }) =>
      member.memberId !== 'reader' || action === 'read',
  })
  await guarded.enter('ada')
  const input = { connectionKey: keyOf('ada'), location: cell(1), lockSeq: 1 }
  expect((await guarded.call('lockLocation', input, reader)).status).toBe(403)
  expect((await guarded.call('unlockLocation', { ...input, fence: 1 }, reader)).status).toBe(403)
  expect((await guarded.call('lockLocation', input, { x: 'eve' })).message).toContain('connection-owned')
  expect((await guarded.call('lockLocation', input)).data).toMatchObject({ outcome: 'locked' })
  expect((await guarded.call('unlockLocation', { ...input, fence: 1 })).status).toBe(200)
  expect((await guarded.call('lockLocation', input)).status).toBe(429)
  expect((await guarded.call('unlockLocation', { ...input, fence: 1 })).status).toBe(429)
})

test('lockLocation uses the rate limit of posts of each anonymous member', async () => {
  const { enter, lock } = await served({ limits: { postsPerSecond: 0.001, postBurst: 3 } })
  await enter('ada')
  expect((await lock('ada', 1)).status).toBe(200)
  expect((await lock('ada', 2)).status).toBe(200)
  expect((await lock('ada', 3)).status).toBe(429)
  await enter('bob')
  expect((await lock('bob', 1)).status).toBe(200)
})

test('`isLocked` accepts a member id in any Unicode normal form, and rejects one that is not text as bad-input', async () => {
  const name = 'Zo\u00eb'
  const { enter, lock, hub } = await served({
    identify: () => ({ memberId: name }),
    authorize: () => true,
  })
  await enter('zoe')
  const { data } = await lock('zoe', 1)
  const fence = data.outcome === 'locked' ? data.fence : 0
  const isLocked = (memberId: string) => hub.room('r').isLocked({ location: cell(1), memberId, fence })
  expect(await isLocked(name.normalize('NFD'))).toBe(true)
  await expect(isLocked(undefined as never)).rejects.toMatchObject({ code: 'bad-input' })
  await expect(
    hub.room('r').isLocked({ location: cell(2), memberId: undefined as never, fence }),
  ).rejects.toMatchObject({
    code: 'bad-input',
  })
})

test('a lock ends 30 seconds after the last post of its holder, even if the process stalled meanwhile', async () => {
  const { enter, lock, clock, hub } = await served()
  await enter('ada')
  await enter('bob')
  expect((await lock('ada', 1)).data).toMatchObject({ outcome: 'locked' })
  clock.stall(30_000)
  await enter('bob')
  expect(await hub.room('r').count()).toBe(2)
  expect((await lock('bob', 1)).data).toMatchObject({ outcome: 'locked' })
  expect((await lock('ada', 2)).data).toEqual({ outcome: 'absent' })
})
