import { EventEmitter } from 'node:events'
import { ioredisPort } from 'hereabouts/server/redis'
import { describe, expect, test } from 'vitest'
import { nodeRedisPort } from '../../../../src/server/backends/redis/clients/node-redis.js'

/* The ports over the two Redis clients, with clients that only record what they are asked. */

type Said = unknown[][]

class NodeRedisSubscriber extends EventEmitter {
  readonly said: Said = []
  readonly listeners_ = new Map<string, (message: string) => void>()
  fails = false
  connect = async () => {
    this.said.push(['connect'])
    if (this.fails) throw new Error('no')
  }
  sSubscribe = async (channel: string, listener: (message: string) => void) => {
    this.said.push(['subscribe', channel])
    this.listeners_.set(channel, listener)
  }
  sUnsubscribe = async (channel: string, listener: unknown) => {
    this.said.push(['unsubscribe', channel, listener === this.listeners_.get(channel)])
  }
  destroy = () => void this.said.push(['destroy'])
}

function nodeRedis(kind: 'client' | 'cluster' | 'sentinel' = 'client') {
  const sent: Said = []
  const subscribers: NodeRedisSubscriber[] = []
  const client = {
    isOpen: true,
    async sendCommand(...args: unknown[]) {
      sent.push(args)
      return 'OK'
    },
    duplicate: () => {
      subscribers.push(new NodeRedisSubscriber())
      return subscribers.at(-1)!
    },
    ...(kind === 'cluster' && { slots: [] }),
    ...(kind === 'sentinel' && { getMasterNode() {} }),
  }
  return { port: nodeRedisPort(client), sent, subscribers }
}

describe('the port over node-redis', () => {
  const asText = { typeMapping: {} }
  test.each([
    ['client', [['HGET', 'k'], asText], false],
    ['cluster', ['k', false, ['HGET', 'k'], asText], true],
    ['sentinel', [false, ['HGET', 'k'], asText], false],
  ] as const)(
    'a %s is sent commands for its masters, with replies of the default types',
    async (kind, args, isCluster) => {
      const { port, sent } = nodeRedis(kind)
      expect(await port.send('k', ['HGET', 'k'])).toBe('OK')
      expect([sent, port.isCluster]).toEqual([[args], isCluster])
    },
  )

  test('the duplicate connects once, before its first subscription, and is destroyed with the port', async () => {
    const { port, subscribers } = nodeRedis()
    const heard: string[] = []
    const end = await port.subscribe('a', (text) => heard.push(text))
    await port.subscribe('b', () => {})
    const [subscriber] = subscribers
    subscriber!.listeners_.get('a')!('hi')
    await end()
    await port.close()
    expect(heard).toEqual(['hi'])
    expect(subscriber!.said).toEqual([
      ['connect'],
      ['subscribe', 'a'],
      ['subscribe', 'b'],
      ['unsubscribe', 'a', true],
      ['destroy'],
    ])
  })

  test('a duplicate that never connected is not destroyed, and one whose destroy() throws is no error', async () => {
    const { port, subscribers } = nodeRedis()
    await port.close()
    expect(subscribers[0]!.said).toEqual([])
    const other = nodeRedis()
    await other.port.subscribe('a', () => {})
    other.subscribers[0]!.destroy = () => {
      throw new Error('closed')
    }
    await expect(other.port.close()).resolves.toBeUndefined()
  })

  test('a duplicate whose connecting failed connects again at the next subscription', async () => {
    const { port, subscribers } = nodeRedis()
    subscribers[0]!.fails = true
    await expect(port.subscribe('a', () => {})).rejects.toThrow('no')
    subscribers[0]!.fails = false
    await port.subscribe('a', () => {})
    expect(subscribers[0]!.said).toEqual([['connect'], ['connect'], ['subscribe', 'a']])
  })

  test.each(['ready', 'node-ready', 'sharded-channel-moved'])('the event %s of the duplicate is a gap', (event) => {
    const { port, subscribers } = nodeRedis()
    let gaps = 0
    port.onGap(() => (gaps += 1))
    subscribers[0]!.emit(event)
    expect(gaps).toBe(1)
  })

  test('an error of the duplicate does not end the process, and a replacement is another duplicate', async () => {
    const { port, subscribers } = nodeRedis()
    await port.subscribe('a', () => {})
    expect(() => subscribers[0]!.emit('error', new Error('reset'))).not.toThrow()
    await port.reconnect!()
    expect(subscribers[0]!.said.at(-1)).toEqual(['destroy'])
    expect(subscribers[1]!.said).toEqual([['connect'], ['subscribe', 'a']])
  })
})

class IoredisSubscriber extends EventEmitter {
  readonly said: Said = []
  ssubscribe = async (channel: string) => void this.said.push(['subscribe', channel])
  sunsubscribe = async (channel: string) => void this.said.push(['unsubscribe', channel])
  disconnect = () => void this.said.push(['disconnect'])
}

function ioredis(own: object = {}) {
  const sent: Said = []
  const subscribers: IoredisSubscriber[] = []
  const client = {
    async call(...args: unknown[]) {
      sent.push(args)
      return 'OK'
    },
    duplicate: () => {
      subscribers.push(new IoredisSubscriber())
      return subscribers.at(-1)!
    },
    ...own,
  }
  return { port: ioredisPort(client), sent, subscribers }
}

describe('the port over ioredis', () => {
  test('commands are sent as they are, and a cluster is recognized', async () => {
    const { port, sent } = ioredis()
    expect(await port.send('k', ['HGET', 'k'])).toBe('OK')
    expect([sent, port.isCluster]).toEqual([[['HGET', 'k']], false])
    const cluster = { isCluster: true, options: { shardedSubscribers: true } }
    expect(ioredis(cluster).port.isCluster).toBe(true)
  })

  test('messages reach the listener of their channel only, until it unsubscribes', async () => {
    const { port, subscribers } = ioredis()
    const heard: string[] = []
    const end = await port.subscribe('a', (text) => heard.push(`a ${text}`))
    await port.subscribe('b', (text) => heard.push(`b ${text}`))
    const say = (channel: string) => subscribers[0]!.emit('smessage', channel, 'hi')
    for (const channel of ['a', 'b', 'c']) say(channel)
    await end()
    say('a')
    expect(heard).toEqual(['a hi', 'b hi'])
    await port.close()
    expect(subscribers[0]!.said).toEqual([['subscribe', 'a'], ['subscribe', 'b'], ['unsubscribe', 'a'], ['disconnect']])
  })

  test('the event ready is a gap, and an error does not end the process', () => {
    const { port, subscribers } = ioredis()
    let gaps = 0
    port.onGap(() => (gaps += 1))
    subscribers[0]!.emit('ready')
    expect(() => subscribers[0]!.emit('error', new Error('reset'))).not.toThrow()
    expect(gaps).toBe(1)
  })
})

test.each([
  ['ioredis', () => ioredis({ options: { keyPrefix: 'app:' } })],
  ['ioredis, as a Buffer', () => ioredis({ options: { keyPrefix: Buffer.from('app:') } })],
])('a client with a key prefix of its own is refused, with the prefix to use instead: %s', (_name, make) => {
  expect(make).toThrow(expect.objectContaining({ code: 'misconfigured' }))
  expect(make).toThrow("{ prefix: 'app:hereabouts' }")
})
