import { describe, expect, test } from 'vitest'
import { firstLoad } from '../../../src/client/first-load.js'
import { wakeUp } from '../../../src/client/room/wake-up.js'
import { countedClock } from '../../support/counted-clock.js'
import { settled } from '../../support/servers/memory-server.js'

/** The wake-up code of a room whose connection, posts and server are played by the test. */
function sleeper({ state = 'live', answer = { id: 'epochepoch1.1' } }: { state?: string; answer?: unknown } = {}) {
  const clock = countedClock()
  const calls: string[] = []
  const call = (name: string) => () => void calls.push(name)
  let statusChanged: (change: object) => void = () => {}
  const parts = {
    room: 'r',
    transport: {
      clock,
      url: 'http://host/trpc',
      ask: (input: { lastEventId?: string }, deadlineMs: number) => {
        calls.push(`ask ${input.lastEventId} ${deadlineMs}`)
        return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer)
      },
    },
    store: {
      view: { id: 'epochepoch1.1' },
      on: (_: string, run: typeof statusChanged) => {
        statusChanged = run
      },
    },
    pace: { timing: { beatMs: 10_000 }, deadlineMs: () => 1_000, doubt: call('doubt') },
    presence: { hasten: call('hasten'), replace: call('replace') },
  }
  const connection = { link: { state }, hurry: call('hurry'), renew: call('renew') }
  const woken = wakeUp(parts as never, connection as never, firstLoad)
  const heard = async (changed: boolean) => {
    calls.length = 0
    woken(changed)
    await settled()
    await clock.advance(500)
    return calls
  }
  return { clock, calls, heard, woken, connection, statusChanged: (change: object) => statusChanged(change), parts }
}

const soft = ['hurry', 'hasten']
const test1 = 'ask epochepoch1.1 1000'

describe('a page that is looked at again', () => {
  test('a focus makes retries due, sends hanging posts again and tests a live stream', async () => {
    expect(await sleeper().heard(false)).toEqual([...soft, 'doubt', 'replace', test1])
  })

  test.each([
    ['another id', { id: 'epochepoch1.2' }],
    ['the answer of another server', null],
    ['no answer', new Error('gone')],
  ])('a focus replaces a live stream when the test shows %s', async (_, answer) => {
    expect((await sleeper({ answer }).heard(false)).at(-1)).toBe('renew')
  })

  test('a refusal of our server as the answer to the test keeps the stream', async () => {
    const answer = Object.assign(new Error('forbidden: No.'), { shape: {}, data: { httpStatus: 403 } })
    expect((await sleeper({ answer }).heard(false)).at(-1)).toBe(test1)
  })

  test('a stream that brings the change which the test showed is kept', async () => {
    const page = sleeper({ answer: { id: 'epochepoch1.2' } })
    page.woken(false)
    await settled()
    await page.clock.advance(499)
    expect(page.calls).not.toContain('renew')
    page.parts.store.view.id = 'epochepoch1.2'
    await page.clock.advance(1)
    expect(page.calls).not.toContain('renew')
  })

  test('a connection that has ended before the test is over is not opened again', async () => {
    const page = sleeper({ answer: new Error('gone') })
    page.woken(false)
    await settled()
    page.connection.link.state = 'closed'
    await page.clock.advance(500)
    expect(page.calls).not.toContain('renew')
  })

  test.each(['waiting', 'polling', 'closed'])(
    'no stream is tested or opened while the connection is %s',
    async (state) => {
      expect(await sleeper({ state }).heard(true)).toEqual([...soft, 'doubt'])
    },
  )

  test('an attempt to connect is replaced', async () => {
    expect(await sleeper({ state: 'connecting' }).heard(false)).toEqual([...soft, 'doubt', 'replace', 'renew'])
  })
})

describe('signs that come together', () => {
  test('a second focus within a second tests nothing, and a later one does', async () => {
    const page = sleeper()
    await page.heard(false)
    expect(await page.heard(false)).toEqual(soft)
    await page.clock.advance(1_000)
    expect(await page.heard(false)).toContain(test1)
  })

  test('another network right after a focus replaces the stream without a test', async () => {
    const page = sleeper()
    await page.heard(false)
    expect(await page.heard(true)).toEqual([...soft, 'doubt', 'replace', 'renew'])
    expect(await page.heard(true)).toContain('renew')
  })
})

describe('posts that fail', () => {
  const error = (answered: boolean) => ({ cause: answered ? { message: 'unavailable: x', shape: {} } : new Error('x') })
  const failing = { previous: {}, current: { state: 'live', postError: error(false) } }

  test('the first failure without an answer tests a live stream, and its continuation does not', async () => {
    const page = sleeper()
    page.statusChanged(failing)
    await settled()
    expect(page.calls).toEqual(['doubt', test1])
    page.statusChanged({ previous: failing.current, current: failing.current })
    await settled()
    expect(page.calls).toHaveLength(2)
    page.statusChanged({ previous: failing.current, current: { state: 'live' } })
    page.statusChanged(failing)
    await settled()
    expect(page.calls).toHaveLength(4)
  })

  test('a failure that our server answered tests nothing', async () => {
    const page = sleeper()
    page.statusChanged({ previous: {}, current: { state: 'live', postError: error(true) } })
    await settled()
    expect(page.calls).toEqual([])
  })

  test('a failure tests nothing while no stream is live', async () => {
    const page = sleeper({ state: 'connecting' })
    page.statusChanged(failing)
    await settled()
    expect(page.calls).toEqual([])
  })

  test('a post that is accepted again hurries a waiting connection, but no other', async () => {
    const page = sleeper({ state: 'waiting' })
    page.statusChanged({ previous: { postError: error(false) }, current: { state: 'waiting' } })
    await settled()
    expect(page.calls).toEqual(['hurry'])
    page.statusChanged({ previous: { postError: error(false) }, current: { state: 'live' } })
    page.statusChanged({ previous: {}, current: { state: 'waiting' } })
    await settled()
    expect(page.calls).toEqual(['hurry'])
  })
})
