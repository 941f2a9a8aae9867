import { silentLogger } from 'hereabouts/server'
import { describe, expect, test } from 'vitest'
import { actScript, probeScript } from '../../../../src/server/backends/redis/script.js'
import { keysOf, revocationsKey } from '../../../../src/server/backends/redis/keys.js'
import { leaving, posting, sweeping } from '../../../support/histories.js'
import { fakeRedis } from '../../../support/redis/fake-redis.js'

/* The Redis backend against a Redis in memory, whose commands and subscriptions fail on demand. */

const refused = new Error('connect ECONNREFUSED')
const revocations = revocationsKey('hereabouts')
const isAct = (command: readonly string[]) => command[1] === actScript.sha1
const isProbe = (command: readonly string[]) => command[1] === probeScript.sha1
const headerOf = (command: readonly string[], field: number) => command[3 + Number(command[2]) + field]

describe('revocations', () => {
  test('revocations are listened to again after the first subscription failed, and rooms then open', async () => {
    const { clock, backend } = fakeRedis()
    const { state, open, health } = backend()
    state.onSubscribe = () => refused
    await expect(open('r')).rejects.toThrow('unreachable')
    state.onSubscribe = () => null
    await clock.advance(3_000)
    expect(state.channels).toContain(revocations)
    await expect(open('r')).resolves.toBeDefined()
    expect(health.at(-1)).toBe('up')
  })

  test('revocations are read on after one failed read, each once, in every process', async () => {
    const { clock, backend } = fakeRedis()
    const [one, other] = [backend(), backend()]
    await one.open('r')
    await other.open('r')
    other.state.onCommand = ([name]) => (name === 'XRANGE' ? refused : null)
    await one.backend.revoke('ada')
    await clock.advance(500)
    expect([one.revoked, other.revoked]).toEqual([[['ada', undefined]], []])
    other.state.onCommand = () => null
    await clock.advance(3_000)
    await one.backend.revoke('bob', 'r')
    await clock.advance(3_000)
    const all = [
      ['ada', undefined],
      ['bob', 'r'],
    ]
    expect([one.revoked, other.revoked]).toEqual([all, all])
  })

  test('a revocation of one room spares the connections of the member in other rooms', async () => {
    const { backend } = fakeRedis()
    const { backend: redis, open } = backend()
    const [here, there] = [await open('here'), await open('there')]
    for (const { room } of [here, there]) await room.act([posting('c1', 1, 'A1')])
    await redis.revoke('ada', 'here')
    expect(here.commits.at(-1)!.left).toMatchObject([{ connectionId: 'c1', reason: 'revoked' }])
    expect(there.commits.flatMap(({ left }) => left)).toEqual([])
  })

  test('a revocation that fails in a room is made up for when Redis is back', async () => {
    const { clock, backend } = fakeRedis()
    const { backend: redis, open, state } = backend()
    const { room, commits } = await open('r')
    await room.act([posting('c1', 1, 'A1')])
    state.onCommand = (command) => (isAct(command) ? refused : null)
    await redis.revoke('ada')
    expect(commits.flatMap(({ left }) => left)).toEqual([])
    state.onCommand = () => null
    await clock.advance(3_000)
    expect(commits.at(-1)!.left).toMatchObject([{ connectionId: 'c1', reason: 'revoked' }])
    // It is carried out once: the member may enter again.
    await room.act([posting('c2', 1, 'A1')])
    await clock.advance(5_000)
    expect(commits.at(-1)!.entered).toMatchObject([{ connectionId: 'c2' }])
  })

  test('revocations from before the process are not applied', async () => {
    const { clock, backend } = fakeRedis()
    const one = backend()
    await one.open('r')
    await one.backend.revoke('ada')
    await clock.advance(10)
    const late = backend()
    await late.open('r')
    await clock.advance(3_000)
    expect(late.revoked).toEqual([])
  })

  test('a listener of revocations that was removed, or whose backend was closed, is called no more', async () => {
    const { backend } = fakeRedis()
    const { backend: redis, open, revoked } = backend()
    await open('r')
    const heard: unknown[] = []
    redis.onRevoke((each) => heard.push(each))()
    await redis.revoke('ada')
    await redis.close()
    await redis.revoke('bob').catch(() => {})
    expect([heard, revoked]).toEqual([[], [['ada', undefined]]])
  })
})

