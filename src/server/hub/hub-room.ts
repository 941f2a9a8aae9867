import * as z from 'zod'
import { LocationError } from '../../shared/errors.js'
import type { Activity, Connection } from '../../shared/events.js'
import type { BroadcastName, BroadcastsOf, IfBroadcasts } from '../../shared/broadcast-types.js'
import type { RoomTypes } from '../../shared/room-types.js'
import { activeAtOf, bySpeaking, mostActive } from '../../shared/speaking.js'
import { presenceOf } from '../../shared/presence.js'
import type { OptionalSchema, Schema } from '../../shared/schema-types.js'
import type { CallerMember } from '../access/access-types.js'
import { assertPosted } from '../access/outcome-errors.js'
import type { Timing } from '../options/timing.js'
import { nameOf } from './given-name.js'
import type { Broadcasting } from './broadcasting.js'
import type { LiveRoom } from '../rooms/live-room.js'
import type { Action, Outcome, StoredValue } from '../rules/backend.js'
import { defaultConnectionIdOf } from '../rules/ids.js'

/** The parts of the hub that a `HubRoom` uses. */
export interface HubActions {
  readonly location: Schema
  readonly presence: OptionalSchema
  readonly timing: Timing
  readonly broadcasting: Broadcasting
  use<T>(id: string, work: (room: LiveRoom) => T | Promise<T>): Promise<T>
  act(id: string, action: Action): Promise<Outcome>
  parse(schema: Schema, value: unknown): Promise<unknown>
  parseProfile(profile: unknown): Promise<StoredValue>
  keepLocation(location: unknown): StoredValue
  keepPresence(presence: unknown): StoredValue
  leaseOf(leaseMs: number | undefined): number
}

/** A room for use by the server itself: by agents, webhooks and server rendering. */
export type HubRoom<T extends RoomTypes> = HubRoomCore<T> & IfBroadcasts<T, HubRoomBroadcasts<T>>

/** The part of `HubRoom` for hubs with broadcasts. */
export interface HubRoomBroadcasts<T extends RoomTypes> {
  /**
   * Sends a message to everybody who reads the room now, or with `to` to one member. `from` is the member whom receivers
   * see as the sender; default: nobody. The payload is at most 1 KiB of JSON.
   *
   * @throws LocationError `bad-input`, `too-large`, `rate-limited` above 200 a second in one room, `unavailable`
   */
  broadcast<K extends BroadcastName<T>>(
    name: K,
    payload: BroadcastsOf<T>[K],
    options?: { to?: string; from?: string },
  ): Promise<void>
}

/** The part of `HubRoom` that every hub has. */
export interface HubRoomCore<T extends RoomTypes> {
  /**
   * Returns the members of the room. Profile, location and presence value are those of the connection that a member
   * used last, which is the first in `connections`. The activity is that of the most active connection.
   *
   * @throws LocationError `unavailable`
   */
  members(): Promise<readonly RoomMember<T>[]>
  /** Returns the number of members of the room. @throws LocationError `unavailable` */
  count(): Promise<number>
  /**
   * Posts the location of a member, who needs no stream of their own. The member leaves when `leaseMs` milliseconds
   * pass without another post. Default 30,000; 5,000 to 300,000. A profile of `null` removes the profile. `presence` is
   * the whole presence value; absent: unchanged.
   *
   * @throws LocationError `bad-input`, `too-large`, `room-full`, `rate-limited`, `unavailable`
   */
  post(post: {
    memberId: string
    profile?: T['profile'] | null
    location: T['location'] | null
    presence?: T['presence']
    leaseMs?: number
  }): Promise<void>
  /**
   * Removes the connection that `post` created. The member's own connections stay.
   *
   * @throws LocationError `bad-input`, `unavailable`
   */
  leave(leave: { memberId: string }): Promise<void>
}

/** A member who is in a room. */
export interface RoomMember<T extends RoomTypes> extends CallerMember<T['profile']> {
  location: T['location'] | null
  /** The presence value of the member; `{}` while the member has posted none. */
  presence: T['presence']
  activity: Activity
  /** The time at which the member last used one of the connections. */
  lastActiveAt: Date
  /** The connections of the member. The connection that was used last comes first. */
  connections: readonly Connection<T>[]
}

