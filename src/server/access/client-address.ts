import { BlockList, isIP } from 'node:net'

/*
 * Addresses that many callers share: the loopback addresses (usually a reverse proxy) and private networks (a load
 * balancer or a cluster). A limit per address would count all those callers as one. RFC 1918, 6598, 3927, 4193, 4291.
 */
const uncounted = new BlockList()
for (const [net, prefix] of [
  ['127.0.0.0', 8],
  ['10.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  ['100.64.0.0', 10],
  ['169.254.0.0', 16],
] as const)
  uncounted.addSubnet(net, prefix, 'ipv4')
uncounted.addAddress('::1', 'ipv6')
uncounted.addSubnet('fc00::', 7, 'ipv6')
uncounted.addSubnet('fe80::', 10, 'ipv6')

/** The rate-limit key of every string that is not an IP address. */
export const invalidAddress = 'invalid'

/**
 * Returns the key under which an address is rate-limited: an IPv4 address itself, or the /64 network of an IPv6
 * address, since one household or machine is assigned a whole /64. `null` means that the address is not counted: it is
 * absent, of this machine, or of a private network. A port after the address is ignored, since it is new on every
 * connection. All strings that are not an address share one key, `invalidAddress`: if each had its own key, a caller
 * could evade the limits with a new string.
 */
export function addressKey(address: string | null | undefined): string | null {
  if (!address) return null
  const known = cache.get(address)
  if (known !== undefined) return known
  const key = computeKey(address)
  if (cache.size === maxCached) cache.clear()
  cache.set(address, key)
  return key
}

/**
 * Keys by address. They are cached because the same few thousand callers post many times a second, and parsing an
 * address costs more than charging a call.
 */
const cache = new Map<string, string | null>()
const maxCached = 4_096

function computeKey(address: string): string | null {
  const bare = withoutPort(address.trim()).replace(/%.*$/s, '')
  const family = isIP(bare)
  if (family === 0) return invalidAddress
  const groups = family === 6 ? groupsOf(bare) : null
  const ipv4 = groups ? mappedIpv4(groups) : bare
  if (ipv4 !== null) return uncounted.check(ipv4, 'ipv4') ? null : ipv4
  return uncounted.check(bare, 'ipv6') ? null : `${groups!.slice(0, 4).join(':')}::/64`
}

/**
 * Removes the port of `1.2.3.4:443` and `[2001:db8::1]:443`, and the brackets of an IPv6 address. An IPv6 address
 * without brackets stays as it is, because its last group cannot be distinguished from a port.
 */
function withoutPort(address: string): string {
  const [, ipv6] = /^\[([^\]]*:[^\]]*)\](?::\d+)?$/.exec(address) ?? []
  const [, ipv4] = /^([\d.]+):\d+$/.exec(address) ?? []
  return ipv6 ?? ipv4 ?? address
}

/** Returns the eight groups of an IPv6 address in any notation. */
function groupsOf(address: string): string[] {
  // A URL's host is in the one canonical form of RFC 5952: no leading zeros, no dots, `::` at most once.
  const [head = '', tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::')
  const [before, after] = [head, tail ?? ''].map((part) => (part === '' ? [] : part.split(':'))) as [string[], string[]]
  return [...before, ...Array<string>(8 - before.length - after.length).fill('0'), ...after]
}

/**
 * Returns the IPv4 address that `::ffff:0:0/96` embeds, as dual-stack sockets report it; `null` for any other address.
 */
function mappedIpv4(groups: string[]): string | null {
  if (groups.slice(0, 6).join() !== '0,0,0,0,0,ffff') return null
  return groups
    .slice(6)
    .map((group) => parseInt(group, 16))
    .flatMap((bits) => [bits >> 8, bits & 255])
    .join('.')
}
