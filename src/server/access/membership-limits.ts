import { LocationError } from '../../shared/errors.js'
import { networkKey, networkTimes, type LimitedCaller } from '../options/caller.js'
import type { Limits } from '../options/limits.js'

/**
 * A connection or a stream in a room. `isHeld` is called, instead of waiting for a release, because a connection also
 * ends by expiry, by a revocation or through another process, and this process only sees that in the room's state.
 */
export type Membership = { readonly isConnection: boolean; isHeld(): boolean }

/** The largest number of rooms that one member or address may be in, and of connections in each room. */
type Quota = { rooms: number; connections: number }

/** The memberships of one member or address, by room. */
type Rooms = Map<string, Set<Membership>>

/**
 * Limits the rooms that a member or an address may be in, on this process. Memberships that ended are purged lazily:
 * those of one member or address when it reaches a limit, and all of them when twice as many are stored as the last
 * purge kept.
 */
export class MembershipLimits {
  /**
   * The memberships, by member (`m:<memberId>`), or by address (`a:<address>`) and /48 network of IPv6 (`n:<network>`).
   */
  readonly #rooms = new Map<string, Rooms>()
  readonly #memberQuota: Quota
  readonly #addressQuota: Quota
  readonly #networkQuota: Quota
  #stored = 0
  #purgeAt = 1_024

  constructor({ memberRooms, addressTimes, addressConnections }: Limits) {
    this.#memberQuota = { rooms: memberRooms, connections: Infinity }
    this.#addressQuota = { rooms: memberRooms * addressTimes, connections: addressConnections }
    this.#networkQuota = {
      rooms: memberRooms * addressTimes * networkTimes,
      connections: addressConnections * networkTimes,
    }
  }

  /**
   * Adds a membership.
   *
   * @throws LocationError `room-full` when the caller's quota of rooms, or of connections in this room, is used up.
   */
  take({ memberId, address }: LimitedCaller, room: string, membership: Membership): void {
    // Before anything is stored: a membership may begin to be held only when this returns.
    if (this.#stored >= this.#purgeAt) this.#purgeAll()
    const quotas = this.#quotasOf({ memberId, address })
    // A membership that the address may not have must not count for its network.
    for (const [holder, quota] of quotas) this.#assertFits(holder, room, membership, quota)
    for (const [holder] of quotas) this.#add(holder, room, membership)
  }

  #quotasOf({ memberId, address }: LimitedCaller): [holder: string, quota: Quota][] {
    // The backend limits the connections of one member in a room, across all processes.
    if (memberId !== null) return [[`m:${memberId}`, this.#memberQuota]]
    if (address === null) return []
    // Anonymous callers of one address share one quota.
    const network = networkKey(address)
    const ofAddress: [string, Quota] = [`a:${address}`, this.#addressQuota]
    return network === null ? [ofAddress] : [[`n:${network}`, this.#networkQuota], ofAddress]
  }

  /** The number of stored memberships, including those that ended and are not purged yet. */
  get size(): number {
    return this.#stored
  }

  #add(holder: string, room: string, membership: Membership): void {
    const rooms = this.#rooms.get(holder) ?? new Map<string, Set<Membership>>()
    const memberships = rooms.get(room) ?? new Set()
    this.#rooms.set(holder, rooms.set(room, memberships.add(membership)))
    this.#stored += 1
  }

  #assertFits(holder: string, room: string, membership: Membership, quota: Quota): void {
    const known = this.#rooms.get(holder)
    if (!known || fits(known, room, membership, quota)) return
    this.#purge(holder, known)
    if (!fits(known, room, membership, quota))
      throw new LocationError('room-full', known.has(room) ? connectionAdvice : roomAdvice(quota.rooms))
  }

  #purgeAll(): void {
    for (const [holder, rooms] of this.#rooms) this.#purge(holder, rooms)
    this.#purgeAt = Math.max(1_024, 2 * this.#stored)
  }

  /** Removes the memberships of one holder that ended. */
  #purge(holder: string, rooms: Rooms): void {
    for (const [room, memberships] of rooms) {
      for (const membership of memberships)
        if (!membership.isHeld()) {
          memberships.delete(membership)
          this.#stored -= 1
        }
      if (memberships.size === 0) rooms.delete(room)
    }
    if (rooms.size === 0) this.#rooms.delete(holder)
  }
}

function fits(rooms: Rooms, room: string, { isConnection }: Membership, quota: Quota): boolean {
  const memberships = rooms.get(room)
  if (!memberships) return rooms.size < quota.rooms
  return !isConnection || connectionsIn(memberships) < quota.connections
}

function connectionsIn(memberships: Set<Membership>): number {
  let connections = 0
  for (const { isConnection } of memberships) if (isConnection) connections += 1
  return connections
}

const connectionAdvice = 'Your address has reached its limit of connections in this room: close one.'
const roomAdvice = (rooms: number) => `You are in ${rooms} rooms, which is the limit: leave one.`