describe('the subscription of a room', () => {
  const channelsOf = (state: { channels: string[] }) => state.channels.filter((each) => each.endsWith('}:r'))

  test('a room is subscribed to once while it is open, and not any more when it is closed', async () => {
    const { backend } = fakeRedis()
    const { state, open } = backend()
    for (let round = 0; round < 3; round++) {
      const { room } = await open('r')
      expect(channelsOf(state)).toHaveLength(1)
      await room.close()
      await room.close()
      expect(channelsOf(state)).toHaveLength(0)
    }
  })

  test('a room whose subscription is confirmed too late does not open, and the late subscription is ended', async () => {
    const { clock, backend } = fakeRedis()
    const { state, open } = backend()
    await open('first')
    let confirm = () => {}
    state.confirmed = new Promise<void>((resolve) => (confirm = resolve))
    const opening = open('r').catch((error: Error) => error.message)
    await clock.advance(800)
    expect(await opening).toContain('did not confirm a subscription within 750 ms')
    confirm()
    await clock.advance(0)
    expect(channelsOf(state)).toEqual([])
  })

  test('a room whose first call fails is not subscribed to any more', async () => {
    const { clock, backend } = fakeRedis()
    const { state, open } = backend()
    await open('first')
    state.onCommand = (command) => (isAct(command) ? new Error('ERR no') : null)
    await expect(open('r')).rejects.toThrow('ERR no')
    await clock.advance(0)
    expect(channelsOf(state)).toEqual([])
  })

  test('closing the backend ends the subscriptions of all rooms, its health checks and the port', async () => {
    const { clock, backend } = fakeRedis()
    const { backend: redis, state, open } = backend()
    await open('r')
    await open('s')
    await redis.close()
    expect([channelsOf(state), state.isClosed]).toEqual([[], true])
    const { length } = state.commands
    await clock.advance(20_000)
    expect(state.commands.length).toBe(length)
  })
})

