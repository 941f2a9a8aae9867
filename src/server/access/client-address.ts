import { BlockList, isIP } from 'node:net'

/*
 * Callers whom counting by address would throw together: this machine (a reverse proxy, as a rule) and networks that are
 * not the internet's (a load balancer, a cluster). RFC 1918, 6598, 3927, 4193, 4291.
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

/**
 * As whom an address is counted: an IPv4 address as itself, an IPv6 address as its /64, which is what one household or one
 * machine is given to choose from. `null`: not at all, being of this machine or of a private network. What is not an
 * address is the app's own way to tell callers apart.
 */
export function addressKey(address: string | null | undefined): string | null {
  if (!address) return null
  const known = answers.get(address)
  if (known !== undefined) return known
  const answer = findOut(address)
  if (answers.size === maxAnswers) answers.clear()
  answers.set(address, answer)
  return answer
}

/** The same few thousand callers post many times each second, and finding out takes longer than charging them. */
const answers = new Map<string, string | null>()
const maxAnswers = 4_096

function findOut(address: string): string | null {
  const bare = address.replace(/%.*$/s, '')
  const family = isIP(bare)
  if (family === 0) return address.slice(0, 64)
  const groups = family === 6 ? groupsOf(bare) : null
  const ipv4 = groups ? mappedIpv4(groups) : bare
  if (ipv4 !== null) return uncounted.check(ipv4, 'ipv4') ? null : ipv4
  return uncounted.check(bare, 'ipv6') ? null : `${groups!.slice(0, 4).join(':')}::/64`
}

/** The eight groups of an IPv6 address, however it was written. */
function groupsOf(address: string): string[] {
  // A URL's host is the one short form of RFC 5952: no leading zeros, no dots, `::` at most once.
  const [head = '', tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::')
  const [before, after] = [head, tail ?? ''].map((part) => (part === '' ? [] : part.split(':'))) as [string[], string[]]
  return [...before, ...Array<string>(8 - before.length - after.length).fill('0'), ...after]
}

/** ::ffff:0:0/96 is an IPv4 address, as a socket that listens on both families writes it. */
function mappedIpv4(groups: string[]): string | null {
  if (groups.slice(0, 6).join() !== '0,0,0,0,0,ffff') return null
  return groups
    .slice(6)
    .map((group) => parseInt(group, 16))
    .flatMap((bits) => [bits >> 8, bits & 255])
    .join('.')
}
