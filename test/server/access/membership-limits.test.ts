import { describe, expect, test } from 'vitest'
import { MembershipLimits, type Membership } from '../../../src/server/access/membership-limits.js'
import { defaultLimits } from '../../../src/server/options/limits.js'

/** When this many memberships are stored, all that ended are removed. */
const firstPurge = 1_024
const address = '2001:db8:1:1::/64'

/** A stream, which is open only once it has been counted. */
function opening() {
  let isOpen = false
  const membership: Membership = { isConnection: false, isHeld: () => isOpen }
  return { membership, open: () => (isOpen = true) }
}

test.each([firstPurge - 2, firstPurge - 1, firstPurge])(
  'an IPv6 stream that is opened while %i memberships are stored counts for its address',
  (stored) => {
    const limits = new MembershipLimits({ ...defaultLimits, memberRooms: 1, addressTimes: 1 })
    const held = { isConnection: true, isHeld: () => true }
    for (let i = 0; i < stored; i++) limits.take({ memberId: `member ${i}`, address: null }, 'r', held)
    const stream = opening()
    limits.take({ memberId: null, address }, 'one room', stream.membership)
    stream.open()
    // Once for the address, and once for its network.
    expect(limits.size).toBe(stored + 2)
    expect(() => limits.take({ memberId: null, address }, 'another room', opening().membership)).toThrow(
      'You are in 1 rooms, which is the limit',
    )
  },
)

test('a membership that its address may not have is counted neither for the address nor for its network', () => {
  const limits = new MembershipLimits({ ...defaultLimits, memberRooms: 1, addressTimes: 1 })
  const held = { isConnection: false, isHeld: () => true }
  limits.take({ memberId: null, address }, 'one room', held)
  const before = limits.size
  for (let i = 0; i < 20; i++)
    expect(() => limits.take({ memberId: null, address }, `room ${i}`, held)).toThrow('which is the limit')
  expect(limits.size).toBe(before)
  limits.take({ memberId: null, address: '2001:db8:1:2::/64' }, 'another room', held)
})

const small = { ...defaultLimits, memberRooms: 2, addressTimes: 2, addressConnections: 2 }

function stage() {
  const memberships = new MembershipLimits(small)
  const live = new Set<object>()
  const take = (memberId: string | null, address: string | null, room: string, isConnection = true) => {
    const one = { isConnection, isHeld: () => live.has(one) }
    try {
      memberships.take({ memberId, address }, room, one)
      live.add(one)
      return { isTaken: true, end: () => live.delete(one) }
    } catch {
      return { isTaken: false, end: () => false }
    }
  }
  return { memberships, take }
}

describe('the rooms of a member', () => {
  test('a member is in at most memberRooms rooms, by connections and streams, and enters another when one has ended', () => {
    const { take } = stage()
    const first = take('ada', null, 'a')
    expect(take('ada', null, 'b', false).isTaken).toBe(true)
    expect(take('ada', null, 'c').isTaken).toBe(false)
    expect(take('ada', null, 'a').isTaken).toBe(true)
    first.end()
    expect(take('ada', null, 'c').isTaken).toBe(false)
    expect(take('bob', null, 'c').isTaken).toBe(true)
  })

  test('an identified member counts by itself, whatever the address, and has no limit of connections in a room', () => {
    const { take } = stage()
    for (let i = 0; i < 5; i++) expect(take('ada', '8.8.8.8', 'a').isTaken).toBe(true)
    for (const room of ['a', 'b', 'c', 'd']) expect(take(null, '8.8.8.8', room).isTaken).toBe(true)
  })

  test('an anonymous caller without an address is not limited', () => {
    const { memberships, take } = stage()
    for (let i = 0; i < 20; i++) expect(take(null, null, `room ${i}`).isTaken).toBe(true)
    expect(memberships.size).toBe(0)
  })
})

describe('the rooms of an address', () => {
  test('an address is in addressTimes as many rooms as a member, with addressConnections connections in each', () => {
    const { take } = stage()
    const connections = [0, 1, 2].map(() => take(null, '8.8.8.8', 'a'))
    expect(connections.map(({ isTaken }) => isTaken)).toEqual([true, true, false])
    // Streams do not count as connections.
    expect(take(null, '8.8.8.8', 'a', false).isTaken).toBe(true)
    expect(['b', 'c', 'd', 'e'].map((room) => take(null, '8.8.8.8', room, false).isTaken)).toEqual([
      true,
      true,
      true,
      false,
    ])
    connections[0]!.end()
    expect(take(null, '8.8.8.8', 'a').isTaken).toBe(true)
    expect(take(null, '8.8.8.9', 'a').isTaken).toBe(true)
  })

  test('what an address is refused does not count for its /48 network', () => {
    const { take } = stage()
    const net = (i: number) => `2001:db8:0:${i.toString(16)}::/64`
    for (let i = 0; i < 50; i++) take(null, net(0), 'a')
    // Sixteen times two connections fit into the network: thirty more than the first address has.
    const others = Array.from({ length: 40 }, (_, i) => take(null, net(i + 1), 'a').isTaken)
    expect(others.filter(Boolean)).toHaveLength(30)
  })

  test('what the /48 network is refused does not count for the address', () => {
    const { take } = stage()
    const net = (i: number) => `2001:db8:0:${i.toString(16)}::/64`
    const held = Array.from({ length: 32 }, (_, i) => take(null, net(i), 'a'))
    for (let i = 0; i < 10; i++) expect(take(null, net(99), 'a').isTaken).toBe(false)
    for (const each of held) each.end()
    expect([take(null, net(99), 'a').isTaken, take(null, net(99), 'a').isTaken]).toEqual([true, true])
  })
})

test('a membership that has ended is purged when its holder reaches a limit', () => {
  const { memberships, take } = stage()
  for (let i = 0; i < 100; i++) take('ada', null, `room ${i % 2}`).end()
  take('ada', null, 'room 3')
  expect(memberships.size).toBe(1)
})