describe('an outage', () => {
  /** Makes Redis fail until the health checks have noticed it, and then lets it answer again. */
  async function outage({
    clock,
    state,
  }: {
    clock: { advance(ms: number): Promise<void> }
    state: { onCommand: unknown }
  }) {
    state.onCommand = () => refused
    await clock.advance(2_000)
    state.onCommand = () => null
    await clock.advance(2_000)
  }

  test('an outage is reported once, with the reason, and its end once', async () => {
    const { clock, backend } = fakeRedis()
    const { state, health, open } = backend()
    await open('r')
    for (let round = 0; round < 2; round++) await outage({ clock, state })
    const down = expect.stringContaining('down: Redis is unreachable (connect ECONNREFUSED)') as string
    expect(health).toEqual([down, 'up', down, 'up'])
  })

  test('during an outage, calls fail at once and only health checks are sent', async () => {
    const { clock, backend } = fakeRedis()
    const { state, open } = backend()
    const { room } = await open('r')
    state.onCommand = () => refused
    await clock.advance(2_000)
    state.commands.length = 0
    await expect(room.act([posting('c1', 1, 'A1')])).rejects.toThrow('unreachable')
    expect(state.commands).toEqual([])
    await clock.advance(10_000)
    expect(state.commands.every((command) => isProbe(command) || command[0]!.startsWith('X'))).toBe(true)
    expect(state.commands.length).toBeGreaterThan(8)
  })

  test('a call without an answer fails after timeoutMs, further calls at once, and a health check begins', async () => {
    const { clock, backend } = fakeRedis()
    const { state, open } = backend({ timeoutMs: 300 })
    const { room } = await open('r')
    state.onCommand = (command) => (isAct(command) ? 'silence' : null)
    let failed = ''
    room.act([posting('c1', 1, 'A1')]).catch((error: Error) => (failed = error.message))
    await clock.advance(300)
    expect(failed).toBe('')
    await clock.advance(1)
    expect(failed).toBe('Redis did not answer within 300 ms')
    // The health check has answered by now, so that calls are sent again.
    await clock.advance(10)
    state.onCommand = () => null
    await expect(room.act([posting('c1', 1, 'A1')])).resolves.toMatchObject([{ outcome: 'applied' }])
  })

  test('while a health check after a late answer is silent too, calls are rejected without being sent', async () => {
    const { clock, backend } = fakeRedis()
    const { state, open } = backend({ timeoutMs: 300, pulseMs: 60_000 })
    const { room } = await open('r')
    state.onCommand = () => 'silence'
    room.act([posting('c1', 1, 'A1')]).catch(() => {})
    await clock.advance(301)
    state.commands.length = 0
    await expect(room.act([posting('c1', 2, 'A1')])).rejects.toThrow('unreachable')
    expect(state.commands.filter(isAct)).toEqual([])
  })

  test('rooms are refreshed after an outage and after a lost subscribing connection, spread over half of pulseMs', async () => {
    const { clock, backend } = fakeRedis()
    const { state, open } = backend({ pulseMs: 1_000 })
    for (const id of ['a', 'b', 'c']) await open(id)
    await clock.advance(200)
    state.commands.length = 0
    state.lose()
    expect(state.commands.filter(isAct)).toHaveLength(0)
    await clock.advance(500)
    expect(state.commands.filter(isAct).length).toBeGreaterThanOrEqual(3)
  })

  test('a room that is opened within a lease after an outage, or after the start, renews leases; a later one does not', async () => {
    const { clock, backend } = fakeRedis()
    const { state, open } = backend()
    const renewsAfter = async (ms: number, id: string) => {
      await clock.advance(ms)
      state.commands.length = 0
      await open(id)
      return headerOf(
        state.commands.find((command) => isAct(command) && command[3]!.endsWith(id))!,
        3,
      )
    }
    expect(await renewsAfter(0, 'at once')).toBe('1')
    expect(await renewsAfter(29_000, 'soon')).toBe('1')
    expect(await renewsAfter(2_000, 'late')).toBe('0')
    await outage({ clock, state })
    expect(await renewsAfter(26_000, 'soon after it')).toBe('1')
    expect(await renewsAfter(5_000, 'late after it')).toBe('0')
  })

  test('a check that Redis refuses is told to operators once for each kind, until Redis is back', async () => {
    const { clock, backend } = fakeRedis()
    const { state, health, open } = backend()
    await open('r')
    const refuse = (message: string) => (state.onCommand = (command) => (isProbe(command) ? new Error(message) : null))
    refuse('READONLY You cannot write')
    await clock.advance(3_000)
    refuse('OOM command not allowed')
    await clock.advance(3_000)
    refuse('READONLY You cannot write')
    await clock.advance(3_000)
    state.onCommand = () => null
    await clock.advance(2_000)
    refuse('READONLY You cannot write')
    await clock.advance(2_000)
    expect(health.map((each) => each.slice(0, 40))).toEqual([
      'down: Redis refuses writes (READONLY You',
      'down: Redis refuses writes (OOM command ',
      'up',
      'down: Redis refuses writes (READONLY You',
    ])
  })

  test('a refused post starts a health check at once, not at the next pulse', async () => {
    const { clock, backend } = fakeRedis()
    const { state, health, open } = backend({ pulseMs: 60_000 })
    const { room } = await open('r')
    state.onCommand = () => new Error('READONLY You cannot write')
    await room.act([posting('c1', 1, 'A1')]).catch(() => {})
    await clock.advance(10)
    expect(health).toEqual([expect.stringContaining('READONLY')])
  })
})

describe('announcements that do not arrive', () => {
  test('announcements that do not arrive are reported, replace the subscribing connection, and leave calls working', async () => {
    const { clock, backend } = fakeRedis()
    const { state, health, open } = backend()
    const { room } = await open('r')
    state.isDeaf = true
    await clock.advance(2_000)
    expect(health).toEqual([expect.stringContaining('down: Redis answers, but announcements do not arrive')])
    expect(state.reconnects).toBe(1)
    await expect(room.act([posting('c1', 1, 'A1')])).resolves.toMatchObject([{ outcome: 'applied' }])
    state.isDeaf = false
    await clock.advance(2_000)
    expect(health.slice(1)).toEqual(['up'])
  })

  test('a room whose announcement was lost is read again, at most once a second', async () => {
    const { clock, backend } = fakeRedis()
    const [one, other] = [backend(), backend()]
    const { room } = await one.open('r')
    const { commits, resets } = await other.open('r')
    other.state.isDeaf = true
    await room.act([posting('c1', 1, 'A1')])
    await clock.advance(1)
    other.state.isDeaf = false
    await room.act([posting('c1', 2, 'B2')])
    await clock.advance(50)
    expect([commits, resets]).toEqual([[], []])
    await clock.advance(200)
    expect(resets.map(({ connections }) => connections.map(({ location }) => location))).toEqual([['B2']])
    await room.act([posting('c1', 3, 'C3')])
    await clock.advance(1)
    expect(commits.map(({ changed }) => changed[0]!.location)).toEqual(['C3'])
  })
})

