import { getEventListeners } from 'node:events'
import { describe, expect, test } from 'vitest'
import { cell, id, liveRoom, memoryClient, one } from '../../support/clients/memory-room.js'
import { MemoryRefusal, settled } from '../../support/servers/memory-server.js'

/* Whatever a room does when it ends: it lets go of every timer, stream and listener, and sends nothing more. */

type Opened = Pick<Awaited<ReturnType<typeof liveRoom>>, 'client' | 'clock' | 'room' | 'server'>

const restarted = async (opened: Awaited<ReturnType<typeof liveRoom>>) => {
  await opened.server.stream.cut()
  await opened.clock.advance(3_000)
  await opened.server.stream.hello({}, id(0, 'epochepoch2'))
  await opened.server.stream.snapshot(id(1, 'epochepoch2'))
  return opened
}

const states: Record<string, () => Promise<Opened>> = {
  'whose stream is not answered': async () => {
    const opened = memoryClient()
    opened.server.answers.status = 0
    const room = opened.client.join('r')
    await settled()
    return { ...opened, room }
  },
  'whose stream has no hello yet': async () => {
    const opened = memoryClient()
    const room = opened.client.join('r')
    await settled()
    return { ...opened, room }
  },
  'that polls beside a stream without a hello': async () => {
    const opened = await states['whose stream has no hello yet']!()
    await opened.clock.advance(5_000)
    expect(opened.server.inputs('getLocations')).not.toEqual([])
    return opened
  },
  'that polls because streams are blocked': async () => {
    const opened = await states['whose stream has no hello yet']!()
    opened.server.answers.poll = () => ({ id: id(1), event: { type: 'snapshot', connections: [] } })
    await opened.clock.advance(15_000)
    expect(opened.room.status.state).toBe('polling')
    return opened
  },
  'that is live': () => liveRoom([one('ada')]),
  'that is degraded': async () => {
    const opened = await liveRoom([one('ada')])
    await opened.server.stream.event(id(1), { type: 'degraded', reason: 'backend' })
    expect(opened.room.status.state).toBe('degraded')
    return opened
  },
  'that waits for its next stream': async () => {
    const opened = await liveRoom([one('ada')])
    opened.server.answers.status = 503
    await opened.server.stream.cut()
    while (opened.room.status.state !== 'waiting') await opened.clock.advance(100)
    return opened
  },
  'whose connection was lost': async () => {
    const opened = await states['that waits for its next stream']!()
    await opened.clock.advance(6_000)
    return opened
  },
  'that gives members time to come back after a restart': async () => restarted(await liveRoom([one('ada')])),
  'whose last post waits for its next try': async () => {
    const opened = await liveRoom()
    opened.server.answers.post = () => {
      throw new MemoryRefusal('unavailable: Later.', 503)
    }
    opened.room.post(cell(1))
    await opened.clock.advance(400)
    return opened
  },
  'that was refused': async () => {
    const opened = await liveRoom()
    await opened.server.stream.event(id(1), { type: 'bye', reason: 'revoked' })
    expect(opened.room.status.state).toBe('closed')
    return opened
  },
}

const endings: Record<string, (opened: Opened) => Promise<void>> = {
  'is left': ({ room }) => room.leave(),
  'is closed with its client': ({ client }) => client.close(),
  'is left twice': async ({ room, client }) => {
    await room.leave()
    await room.leave()
    await client.close()
  },
}

describe.each(Object.keys(endings))('a room that %s', (ending) => {
  test.each(Object.keys(states))(`a room %s keeps no timer and no stream when it ${ending}`, async (state) => {
    const opened = await states[state]!()
    await endings[ending]!(opened)
    await settled()
    expect([opened.clock.pending, opened.server.open]).toEqual([0, []])
    const { length } = opened.server.requests
    await opened.clock.advance(600_000)
    expect(opened.server.requests.length).toBe(length)
    expect(opened.server.inputs('leaveRoom')).toHaveLength(1)
  })
})

describe('a room that the server refuses', () => {
  test.each(['that is live', 'that is degraded'])(
    'a room %s keeps no timer and no stream when it is refused, and sends nothing until it is retried',
    async (state) => {
      const opened = await states[state]!()
      await opened.server.stream.event(id(1), { type: 'bye', reason: 'revoked' })
      expect([opened.clock.pending, opened.server.open]).toEqual([0, []])
      const { length } = opened.server.requests
      await opened.clock.advance(600_000)
      expect(opened.server.requests.length).toBe(length)
      opened.room.retry()
      await settled()
      expect(opened.server.open).toHaveLength(1)
      await opened.client.close()
    },
  )
})

describe('the deadline of a request', () => {
  test.each(['an answer', 'a refusal'])('%s ends the deadline of a post', async (end) => {
    const opened = memoryClient()
    opened.server.answers.status = 503
    let answer = () => {}
    opened.server.answers.post = (input) =>
      new Promise((resolve, reject) => {
        answer = () =>
          end === 'an answer'
            ? resolve({ outcome: 'applied', connectionId: 'me', memberId: 'm', seq: input.seq! })
            : reject(new MemoryRefusal('forbidden: No.', 403))
      })
    opened.client.join('r')
    await settled()
    const before = opened.clock.pending
    answer()
    await settled()
    expect(opened.clock.pending).toBe(before - 1)
    await opened.client.close()
  })
})

test('the handles of a room leave no listener on the abort signal with which they were joined', async () => {
  await using opened = await liveRoom()
  const { signal } = new AbortController()
  for (let i = 0; i < 5; i++) await opened.client.join('r', { signal }).leave()
  expect(getEventListeners(signal, 'abort')).toEqual([])
  const last = opened.client.join('r', { signal })
  expect(getEventListeners(signal, 'abort')).toHaveLength(1)
  await opened.client.close()
  expect([getEventListeners(signal, 'abort'), last.status.state]).toEqual([[], 'closed'])
})

test('a room that is joined with a signal that has aborted is left at once', async () => {
  await using opened = memoryClient()
  const room = opened.client.join('r', { signal: AbortSignal.abort() })
  expect(room.status).toMatchObject({ state: 'closed', reason: 'left' })
  const watched = opened.client.watch('r', { signal: AbortSignal.abort() })
  expect(watched.status.state).toBe('closed')
})
