import { LocationError } from '../../shared/errors.js'
import type {
  CountMembersInput,
  CountMembersOutput,
  GetLocationsInput,
  GetLocationsOutput,
  LeaveRoomInput,
  LeaveRoomOutput,
  OnLocationInput,
  PostLocationInput,
  PostLocationOutput,
} from '../../shared/call-types.js'
import { Gate, type Access, type Caller } from '../access/gate.js'
import { addressKey } from '../access/client-address.js'
import type { StoredValue } from '../rules/backend.js'
import { ignoreErrors } from '../access/app-callbacks.js'
import type { Hub } from '../hub/hub.js'
import { anonymousMemberIdOf, connectionIdOf, defaultConnectionIdOf, generateKey } from '../rules/ids.js'
import type { LimitedCaller } from '../options/caller.js'
import type { LiveRoom } from '../rooms/live-room.js'
import type { ChargedAction } from '../access/rate-limits.js'
import { assertPosted, ownedError } from '../access/outcome-errors.js'
import type { Subscriber } from '../rooms/subscriber.js'

/** Whose address a caller has. `undefined`: nobody's that should be counted. */
export type ClientIp<Ctx> = (options: { ctx: Ctx }) => string | undefined

/** Counting ten rooms costs as much as one query. */
const roomsPerRead = 10

/** What each call comes to: who it is, whether they may, and the action in the room. */
export class Procedures {
  readonly #hub: Hub<unknown, unknown>
  readonly #gate: Gate<unknown>
  readonly #clientIp: ClientIp<unknown> | undefined