describe('a cluster of which a part fails', () => {
  const partOfKey = (key: string) => /\{(\w+)\}/.exec(key)![1]!

  /** Two rooms in two parts of a cluster. The commands of the parts in `failing` fail. */
  async function cluster() {
    const { clock, backend } = fakeRedis()
    const { backend: redis, state, health, open } = backend({}, true)
    const failing = new Set<string>()
    state.onCommand = (_command, key) => (failing.has(partOfKey(key)) ? refused : null)
    const told: string[] = []
    const rooms = []
    for (const id of ['a', 'b'])
      rooms.push((await open(id, { onHealth: (each) => void told.push(`${id} ${each}`) })).room)
    const [a, b] = ['a', 'b'].map((id) => partOfKey(keysOf(id, 'hereabouts')[0]!)) as [string, string]
    return { clock, redis, state, health, told, rooms, failing, a, b }
  }

  test('only the rooms of the part are told, and the backend is partially healthy until the part is back', async () => {
    const { clock, health, told, rooms, failing, a } = await cluster()
    failing.add(a)
    await clock.advance(2_000)
    expect([told, health]).toEqual([['a down'], [expect.stringContaining('partial: Redis is unreachable')]])
    await expect(rooms[0]!.act([posting('c1', 1, 'A1')])).rejects.toThrow('unreachable')
    await expect(rooms[1]!.act([posting('c1', 1, 'A1')])).resolves.toMatchObject([{ outcome: 'applied' }])
    failing.clear()
    await clock.advance(2_000)
    expect([told, health.slice(1)]).toEqual([['a down', 'a up'], ['up']])
  })

  test('the backend is down when all parts in use are, and partially healthy again with the first that is back', async () => {
    const { clock, health, failing, a, b } = await cluster()
    for (const part of [a, b, 'revocations']) failing.add(part)
    await clock.advance(2_000)
    expect(health.at(-1)).toContain('down: ')
    failing.delete(b)
    await clock.advance(2_000)
    expect(health.at(-1)).toContain('partial: ')
    failing.clear()
    await clock.advance(2_000)
    expect(health.at(-1)).toBe('up')
  })

  test('a room is told nothing any more when it is closed, and its part is checked only while the backend is open', async () => {
    const { clock, redis, told, rooms, failing, state, a } = await cluster()
    await rooms[0]!.close()
    failing.add(a)
    await clock.advance(2_000)
    expect(told).toEqual([])
    await redis.close()
    const { length } = state.commands
    await clock.advance(10_000)
    expect(state.commands).toHaveLength(length)
  })

  test('the rooms of a part that is back are refreshed, and no others', async () => {
    const { clock, failing, state, a } = await cluster()
    failing.add(a)
    await clock.advance(2_000)
    failing.clear()
    state.commands.length = 0
    await clock.advance(1_600)
    const refreshed = state.commands.filter(isAct).map((command) => partOfKey(command[3]!))
    expect(refreshed).toContain(a)
  })
})

describe('the options of the backend', () => {
  test('the prefix is that of every key, channel and probe', async () => {
    const { clock, backend } = fakeRedis()
    const { state, open, backend: redis } = backend({ prefix: 'app:x' })
    const { room } = await open('r')
    await room.broadcast('hi')
    await redis.revoke('ada')
    await clock.advance(1_500)
    const keys = state.commands.flatMap(([name, ...rest]) =>
      name === 'EVALSHA' ? rest.slice(2, 2 + Number(rest[1])) : [rest[0]!],
    )
    for (const each of [...keys, ...state.channels]) expect(each).toMatch(/^app:x:/)
  })

  test('keepMs, the rules, the outage and the clock of rooms reach the script', async () => {
    const { clock, backend } = fakeRedis()
    const { state, open } = backend({ keepMs: 5_000, time: clock })
    await open('r')
    const call = state.commands.find(isAct)!
    const header = call.slice(3 + Number(call[2]), 3 + Number(call[2]) + 13)
    expect(header.slice(1)).toEqual([
      String(clock.date().getTime() * 1_000),
      '8000',
      '1',
      '60000',
      '1000',
      '10',
      '5000',
      '1',
      '30000',
      '5000',
      '8',
      '1000',
    ])
    const other = fakeRedis().backend()
    await other.open('r')
    expect(headerOf(other.state.commands.find(isAct)!, 1)).toBe('')
    expect(headerOf(other.state.commands.find(isAct)!, 7)).toBe('900000')
  })

  test('pulseMs is the interval of health checks', async () => {
    for (const [pulseMs, checks] of [
      [1_000, 10],
      [5_000, 2],
    ] as const) {
      const { clock, backend } = fakeRedis()
      const { state, open } = backend({ pulseMs })
      await open('r')
      state.commands.length = 0
      await clock.advance(10_001)
      expect(state.commands.filter(isProbe)).toHaveLength(checks)
    }
  })
})

