import { initTRPC } from '@trpc/server'
import { cellLocation } from 'hereabouts'
import { createLocationHub, createLocationRouter } from 'hereabouts/server'
import { manualClock } from 'hereabouts/testing'
import { describe, expect, test } from 'vitest'
import { Hub } from '../../../src/server/hub/hub.js'

/* Tests which calls run authorize(), and which use an answer that is cached for at most recheckMs. */

const recheckMs = 60_000
const location = { sheet: 'Q3', row: 0, col: 0 }

/** Procedures whose authorize() records the action of each call, and refuses the actions in `denied`. */
function stage() {
  const clock = manualClock()
  const hub = createLocationHub({ location: cellLocation, clock, timing: { beatMs: 10_000, recheckMs } })
  if (!(hub instanceof Hub)) throw new TypeError('createLocationHub makes a Hub')
  const t = initTRPC.create()
  const asked: string[] = []
  const denied = new Set<string>()
  const router = createLocationRouter({
    hub,
    procedure: t.procedure,
    identify: () => ({ memberId: 'ada' }),
    authorize({ action, room }) {
      asked.push(action)
      return !denied.has(`${action} ${room}`)
    },
  })
  const caller = t.createCallerFactory(t.router(router))({})
  const done = async <T>(call: Promise<T>): Promise<T> => {
    await Promise.race([call.catch(() => {}), clock.advance(100)])
    return call
  }
  const calls = {
    post: () => done(caller.postLocation({ room: 'r', location, connectionKey: 'k'.repeat(22) })),
    query: () => done(caller.getLocations({ room: 'r' })),
    count: () => done(caller.countMembers({ rooms: ['r'] })),
    stream: () => done(caller.onLocation({ room: 'r' })),
  }
  const questions = async (call: () => Promise<unknown>) => {
    asked.length = 0
    await call()
    return asked.join(' ')
  }
  return { clock, hub, denied, asked, calls, questions }
}

test('posts, queries and counts use a cached answer of authorize(), and every new stream runs authorize()', async () => {
  const { calls, questions } = stage()
  expect(await questions(calls.post)).toBe('post read')
  expect(await questions(calls.post)).toBe('')
  expect(await questions(calls.query)).toBe('')
  expect(await questions(calls.count)).toBe('')
  expect(await questions(calls.stream)).toBe('read')
  expect(await questions(calls.stream)).toBe('read')
  expect(await questions(calls.query)).toBe('')
})

test('a query runs authorize() again when the cached answer is older than recheckMs, and not before', async () => {
  const { clock, calls, questions } = stage()
  await calls.query()
  await clock.advance(recheckMs - 300)
  expect(await questions(calls.query)).toBe('')
  await clock.advance(300)
  expect(await questions(calls.query)).toBe('read')
})

test('a refusal and a permission of authorize() are both cached for recheckMs, after which a changed answer takes effect', async () => {
  const { clock, denied, calls } = stage()
  denied.add('post r')
  await expect(calls.post()).rejects.toMatchObject({ code: 'FORBIDDEN' })
  denied.clear()
  await expect(calls.post()).rejects.toMatchObject({ code: 'FORBIDDEN' })
  await clock.advance(recheckMs)
  await expect(calls.post()).resolves.toMatchObject({ outcome: 'applied' })
  denied.add('post r')
  await clock.advance(recheckMs)
  await expect(calls.post()).rejects.toMatchObject({ code: 'FORBIDDEN' })
})

test('a revoked right to read refuses the next stream at once, even while the right is still cached for queries', async () => {
  const { denied, calls } = stage()
  await calls.query()
  denied.add('read r')
  await expect(calls.query()).resolves.toBeDefined()
  await expect(calls.stream()).rejects.toMatchObject({ code: 'FORBIDDEN' })
})

test('an open stream runs authorize() again at the first heartbeat after recheckMs, and ends when authorize() refuses', async () => {
  const { clock, hub, denied, asked, calls } = stage()
  const events = (await calls.stream())[Symbol.asyncIterator]()
  await events.next()
  asked.length = 0
  await clock.advance(recheckMs - 1_000)
  expect(asked).toEqual([])
  await clock.advance(11_000)
  expect([asked, hub.streams.size]).toEqual([['read'], 1])
  denied.add('read r')
  await clock.advance(recheckMs + 10_000)
  expect(hub.streams.size).toBe(0)
})

test('hub.revoke() makes the next call of that member run authorize() again, and of no other member', async () => {
  const { hub, calls, questions } = stage()
  await calls.query()
  await hub.revoke('bob')
  expect(await questions(calls.query)).toBe('')
  await hub.revoke('ada')
  expect(await questions(calls.query)).toBe('read')
})

describe('a revocation while a call is carried out', () => {
  /** Procedures whose first authorize() is overtaken by a revocation. The answers are those of the test, in order. */
  function overtaken(answers: boolean[]) {
    const clock = manualClock()
    const hub = createLocationHub({ location: cellLocation, clock })
    if (!(hub instanceof Hub)) throw new TypeError('createLocationHub makes a Hub')
    const t = initTRPC.create()
    const asked: string[] = []
    const router = createLocationRouter({
      hub,
      procedure: t.procedure,
      identify: () => ({ memberId: 'ada' }),
      async authorize({ action }) {
        asked.push(action)
        if (asked.length === 1) await hub.revoke('ada')
        return answers.shift()!
      },
    })
    const caller = t.createCallerFactory(t.router(router))({})
    const settled = async (call: Promise<unknown>) => {
      const answer = call.then(
        () => 'ok',
        (error: { code: string }) => error.code,
      )
      for (let i = 0; i < 5; i++) await clock.advance(20)
      return answer
    }
    return { hub, caller, settled, asked }
  }

  test.each([
    [true, 'ok', 1],
    [false, 'FORBIDDEN', 0],
  ])(
    'a stream that was being opened is asked for again: the answer %s gives %s and %i streams',
    async (again, outcome, size) => {
      const { hub, caller, settled, asked } = overtaken([true, again])
      expect(await settled(caller.onLocation({ room: 'r' }))).toBe(outcome)
      expect([asked, hub.streams.size]).toEqual([['read', 'read'], size])
    },
  )

  test.each([
    [true, 'ok', 1],
    [false, 'FORBIDDEN', 0],
  ])(
    'a post that was being carried out is asked for again: the answer %s gives %s and %i members',
    async (again, outcome, members) => {
      const { hub, caller, settled, asked } = overtaken([true, again, true])
      const post = caller.postLocation({ room: 'r', location, connectionKey: 'k'.repeat(22) })
      expect(await settled(post)).toBe(outcome)
      expect(asked.slice(0, 2)).toEqual(['post', 'post'])
      expect(await hub.room('r').count()).toBe(members)
    },
  )
})
