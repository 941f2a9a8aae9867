import * as z from 'zod'
import { LocationError } from '../../shared/errors.js'
import { isName } from '../../shared/name-rule.js'
import type { Connection } from '../../shared/protocol.js'
import type { CallerMember } from '../access/access-types.js'
import type { Hub } from './hub.js'
import { defaultConnectionIdOf } from '../rules/ids.js'
import { assertPosted } from '../access/outcome-errors.js'

/** A room as the server sees it: for agents, webhooks, server rendering. */
export interface HubRoom<L, P> {
  /** Who is there and where, as their newest connection has it, which is the first of theirs. */
  members(): Promise<readonly RoomMember<L, P>[]>
  count(): Promise<number>
  /**
   * Says where a member is; they need no stream. The lease is 30 seconds unless `leaseMs` (5,000 to 300,000) says otherwise.
   *
   * @throws LocationError `bad-input`, `too-large`, `room-full`, `rate-limited`, `unavailable`
   */
  post(post: { memberId: string; profile?: P; location: L | null; leaseMs?: number }): Promise<void>
  /**
   * Takes away what `post` brought; the member may be here with connections of their own, which stay.
   *
   * @throws LocationError `bad-input`, `unavailable`
   */
  leave(leave: { memberId: string }): Promise<void>
}

/** A member who is in a room. */
export interface RoomMember<L, P> extends CallerMember<P> {
  location: L | null
  activity: Connection<L, P>['activity']
  /** The newest first. */
  connections: readonly Connection<L, P>[]
}

/** @throws LocationError `bad-input` for a name that cannot be a room's. */
export function hubRoom<L, P>(hub: Hub<L, P>, id: string): HubRoom<L, P> {
  assertName(id, 'room')
  return {
    members: () => hub.use(id, ({ timeline }) => membersOf(timeline.connections() as Connection<L, P>[])),
    count: () => hub.use(id, ({ timeline }) => timeline.memberCount),
    post: async ({ memberId, location, profile, leaseMs }) => {
      assertName(memberId, 'member')
      const post = {
        type: 'post' as const,
        memberId,
        owned: true,
        seq: undefined,
        location: hub.keepLocation(await hub.parse(z.nullable(hub.location), location)),
        profile: profile === undefined ? undefined : await hub.parseProfile(profile),
        activity: undefined,
        leaseMs: hub.leaseOf(leaseMs),
      }
      for (const connectionId of staysOf(memberId)) {
        const outcome = await hub.act(id, { ...post, connectionId })
        assertPosted(outcome)
        if (outcome.outcome !== 'left') return
      }
      const retryAfterMs = hub.timing.tombstoneMs
      throw new LocationError('rate-limited', 'This member came and left too often: wait a minute.', { retryAfterMs })
    },
    leave: ({ memberId }) =>
      hub.use(id, async (room) => {
        assertName(memberId, 'member')
        const here = staysOf(memberId).filter((connectionId) => room.timeline.connection(connectionId))
        await Promise.all(
          here.map((connectionId) => room.act({ type: 'leave', connectionId, memberId, seq: undefined, graceMs: 0 })),
        )
      }),
  }
}

function assertName(id: string, what: 'room' | 'member'): void {
  if (!isName(id))
    throw new LocationError('bad-input', `A ${what} id is 1 to 128 visible characters, in Unicode normal form C.`)
}

/**
 * As which connections a member may be here who comes without a key. Who left has left, and is remembered for a minute: one
 * that comes back before comes as the next of these.
 */
const staysOf = (memberId: string): string[] =>
  Array.from({ length: 32 }, (_, stay) => defaultConnectionIdOf(stay === 0 ? memberId : `${memberId}\n${stay}`))

/** One entry for each member, as their newest connection shows them. */
function membersOf<L, P>(all: Connection<L, P>[]): RoomMember<L, P>[] {
  const byMember = new Map<string, [Connection<L, P>, ...Connection<L, P>[]]>()
  for (const connection of all.toSorted((a, b) => b.at - a.at)) {
    const newer = byMember.get(connection.memberId)
    if (newer) newer.push(connection)
    else byMember.set(connection.memberId, [connection])
  }
  return Array.from(byMember, ([memberId, connections]) => {
    const [{ profile, location, activity }] = connections
    return { memberId, profile, location, activity, connections }
  })
}