describe('a room in Redis', () => {
  test('a room applies its own commits and those of other processes once, in order', async () => {
    const { clock, backend } = fakeRedis()
    const [one, other] = [await backend().open('r'), await backend().open('r')]
    await one.room.act([posting('c1', 1, 'A1')])
    await clock.advance(1)
    await other.room.act([posting('c1', 2, 'B2')])
    await clock.advance(1)
    await one.room.act([leaving('c1')])
    await clock.advance(500)
    const versions = (room: typeof one) => room.commits.map(({ prev, version }) => [prev, version])
    expect(versions(one)).toEqual(versions(other))
    expect(versions(one)).toHaveLength(3)
  })

  test('sweeps of a quiet room are not sent until a lease may end', async () => {
    const { backend } = fakeRedis()
    const { state, open } = backend()
    const { room } = await open('r')
    state.commands.length = 0
    for (let i = 0; i < 10; i++) expect(await room.act([sweeping])).toEqual([{ type: 'done' }])
    expect(state.commands.filter(isAct)).toEqual([])
    await room.act([sweeping, posting('c1', 1, 'A1')])
    expect(state.commands.filter(isAct)).toHaveLength(1)
  })

  test('a batch of more than 200 actions is sent in several calls, with one outcome for each action', async () => {
    const { backend } = fakeRedis()
    const { state, open } = backend()
    const { room } = await open('r')
    state.commands.length = 0
    const outcomes = await room.act(Array.from({ length: 450 }, (_, i) => posting('c1', i + 1, `at ${i}`)))
    expect(outcomes).toHaveLength(450)
    expect(state.commands.filter(isAct)).toHaveLength(3)
  })

  test('a room that heard nothing is polled about every two seconds, and not while Redis is down or after it is closed', async () => {
    const { clock, backend } = fakeRedis()
    const { state, open } = backend()
    const { room } = await open('r')
    state.commands.length = 0
    await clock.advance(20_000)
    const polls = state.commands.filter(isAct).length
    expect(polls).toBeGreaterThanOrEqual(8)
    expect(polls).toBeLessThanOrEqual(20)
    state.onCommand = () => refused
    await clock.advance(2_000)
    state.commands.length = 0
    await clock.advance(10_000)
    expect(state.commands.filter(isAct)).toEqual([])
    state.onCommand = () => null
    await clock.advance(2_000)
    await room.close()
    state.commands.length = 0
    await clock.advance(10_000)
    expect(state.commands.filter(isAct)).toEqual([])
  })

  test('a broadcast reaches every process that has the room open, and none after it has closed the room', async () => {
    const { clock, backend } = fakeRedis()
    const heard: string[] = []
    const hear = (name: string) => ({ onBroadcast: (text: string) => void heard.push(`${name}: ${text}`) })
    const [one, other] = [await backend().open('r', hear('one')), await backend().open('r', hear('other'))]
    await one.room.broadcast('hi')
    await clock.advance(1)
    expect(heard.toSorted()).toEqual(['one: hi', 'other: hi'])
    await other.room.close()
    await one.room.broadcast('again')
    await clock.advance(1)
    expect(heard.slice(2)).toEqual(['one: again'])
  })
})

describe('readiness', () => {
  test('a Redis that cannot be reached is no error of the start, and is logged with its reason', async () => {
    const { clock, backend } = fakeRedis()
    const { backend: redis, state, health } = backend()
    const warnings: unknown[][] = []
    state.onCommand = () => refused
    const ready = redis.ready({ ...silentLogger, warn: (...line) => void warnings.push(line) })
    await clock.advance(1_000)
    await ready
    expect(warnings).toEqual([
      [
        expect.stringContaining('Redis cannot be used yet'),
        { error: expect.objectContaining({ kind: 'unreachable' }) as Error },
      ],
    ])
    expect(health).toEqual([expect.stringContaining('down')])
  })
})
