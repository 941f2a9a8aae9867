import fc from 'fast-check'
import { expect, test } from 'vitest'
import { addressKey, invalidAddress } from '../../../src/server/access/client-address.js'

test.each([
  ['203.0.113.7', '203.0.113.7'],
  ['::ffff:203.0.113.7', '203.0.113.7'],
  ['::FFFF:CB00:7107', '203.0.113.7'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:0DB8:0001:0002::', '2001:db8:1:2::/64'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['203.0.113.7:51234', '203.0.113.7'],
  [' 203.0.113.7 ', '203.0.113.7'],
  ['[2001:db8:1:2::1]', '2001:db8:1:2::/64'],
  ['[2001:db8:1:2::1]:443', '2001:db8:1:2::/64'],
  ['[::ffff:203.0.113.7]:443', '203.0.113.7'],
])('per-address limits count the address %s as %s', (address, as) => {
  expect(addressKey(address)).toBe(as)
})

test.each([
  ['127.0.0.1'],
  ['127.9.9.9'],
  ['::1'],
  ['::ffff:127.0.0.1'],
  ['10.1.2.3'],
  ['172.16.0.1'],
  ['172.31.255.255'],
  ['192.168.1.1'],
  ['::ffff:192.168.1.1'],
  ['100.64.0.1'],
  ['169.254.1.1'],
  ['fd00::1'],
  ['fe80::1%eth0'],
  ['[fe80::1%eth0]:443'],
  ['127.0.0.1:8080'],
  [''],
  [undefined],
])('per-address limits ignore the address %s, which is loopback, private or absent', (address) => {
  expect(addressKey(address)).toBeNull()
})

test.each([
  ['126.255.255.255'],
  ['128.0.0.1'],
  ['172.15.255.255'],
  ['172.32.0.0'],
  ['192.169.0.1'],
  ['11.0.0.0'],
  ['fec0::1'],
])('per-address limits count the address %s, which is outside every private network', (address) => {
  expect(addressKey(address)).not.toBeNull()
})

test.each([
  ['8.8.8.8, 203.0.113.7'],
  ['device 7'],
  ['unknown'],
  ['203.0.113.7:'],
  ['203.0.113.7:http'],
  ['203.0.113.7:1:2'],
  ['[203.0.113.7]:80'],
  ['2001:db8::1]:443'],
  ['256.1.1.1'],
])('per-address limits count %s, which is not an IP address, under one key for all such values', (address) => {
  expect(addressKey(address)).toBe(invalidAddress)
})

test('per-address limits count all IPv6 addresses of a /64 network as one address, in any notation', () => {
  const group = fc.nat(0xffff)
  fc.assert(
    fc.property(
      fc.array(group, { minLength: 4, maxLength: 4 }),
      group,
      fc.array(group, { minLength: 4, maxLength: 4 }),
      (net, other, host) => {
        net[0] = 0x2001
        const address = (groups: number[], pad: number) =>
          groups.map((bits) => bits.toString(16).padStart(pad, '0')).join(':')
        const as = addressKey(address([...net, ...host], 1))
        expect(as).toMatch(/::\/64$/)
        expect(addressKey(address([...net, ...host.toReversed()], 4).toUpperCase())).toBe(as)
        expect(addressKey(`${address(net, 1)}::`)).toBe(as)
        if (other !== net[3]) expect(addressKey(address([...net.slice(0, 3), other, ...host], 1))).not.toBe(as)
      },
    ),
  )
})
