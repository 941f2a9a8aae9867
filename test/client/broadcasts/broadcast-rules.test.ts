import type { RoomTypesWith } from 'hereabouts'
import { describe, expect, test } from 'vitest'
import { openBroadcasts } from '../../../src/client/broadcasts/room-broadcasts.js'
import { firstLoad } from '../../../src/client/first-load.js'
import { liveRoom } from '../../support/clients/memory-room.js'
import { createStore } from '../../../src/client/store/store.js'

/* The broadcasts of a room whose server and connection are played by the test. With a real server: room-broadcasts.test.ts. */

type Types = RoomTypesWith<{ location: { row: number }; broadcasts: { note: unknown } }>

function broadcasting() {
  const store = createStore<Types>(new Date(0), () => {})
  const calls: { type: string; procedure: string; input: Record<string, unknown>; deadlineMs: number }[] = []
  const server = { answer: (): unknown => ({ outcome: 'sent' }) }
  const transport = {
    async call(type: string, procedure: string, input: Record<string, unknown>, deadlineMs: number) {
      calls.push({ type, procedure, input, deadlineMs })
      return server.answer()
    },
  }
  const connection = { link: { state: 'live' } }
  const pace = { timing: { features: ['broadcasts'] as string[] | undefined }, deadlineMs: () => 700 }
  const room = { room: 'r', store, transport, pace, presence: { key: 'key' } }
  const send = openBroadcasts<Types>(room as never, connection as never, firstLoad)
  const codes: string[] = []
  store.on('error', ({ error }) => codes.push(error.code))
  const heard: unknown[] = []
  store.on('broadcast note', ({ payload, memberId, member, at }) =>
    heard.push([payload, memberId, member?.memberId, at.getTime()]),
  )
  const arrives = (...items: object[]) => {
    const whole = items.map((item) => ({
      name: 'note',
      memberId: 'm',
      connectionId: 'c',
      at: 5_000,
      after: 0,
      ...item,
    }))
    store.emit('broadcast', { type: 'broadcast', items: whole } as never)
  }
  return { store, calls, server, connection, pace, send, codes, heard, arrives }
}

describe('sending broadcasts', () => {
  test('a broadcast has room, key, name, payload and recipient, and each has another nonce', async () => {
    const { send, calls } = broadcasting()
    const payload = { b: 1, a: [2] }
    expect([await send('note', payload, { to: 'ada' }), await send('note', 1)]).toEqual([true, true])
    expect(calls[0]).toEqual({
      type: 'mutation',
      procedure: 'broadcastToRoom',
      input: { room: 'r', connectionKey: 'key', name: 'note', payload: { b: 1, a: [2] }, to: 'ada', nonce: '1' },
      deadlineMs: 700,
    })
    expect(calls[1]!.input).toMatchObject({ nonce: '2', to: undefined })
  })

  test.each(['connecting', 'waiting', 'polling', 'closed'])(
    'no broadcast is sent while the connection is %s',
    async (state) => {
      const { send, calls, codes, connection } = broadcasting()
      connection.link.state = state
      expect([await send('note', 1), calls, codes]).toEqual([false, [], ['network']])
    },
  )

  test.each([[undefined], [[]], [['presence']]])(
    'no broadcast is sent to a server with the features %j',
    async (features) => {
      const { send, calls, codes, pace } = broadcasting()
      pace.timing.features = features
      expect([await send('note', 1), calls, codes]).toEqual([false, [], ['unavailable']])
    },
  )

  test('a broadcast of a connection that is not in the room was not sent', async () => {
    const { send, server, codes } = broadcasting()
    server.answer = () => ({ outcome: 'absent' })
    expect([await send('note', 1), codes]).toEqual([false, ['unavailable']])
  })

  test.each([
    ['bad-input', true],
    ['too-large', true],
    ['rate-limited', false],
    ['forbidden', false],
    ['unavailable', false],
  ])('a refusal `%s` rejects: %s, and is an `error` event otherwise', async (code, rejects) => {
    const { send, server, codes } = broadcasting()
    server.answer = () => {
      throw Object.assign(new Error(`${code}: No.`), { shape: {}, data: {} })
    }
    const result = await send('note', 1).catch(({ code }: { code: string }) => code)
    expect([result, codes]).toEqual(rejects ? [code, []] : [false, [code]])
    // The next one is sent all the same.
    server.answer = () => ({ outcome: 'sent' })
    expect(await send('note', 2)).toBe(true)
  })

  test('a payload is sent as it was at the call, and one that is not JSON rejects', async () => {
    await using opened = await liveRoom([], {}, { features: ['broadcasts'] })
    opened.server.answers.call = () => ({ outcome: 'sent' })
    const { broadcast } = opened.room as unknown as { broadcast(name: string, payload: unknown): Promise<boolean> }
    const payload = { n: 1 }
    const sent = broadcast('note', payload)
    payload.n = 2
    expect(await sent).toBe(true)
    await expect(broadcast('note', Number.NaN)).rejects.toMatchObject({ code: 'bad-input' })
    expect(opened.server.inputs('broadcastToRoom').map((input) => input['payload'])).toEqual([{ n: 1 }])
  })
})

describe('receiving broadcasts', () => {
  test('a nonce is that of its sender: two senders may use the same one, and each of theirs is heard once', () => {
    const { arrives, heard } = broadcasting()
    arrives({ connectionId: 'c1', nonce: '1', payload: 'a' }, { connectionId: 'c2', nonce: '1', payload: 'b' })
    arrives({ connectionId: 'c1', nonce: '1', payload: 'a' }, { connectionId: null, nonce: '1', payload: 'c' })
    arrives(
      { connectionId: 'c1', nonce: '2', payload: 'd' },
      { connectionId: 'c1', payload: 'e' },
      { connectionId: 'c1', payload: 'e' },
    )
    expect(heard.map((each) => (each as string[])[0])).toEqual(['a', 'b', 'c', 'd', 'e', 'e'])
  })

  test('our own broadcasts are not heard, and those of our other windows are', () => {
    const { arrives, heard, store } = broadcasting()
    store.own({ connectionId: 'me', memberId: 'm' })
    arrives({ connectionId: 'me', payload: 'mine' }, { connectionId: 'other', payload: 'other window' })
    expect(heard.map((each) => (each as string[])[0])).toEqual(['other window'])
  })

  test('a broadcast that we sent is not heard before we know our connection, when it has none', () => {
    const { arrives, heard } = broadcasting()
    arrives({ connectionId: null, memberId: null, payload: 'of the server' })
    expect(heard).toEqual([['of the server', null, undefined, 5]])
  })

  test('a listener hears the broadcasts of its name only, with the member as the room shows it', () => {
    const { arrives, heard, store } = broadcasting()
    const member = { connectionId: 'c', memberId: 'm', profile: null, location: null, activity: 'active', at: 1 }
    store.take([store.view.set('c', member as never)])
    arrives({ name: 'other', payload: 1 }, { payload: 2 }, { memberId: 'gone', payload: 3 })
    expect(heard).toEqual([
      [2, 'm', 'm', 5],
      [3, 'gone', undefined, 5],
    ])
  })
})
