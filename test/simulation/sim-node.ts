import * as z from 'zod'
import { createLocationHub, type LocationHub } from 'hereabouts/server'
import type {
  OnLocationInput,
  GetLocationsOutput,
  PostLocationInput,
  PostLocationOutput,
} from '../../src/shared/call-types.js'
import type { BroadcastToRoomOutput } from '../../src/shared/broadcast-types.js'
import type { LocationEvent } from '../../src/shared/events.js'
import type {
  LockLocationInput,
  LockLocationOutput,
  UnlockLocationInput,
  UnlockLocationOutput,
} from '../../src/shared/lock-types.js'
import { backendOver } from '../../src/server/backends/redis/backend.js'
import type { Hub } from '../../src/server/hub/hub.js'
import { assertPosted } from '../../src/server/access/outcome-errors.js'
import { anonymousMemberIdOf, connectionIdOf } from '../../src/server/rules/ids.js'
import type { Subscriber } from '../../src/server/rooms/subscriber.js'
import type { SimClock } from './sim-clock.js'
import type { SimRedis } from './sim-redis.js'
import type { RoomTypesWith } from 'hereabouts'

export type Place = number
export type SimTypes = RoomTypesWith<{ location: Place; profile: null; locks: true; broadcasts: { mark: number } }>
export type SimEvent = LocationEvent<SimTypes>

const place = z.number()
export const roomId = 'r'

/** The input of `broadcastToRoom`. */
export type SimBroadcast = { connectionKey: string; payload: number; to: string | undefined; nonce: string }

/** One server process: the real hub and the real backend, with a connection to the store that can be cut. */
export class SimNode {
  readonly hub: Hub
  readonly port: ReturnType<SimRedis['port']>
  isDead = false

  constructor(clock: SimClock, redis: SimRedis) {
    this.port = redis.port()
    const backend = backendOver(this.port, {}, clock)
    this.hub = createLocationHub({
      location: place,
      profile: z.null(),
      locks: { idleMs: 10_000 },
      broadcasts: { mark: z.number() },
      clock,
      backend,
    }) as unknown as typeof this.hub
  }

  async post(input: PostLocationInput<SimTypes>): Promise<PostLocationOutput> {
    const connectionId = connectionIdOf(input.connectionKey!)
    const outcome = await this.hub.act(roomId, {
      type: 'post',
      connectionId,
      memberId: anonymousMemberIdOf(input.memberKey!),
      owned: true,
      seq: input.seq,
      location: this.hub.keepLocation(input.location),
      profile: undefined,
      activity: input.activity,
      leaseMs: this.hub.leaseOf(undefined),
    })
    assertPosted(outcome)
    return { outcome: outcome.outcome, connectionId, memberId: outcome.memberId, seq: outcome.seq }
  }

  async leave(connectionKey: string, seq: number | undefined, graceMs = 0): Promise<void> {
    const connectionId = connectionIdOf(connectionKey)
    await this.hub.act(roomId, { type: 'leave', connectionId, memberId: null, seq, graceMs })
  }

  async lock({ connectionKey, location, lockSeq, claim, takeOver }: LockLocationInput): Promise<LockLocationOutput> {
    const own = { connectionId: connectionIdOf(connectionKey), memberId: null, location: this.hub.keepPlace(location) }
    const outcome = await this.hub.act(roomId, { type: 'lock', ...own, lockSeq, claim, takeOver })
    return (outcome as { reply: LockLocationOutput }).reply
  }

  async unlock({ connectionKey, location, lockSeq, fence }: UnlockLocationInput): Promise<UnlockLocationOutput> {
    const own = { connectionId: connectionIdOf(connectionKey), memberId: null, location: this.hub.keepPlace(location) }
    const outcome = await this.hub.act(roomId, { type: 'unlock', ...own, lockSeq, fence })
    return (outcome as { reply: UnlockLocationOutput }).reply
  }

  /** Returns whether a member holds a place, as an app checks before it saves. */
  isLocked(location: Place, memberId: string, fence: number): Promise<boolean> {
    return this.#room.isLocked({ location, memberId, fence })
  }

  /** Ends the lock of a place, as an administrator does. */
  async release(location: Place): Promise<void> {
    await this.#room.unlock(location)
  }

  broadcast({ connectionKey, payload, to, nonce }: SimBroadcast): Promise<BroadcastToRoomOutput> {
    const connectionId = connectionIdOf(connectionKey)
    return this.hub.use(roomId, async (room) => {
      if (!room.timeline.connection(connectionId)) await room.refresh()
      const sender = room.timeline.connection(connectionId)
      if (!sender) return { outcome: 'absent' }
      const { memberId } = sender
      await this.hub.broadcasting.send(room, { name: 'mark', payload, connectionId, memberId, to, nonce })
      return { outcome: 'sent' }
    })
  }

  /** Broadcasts as the server itself, not as a member. */
  async announce(payload: number): Promise<void> {
    await this.#room.broadcast('mark', payload)
  }

  get #room() {
    return this.hub.room(roomId) as unknown as ReturnType<LocationHub<SimTypes>['room']>
  }

  subscribe({ connectionKey, lastEventId }: OnLocationInput): Promise<Subscriber> {
    const connectionId = connectionKey === undefined ? null : connectionIdOf(connectionKey)
    const recheck = async () => true
    return this.hub.subscribe(roomId, { connectionId, memberId: null, lastEventId, expiresAt: null, recheck })
  }

  ask(lastEventId: string | null | undefined): Promise<GetLocationsOutput<SimTypes>> {
    return this.hub.use(roomId, async (room) => {
      await room.catchUpWith(lastEventId)
      const { timeline, frames } = room
      const version = timeline.resumable(lastEventId)
      const { id, event } = version === null ? frames.snapshot() : frames.since(version)
      return { id, event: event as SimEvent, ...this.hub.features }
    })
  }

  /** Kills the process between two steps. */
  kill(): void {
    this.isDead = true
    this.port.isCut = true
    void this.hub.close()
  }
}