/** Creates the `HubRoom` of a room. @throws LocationError `bad-input` when the id is not valid. */
export function hubRoom<T extends RoomTypes>(hub: HubActions, room: string): HubRoom<T> {
  const id = nameOf(room, 'room')
  const methods: HubRoomCore<T> & HubRoomBroadcasts<RoomTypes> = {
    broadcast: async (name: string, payload: unknown, { to, from }: { to?: string; from?: string } = {}) => {
      const memberId = from === undefined ? null : nameOf(from, 'member')
      const target = to === undefined ? undefined : nameOf(to, 'member')
      const parsed = await hub.parse(hub.broadcasting.schemaOf(name), payload)
      const given = { name, payload: parsed, connectionId: null, memberId, to: target }
      await hub.use(id, (room) => hub.broadcasting.send(room, given))
    },
    members: () => hub.use(id, ({ timeline }) => structuredClone(membersOf(timeline.connections() as Connection<T>[]))),
    count: () => hub.use(id, ({ timeline }) => timeline.memberCount),
    post: async ({ memberId: member, location, profile, presence, leaseMs }) => {
      const memberId = nameOf(member, 'member')
      // All values are read now, because the caller may change its objects while the post waits.
      const [place, stored, value] = await Promise.all([
        hub.parse(z.nullable(hub.location), location),
        profile === undefined ? undefined : hub.parseProfile(profile),
        presence === undefined ? undefined : hub.parse(presenceSchemaOf(hub), presence),
      ])
      const post = {
        type: 'post' as const,
        memberId,
        owned: true,
        seq: undefined,
        location: hub.keepLocation(place),
        profile: stored,
        activity: undefined,
        presence: value === undefined ? undefined : hub.keepPresence(value),
        leaseMs: hub.leaseOf(leaseMs),
      }
      for (const connectionId of defaultConnectionIdsOf(memberId)) {
        const outcome = await hub.act(id, { ...post, connectionId })
        assertPosted(outcome)
        // `stale`: the connection has reached the largest possible `seq`.
        if (outcome.outcome !== 'left' && outcome.outcome !== 'stale') return
      }
      const retryAfterMs = hub.timing.tombstoneMs
      throw new LocationError('rate-limited', 'This member entered and left too often. Retry in a minute.', {
        retryAfterMs,
      })
    },
    leave: ({ memberId: member }) =>
      hub.use(id, async (room) => {
        const memberId = nameOf(member, 'member')
        const present = defaultConnectionIdsOf(memberId).filter((id) => room.timeline.connection(id))
        await Promise.all(
          present.map((connectionId) =>
            room.act({ type: 'leave', connectionId, memberId, seq: undefined, graceMs: 0 }),
          ),
        )
      }),
  }
  return methods
}

/** Returns the presence schema of a hub. @throws LocationError `bad-input` when the hub has no presence values. */
function presenceSchemaOf({ presence }: HubActions): Schema {
  if (presence !== false) return presence
  throw new LocationError('bad-input', 'This hub has no presence values: give createLocationHub the option presence.')
}

/**
 * Returns the connection ids that a member without a key may use. An id that left stays blocked for a minute, so the next
 * one is used.
 */
const defaultConnectionIdsOf = (memberId: string): string[] =>
  Array.from({ length: 32 }, (_, index) => defaultConnectionIdOf(index === 0 ? memberId : `${memberId}\n${index}`))

/** Groups connections by member. The connection that the member used last gives profile, location and presence value. */
function membersOf<T extends RoomTypes>(all: Connection<T>[]): RoomMember<T>[] {
  const byMember = new Map<string, [Connection<T>, ...Connection<T>[]]>()
  for (const connection of all.toSorted(bySpeaking)) {
    const newer = byMember.get(connection.memberId)
    if (newer) newer.push(connection)
    else byMember.set(connection.memberId, [connection])
  }
  return Array.from(byMember, ([memberId, connections]) => {
    const [speaker] = connections
    const { profile, location } = speaker
    const presence = presenceOf(speaker)
    const lastActiveAt = new Date(activeAtOf(speaker) / 1_000)
    return { memberId, profile, location, presence, activity: mostActive(connections), lastActiveAt, connections }
  })
}
