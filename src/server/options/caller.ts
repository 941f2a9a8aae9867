/**
 * The member and the address that a call is counted against. `memberId` is `null` for an anonymous caller, `address` is
 * `null` when the caller's address is not counted.
 */
export type LimitedCaller = { readonly memberId: string | null; readonly address: string | null }

/**
 * Takes the key of an address. Returns the key of the /48 network that contains the address, or `null` when it is not
 * an IPv6 address. One customer of a provider is often assigned a /48, which has 65,536 /64 networks.
 */
export function networkKey(key: string): string | null {
  return key.endsWith('::/64') ? `${key.slice(0, -'::/64'.length).split(':', 3).join(':')}::/48` : null
}

/** The factor by which the limits of an IPv6 /48 network exceed those of one address. */
export const networkTimes = 16
