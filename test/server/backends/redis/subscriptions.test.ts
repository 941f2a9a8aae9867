import { expect, test } from 'vitest'
import { Subscriptions } from '../../../../src/server/backends/redis/clients/subscriptions.js'

/* The subscriptions of a Redis client survive the replacement of its subscribing connection. */

function stage() {
  type Connection = { channels: Map<string, (message: string) => void>; isClosed: boolean; gap: () => void }
  const connections: Connection[] = []
  const state = { fails: false, hangs: false }
  const subscriptions = new Subscriptions((gap) => {
    const connection: Connection = { channels: new Map(), isClosed: false, gap }
    connections.push(connection)
    return {
      async subscribe(channel, listener) {
        if (state.hangs) return new Promise<never>(() => {})
        if (state.fails) throw new Error('no')
        connection.channels.set(channel, listener)
        return async () => connection.channels.delete(channel)
      },
      close: () => void (connection.isClosed = true),
    }
  })
  const channels = () => connections.map((each) => [...each.channels.keys()])
  const say = (channel: string, text: string) => connections.at(-1)!.channels.get(channel)?.(text)
  return { subscriptions, connections, state, channels, say }
}

test('listeners of one channel share one subscription, which ends with the last of them', async () => {
  const { subscriptions, channels, say } = stage()
  const heard: string[] = []
  const [one, other] = [
    await subscriptions.subscribe('a', (text) => heard.push(`one ${text}`)),
    await subscriptions.subscribe('a', (text) => heard.push(`other ${text}`)),
  ]
  say('a', 'x')
  await one()
  await one()
  say('a', 'y')
  expect([heard, channels()]).toEqual([['one x', 'other x', 'other y'], [['a']]])
  await other()
  expect(channels()).toEqual([[]])
  await subscriptions.subscribe('a', (text) => heard.push(`again ${text}`))
  say('a', 'z')
  expect(heard.at(-1)).toBe('again z')
})

test('a subscription that fails is not kept, and is tried anew', async () => {
  const { subscriptions, state, channels } = stage()
  state.fails = true
  await expect(subscriptions.subscribe('a', () => {})).rejects.toThrow('no')
  state.fails = false
  await subscriptions.reconnect()
  expect(channels()).toEqual([[], []])
  await subscriptions.subscribe('a', () => {})
  expect(channels()).toEqual([[], ['a']])
})

test('a replaced connection is closed, all channels move to the new one, and a gap is reported once', async () => {
  const { subscriptions, connections, channels, say } = stage()
  const heard: string[] = []
  let gaps = 0
  subscriptions.onGap(() => (gaps += 1))
  await subscriptions.subscribe('a', (text) => heard.push(text))
  const end = await subscriptions.subscribe('b', () => {})
  for (let round = 1; round <= 3; round++) {
    await subscriptions.reconnect()
    expect([connections.at(-2)!.isClosed, connections.at(-1)!.isClosed, gaps]).toEqual([true, false, round])
  }
  expect(channels().at(-1)).toEqual(['a', 'b'])
  say('a', 'x')
  expect(heard).toEqual(['x'])
  await end()
  expect(channels().at(-1)).toEqual(['a'])
  connections.at(-1)!.gap()
  expect(gaps).toBe(4)
})

test('a subscriber that waits for a connection which is replaced is subscribed over the new one', async () => {
  const { subscriptions, state, channels } = stage()
  state.hangs = true
  const subscribing = subscriptions.subscribe('a', () => {})
  state.hangs = false
  await subscriptions.reconnect()
  await (
    await subscribing
  )()
  expect(channels()).toEqual([[], []])
})

test('a replacement fails, and still reports the gap, when a channel cannot be subscribed to', async () => {
  const { subscriptions, state } = stage()
  let gaps = 0
  subscriptions.onGap(() => (gaps += 1))
  await subscriptions.subscribe('a', () => {})
  state.fails = true
  await expect(subscriptions.reconnect()).rejects.toThrow('no')
  expect(gaps).toBe(1)
})

test('a subscriber that waits when the connection is closed for good gets an error', async () => {
  const { subscriptions, state } = stage()
  state.hangs = true
  const subscribing = subscriptions.subscribe('a', () => {})
  subscriptions.close()
  await expect(subscribing).rejects.toThrow('was closed')
})
