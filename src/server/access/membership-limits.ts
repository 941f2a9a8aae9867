import { LocationError } from '../../shared/errors.js'
import type { LimitedCaller } from '../options/caller.js'
import type { Limits } from '../options/limits.js'

/** A connection or a stream in a room, for as long as it says so. */
export type Membership = { readonly isConnection: boolean; isHeld(): boolean }

/** How many rooms somebody may be in, and with how many connections in each. */
type Share = { rooms: number; connections: number }

type Rooms = Map<string, Set<Membership>>

/**
 * Who is in which rooms of this process. Nobody reports that a seat was left: they are looked through when somebody is at
 * a limit, and all of them when there are twice as many as were held the last time.
 */
export class MembershipLimits {
  readonly #rooms = new Map<string, Rooms>()
  readonly #memberShare: Share
  readonly #addressShare: Share
  #taken = 0
  #sweepAt = 1_024

  constructor({ memberRooms, addressTimes, addressConnections }: Limits) {
    this.#memberShare = { rooms: memberRooms, connections: Infinity }
    this.#addressShare = { rooms: memberRooms * addressTimes, connections: addressConnections }
  }

  /** @throws LocationError `room-full` when the caller has all the rooms, or all the connections in this one. */
  take({ memberId, address }: LimitedCaller, room: string, seat: Membership): void {
    // How many connections a member may have in a room, the room itself sees to, on all processes.
    if (memberId !== null) this.#take(`m:${memberId}`, room, seat, this.#memberShare)
    // All that come from one address and have no name share one seat map.
    else if (address !== null) this.#take(`a:${address}`, room, seat, this.#addressShare)
  }

  /** How many seats are kept in mind, held or not. */
  get size(): number {
    return this.#taken
  }

  #take(who: string, room: string, seat: Membership, share: Share): void {
    if (this.#taken >= this.#sweepAt) this.#sweep()
    const known = this.#rooms.get(who)
    if (known && !this.#fits(known, room, seat, share)) {
      this.#stand(who, known)
      if (!this.#fits(known, room, seat, share))
        throw new LocationError('room-full', known.has(room) ? connectionAdvice : roomAdvice(share.rooms))
    }
    const rooms = this.#rooms.get(who) ?? new Map<string, Set<Membership>>()
    const seats = rooms.get(room) ?? new Set()
    this.#rooms.set(who, rooms.set(room, seats.add(seat)))
    this.#taken += 1
  }

  #fits(rooms: Rooms, room: string, { isConnection }: Membership, share: Share): boolean {
    const seats = rooms.get(room)
    if (!seats) return rooms.size < share.rooms
    return !isConnection || connectionsIn(seats) < share.connections
  }

  #sweep(): void {
    for (const [who, rooms] of this.#rooms) this.#stand(who, rooms)
    this.#sweepAt = Math.max(1_024, 2 * this.#taken)
  }

  /** Forgets the seats that nobody holds any more. */
  #stand(who: string, rooms: Rooms): void {
    for (const [room, seats] of rooms) {
      for (const seat of seats)
        if (!seat.isHeld()) {
          seats.delete(seat)
          this.#taken -= 1
        }
      if (seats.size === 0) rooms.delete(room)
    }
    if (rooms.size === 0) this.#rooms.delete(who)
  }
}

function connectionsIn(seats: Set<Membership>): number {
  let connections = 0
  for (const { isConnection } of seats) if (isConnection) connections += 1
  return connections
}

const connectionAdvice = 'Your address has all the connections that it may have in this room: close one.'
const roomAdvice = (rooms: number) => `You are in ${rooms} rooms, which is all you may be in: leave one.`