  constructor(hub: Hub<unknown, unknown>, access: Access<unknown, unknown>, clientIp: ClientIp<unknown> | undefined) {
    const { clock, logger, timing } = hub
    const parseProfile = (profile: unknown) => hub.parseProfile(profile)
    this.#hub = hub
    this.#clientIp = clientIp
    this.#gate = new Gate(access, { clock, logger, parseProfile, hookMs: timing.hookMs, recheckMs: timing.recheckMs })
    hub.onRevoke((memberId) => this.#gate.forget(memberId))
  }

  /** @throws LocationError `rate-limited` */
  chargeAddress(ctx: unknown, deed: ChargedAction): void {
    this.#hub.rates.charge(deed, { memberId: null, address: this.#address(ctx) })
  }

  async post(ctx: unknown, input: PostLocationInput<unknown, unknown>): Promise<PostLocationOutput> {
    const hub = this.#hub
    const { generation } = this.#gate
    const caller = await this.#gate.caller(ctx)
    const { room, seq, activity } = input
    const leaseMs = hub.leaseOf(input.leaseMs)
    const location = hub.keepLocation(input.location)
    const profile = this.#profile(caller, input)
    const { made, ...poster } = posterOf(caller, input)
    this.#chargeMember(poster.memberId, 'post')
    await this.#gate.admit(ctx, caller, room, 'post')
    const who = { memberId: caller.memberId, address: this.#address(ctx) }
    const { outcome, id } = await hub.use(room, async (live) => {
      const seated = this.#seat(live, poster.connectionId, who)
      try {
        const outcome = await live.act({ type: 'post', ...poster, seq, location, profile, activity, leaseMs })
        assertPosted(outcome)
        await this.#takeBack(live, ctx, caller, poster.connectionId, generation)
        return { outcome, id: live.timeline.id(outcome.version) }
      } finally {
        seated()
      }
    })
    const mayKnow = outcome.outcome === 'applied' && (await this.#mayRead(ctx, caller, room))
    return {
      outcome: outcome.outcome,
      connectionId: poster.connectionId,
      memberId: outcome.memberId,
      seq: outcome.seq,
      ...(mayKnow && { id }),
      ...(made !== undefined && { connectionKey: made }),
    }
  }

  async leave(ctx: unknown, input: LeaveRoomInput): Promise<LeaveRoomOutput> {
    const { memberId } = await this.#gate.caller(ctx)
    this.#chargeMember(memberId, 'leave')
    const connectionId = leaverOf(memberId, input.connectionKey)
    const graceMs = Math.min(input.graceMs ?? 0, this.#hub.timing.graceMaxMs)
    const outcome = await this.#hub.act(input.room, { type: 'leave', connectionId, memberId, seq: input.seq, graceMs })
    if (outcome.type === 'owned') throw ownedError()
    return { outcome: outcome.type === 'leaving' ? 'leaving' : 'left' }
  }

  async get(ctx: unknown, { room, lastEventId }: GetLocationsInput): Promise<GetLocationsOutput<unknown, unknown>> {
    const caller = await this.#gate.caller(ctx)
    this.#chargeMember(caller.memberId, 'read')
    await this.#gate.admit(ctx, caller, room, 'read')
    return this.#hub.use(room, async (live) => {
      await live.catchUpWith(lastEventId)
      const { timeline, frames } = live
      const version = timeline.resumable(lastEventId)
      const { id, event } = version === null ? frames.snapshot() : frames.since(version)
      return { id, event }
    })
  }

  async count(ctx: unknown, { rooms }: CountMembersInput): Promise<CountMembersOutput> {
    const caller = await this.#gate.caller(ctx)
    // One was charged to the address before it was known how many rooms there are.
    const more = Math.floor(rooms.length / roomsPerRead)
    this.#hub.rates.charge('read', { memberId: null, address: this.#address(ctx) }, more)
    this.#chargeMember(caller.memberId, 'read', 1 + more)
    const count = async (room: string) => {
      // A list of rooms is what somebody has kept: one that they may read no more must not hide all others.
      if (!(await this.#mayRead(ctx, caller, room))) return []
      return [{ room, members: await this.#hub.use(room, ({ timeline }) => timeline.memberCount) }]
    }
    return (await Promise.all(rooms.map(count))).flat()
  }

  async subscribe(ctx: unknown, input: OnLocationInput): Promise<Subscriber> {
    const hub = this.#hub
    const { room, connectionKey, lastEventId } = input
    const { generation } = this.#gate
    const caller = await this.#gate.caller(ctx)
    const { memberId, expiresAt } = caller
    this.#chargeMember(memberId, 'stream')
    await this.#gate.admit(ctx, caller, room, 'read', true)
    const address = this.#address(ctx)
    const connectionId = connectionKey === undefined ? null : connectionIdOf(connectionKey)
    const recheck = () => this.#mayRead(ctx, caller, room, true)
    const subscriber = await hub.subscribe(room, { connectionId, memberId, address, lastEventId, expiresAt, recheck })
    // Somebody's rights were taken away since we asked for these, when there was no stream yet that could be cut.
    if (this.#gate.generation !== generation && !(await recheck())) {
      subscriber.close()
      throw new LocationError('forbidden', 'You may no longer read this room: ask its owner for access.')
    }
    return subscriber
  }

  async #mayRead(ctx: unknown, caller: Caller, room: string, isFresh = false): Promise<boolean> {
    try {
      await this.#gate.admit(ctx, caller, room, 'read', isFresh)
      return true
    } catch (error) {
      if (error instanceof LocationError && error.code === 'forbidden') return false
      throw error
    }
  }

  /** Rights that were taken away while a post was under way would let a new connection in behind the revocation. */
  async #takeBack(live: LiveRoom, ctx: unknown, caller: Caller, connectionId: string, generation: number) {
    if (this.#gate.generation === generation) return
    try {
      await this.#gate.admit(ctx, caller, live.id, 'post', true)
    } catch (error) {
      await live.act({ type: 'leave', connectionId, memberId: caller.memberId, seq: undefined, graceMs: 0 })
      throw error
    }
  }

  #chargeMember(memberId: string | null, deed: ChargedAction, cost = 1): void {
    this.#hub.rates.charge(deed, { memberId, address: null }, cost)
  }

  /** As whom the caller's address is counted. A hook that throws hurts only its caller. */
  #address(ctx: unknown): string | null {
    try {
      const ip: unknown = this.#clientIp?.({ ctx })
      if (ip === undefined || typeof ip === 'string') return addressKey(ip)
      ignoreErrors(ip)
      throw new TypeError('clientIp() must give a string or undefined, and at once.')
    } catch (cause) {
      this.#hub.logger.warn('clientIp() threw', { error: cause })
      throw new LocationError('unavailable', 'Limits could not be checked: try again.', { cause })
    }
  }

  /** Charges for a connection that is not there yet, and finds it a seat. Call what it returns when the post is through. */
  #seat(live: LiveRoom, connectionId: string, who: LimitedCaller): () => void {
    const isThere = () => live.timeline.connection(connectionId) !== undefined
    if (isThere()) return () => {}
    this.#hub.rates.charge('connect', who)
    let isUnderWay = true
    this.#hub.seats.take(who, live.id, { isConnection: true, isHeld: () => isUnderWay || isThere() })
    return () => (isUnderWay = false)
  }

  /** What `identify` says of a member is their profile; only where it says nothing, the member does. */
  #profile(caller: Caller, { profile }: PostLocationInput<unknown, unknown>): StoredValue | undefined {
    return caller.profile ?? (profile === undefined ? undefined : this.#hub.keepProfile(profile))
  }
}

/** Whose connection leaves: a member without a key has the one that they post with. */
function leaverOf(memberId: string | null, connectionKey: string | undefined): string {
  if (connectionKey !== undefined) return connectionIdOf(connectionKey)
  if (memberId !== null) return defaultConnectionIdOf(memberId)
  throw new LocationError('bad-input', 'connectionKey: say which connection leaves, by the key it posts with.')
}

/** Whose connection a post is for. `made`: a key for someone who came without. */
function posterOf(caller: Caller, { connectionKey, memberKey }: PostLocationInput<unknown, unknown>) {
  if (caller.memberId !== null) {
    const { memberId } = caller
    const connectionId = connectionKey === undefined ? defaultConnectionIdOf(memberId) : connectionIdOf(connectionKey)
    return { connectionId, memberId, owned: true, made: undefined }
  }
  const made = connectionKey === undefined ? generateKey() : undefined
  const key = connectionKey ?? made!
  // Whoever holds the key is the connection. A memberKey left out means the member that it already is.
  const owned = memberKey !== undefined
  return { connectionId: connectionIdOf(key), memberId: anonymousMemberIdOf(memberKey ?? key), owned, made }
}
