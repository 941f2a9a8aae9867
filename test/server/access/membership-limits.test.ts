import { expect, test } from 'vitest'
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
