import type { Clock } from '../../shared/clock.js'
import { LocationError } from '../../shared/errors.js'
import type { ByeReason } from '../../shared/events.js'
import type { Metrics, Traffic } from '../options/metrics.js'
import type { Timing } from '../options/timing.js'
import type { Action, Backend, Commit, BackendRoom, Outcome, RoomRules, RoomState } from '../rules/backend.js'
import { Timeline } from '../rules/timeline.js'
import type { RoomBroadcast } from './broadcast-ring.js'
import { FanOut, type Reader } from './fan-out.js'
import { Frames } from './frames.js'
import { encodeBroadcast, RoomBroadcasts } from './room-broadcasts.js'
import { VersionHistory } from './version-history.js'

export type LiveRoomOptions = {
  backend: Backend
  clock: Clock
  rules: RoomRules
  /** When the hub was created, by `clock.now()`. */
  startedAt: number
  timing: Timing
  metrics: Metrics
  /** The traffic counters, shared by all rooms of a hub. */
  traffic: Traffic
  /** The maximum size of one event of broadcasts, in bytes. */
  broadcastEventBytes: number
}

/** A subscriber as its room knows it. */
export interface RoomSubscriber extends Reader {
  readonly connectionId: string | null
  beat(): void
  goOnFrom(epoch: string): void
  end(bye: ByeReason): void
}

type Pending = { action: Action; resolve: (outcome: Outcome) => void; reject: (error: LocationError) => void }

/**
 * A room that this process serves. It collects the posts of one tick into a batch for the backend, and wakes its
 * subscribers at most once a tick, regardless of the number of posts.
 */
export class LiveRoom {
  readonly id: string
  readonly subscribers = new Set<RoomSubscriber>()
  /** True while the whole backend is unreachable. */
  degraded = false
  /** True when only this room is unreachable, for example while one cluster shard is down. */
  #isLost = false
  /** The number of calls that use this room now. The room stays open until they end. */
  users = 0
  readonly traffic: Traffic
  readonly broadcasts: RoomBroadcasts
  readonly #opened: BackendRoom
  /** The versions that the present timeline had, by time. */
  #history: VersionHistory
  #timeline: Timeline
  #frames: Frames
  readonly clock: Clock
  readonly timing: Timing
  #pending: Pending[] = []
  #isCommitting = false
  /** True when a commit was applied and the subscribers have not been woken for it yet. */
  #fanOutIsDue = false
  #tickIsDue = false
  readonly #fanOut: FanOut
  /** The time until which the room stays open although it is empty. */
  #keepUntil = 0
  /** True once this process saw a connection in the room, present or left: the room's state is worth keeping. */
  wasShown: boolean

  static async open(id: string, options: LiveRoomOptions): Promise<LiveRoom> {
    const { backend, clock, rules, startedAt, timing } = options
    // The backend may report before its `open` resolves: those reports wait until the room exists.
    const early: ((room: LiveRoom) => void)[] = []
    let room: LiveRoom | null = null
    const report = (run: (room: LiveRoom) => void): void => {
      if (room) run(room)
      else early.push(run)
    }
    const onCommit = (commit: Commit) => report((room) => room.#committed(commit))
    const onReset = (state: RoomState) => report((room) => room.#reset(state))
    const onHealth = (health: 'up' | 'down') => report((room) => room.#setHealth(health))
    const onBroadcast = (text: string) => report((room) => room.broadcasts.receive(text))
    const { sweepMs } = timing
    const listeners = { onCommit, onReset, onHealth, onBroadcast }
    const opened = await backend.open(id, { clock, rules, startedAt, sweepMs, ...listeners })
    room = new LiveRoom(id, opened, options)
    for (const run of early) run(room)
    return room
  }

  private constructor(id: string, opened: BackendRoom, options: LiveRoomOptions) {
    const { clock, timing, metrics, traffic } = options
    this.id = id
    this.traffic = traffic
    this.#opened = opened
    this.clock = clock
    this.timing = timing
    this.#timeline = new Timeline(opened.state)
    this.#history = new VersionHistory(timing.tombstoneMs)
    this.wasShown = opened.state.connections.length + opened.state.left.length > 0
    this.#frames = new Frames(this.#timeline)
    this.#fanOut = new FanOut({
      clock,
      timing,
      onMeasured: (fanOutMs) => metrics.fannedOut(this.subscribers.size, fanOutMs),
      onEnd: () => this.#schedule(),
    })
    this.broadcasts = new RoomBroadcasts({
      clock,
      timing,
      traffic,
      eventBytes: options.broadcastEventBytes,
      isShown: ({ item, epoch }) => epoch === this.timeline.epoch && item.after <= this.timeline.version,
      nextTickAt: () => this.#fanOut.nextTickAt,
      wakeAll: (done) => this.#fanOut.wakeForBroadcasts(this.subscribers, done),
    })
  }

  /** The room's state as this process knows it. Replaced when the backend had to read the room again. */
  get timeline(): Timeline {
    return this.#timeline
  }

  get frames(): Frames {
    return this.#frames
  }

  /**
   * The interval that clients should leave between two posts, in milliseconds, when frames of this room are further
   * apart than posts; otherwise `undefined`.
   */
  get postMs(): number | undefined {
    return this.#fanOut.postMs
  }

  /** True when the state in this process may be out of date: subscribers get `degraded` in place of heartbeats. */
  get isOutOfReach(): boolean {
    return this.degraded || this.#isLost
  }

  /**
   * True when nobody was ever in the room and nothing uses it: the room is open only because a call to leave it named
   * it.
   */
  get isUnused(): boolean {
    return !this.wasShown && !this.#isUsed
  }

  get #isUsed(): boolean {
    return this.users > 0 || this.subscribers.size > 0 || this.#pending.length > 0 || this.#isCommitting
  }

  /** True when the room is empty and unused, and no late post can arrive for it any more. */
  get isIdle(): boolean {
    return !this.#isUsed && this.timeline.size === 0 && this.clock.now() >= this.#keepUntil
  }

  /** Carries out an action with the next batch. @throws LocationError `unavailable` when the backend failed. */
  act(action: Action): Promise<Outcome> {
    if (action.type === 'post' || action.type === 'leave') this.#keep()
    return new Promise((resolve, reject) => {
      this.#pending.push({ action, resolve, reject })
      this.#schedule()
    })
  }

  /** Keeps the room open and swept until a tombstone that this action may leave has expired. */
  #keep(): void {
    const { tombstoneMs, sweepMs } = this.timing
    this.#keepUntil = this.clock.now() + tombstoneMs + 2 * sweepMs
  }

  /** Ends expired leases, and forgets connections that left so long ago that no viewer needs to be told. */
  sweep(): void {
    // The room is swept even while only tombstones are left, because the backend treats a room that is not swept as
    // stalled.
    if (this.timeline.size > 0 || this.clock.now() < this.#keepUntil) this.act({ type: 'sweep' }).catch(() => {})
    const old = this.#history.note(this.timeline.version, this.clock.now())
    if (old !== null) this.timeline.forgetLeavers(old)
  }

  /**
   * Refreshes the room when a viewer, coming from another process, has already seen a newer version than this process
   * has.
   */
  async catchUpWith(lastEventId: string | null | undefined): Promise<void> {
    // When the backend is unreachable, the present state is served as it is.
    if (this.timeline.isBehind(lastEventId)) await this.refresh()
  }

  /** Sends a broadcast to every process that has the room open. @throws LocationError `unavailable` */
  async broadcast(broadcast: RoomBroadcast): Promise<void> {
    try {
      await this.#opened.broadcast(encodeBroadcast(broadcast))
    } catch (cause) {
      throw new LocationError('unavailable', 'The room is temporarily unavailable: send again.', { cause })
    }
  }

  /** Brings the room up to date with the backend, if the backend is reachable. */
  async refresh(): Promise<void> {
    await this.#opened.refresh().catch(() => {})
  }

  close(): Promise<void> {
    return this.#opened.close()
  }

  #committed(commit: Commit): void {
    if (!this.timeline.apply(commit)) return
    this.wasShown = true
    this.#keep()
    this.frames.committed(commit)
    this.#fanOutIsDue = true
    this.#schedule()
    this.broadcasts.advance()
  }

  /**
   * Takes over the state that the backend read again. Subscribers continue from their version, or restart with a
   * snapshot.
   */
  #reset(state: RoomState): void {
    const { epoch } = this.#timeline
    this.traffic.rereads += 1
    this.#timeline = new Timeline(state)
    this.#history = new VersionHistory(this.timing.tombstoneMs)
    this.#frames = new Frames(this.#timeline)
    for (const subscriber of this.subscribers) subscriber.goOnFrom(epoch)
    this.#fanOutIsDue = true
    this.#schedule()
    this.broadcasts.advance()
  }

  #setHealth(health: 'up' | 'down'): void {
    this.#isLost = health === 'down'
    if (this.#isLost) for (const subscriber of this.subscribers) subscriber.beat()
  }

  /** Schedules the next tick: at once when the frame interval is over, otherwise at its end. */
  #schedule(): void {
    if (this.#tickIsDue || this.#isCommitting || this.#fanOut.isInProgress) return
    if (!this.#fanOutIsDue && this.#pending.length === 0) return
    this.#tickIsDue = true
    const at = this.#fanOut.nextTickAt
    const waitMs = at - this.clock.now()
    // The tick runs in a microtask, so that the calls of one batch request share it.
    if (waitMs <= 0) queueMicrotask(() => void this.#tick())
    else this.clock.after(waitMs, () => this.#tickUnlessPostponed(at))
  }

  /** Runs the tick, or schedules it again if a fan-out has postponed it meanwhile. */
  #tickUnlessPostponed(at: number): void {
    if (this.#fanOut.nextTickAt === at) return void this.#tick()
    this.#tickIsDue = false
    this.#schedule()
  }

  async #tick(): Promise<void> {
    this.#tickIsDue = false
    this.#isCommitting = true
    await this.#commit()
    this.#isCommitting = false
    if (this.#fanOutIsDue) this.#wakeForFrame()
    this.#schedule()
  }

  async #commit(): Promise<void> {
    const batch = this.#pending
    if (batch.length === 0) return
    this.#pending = []
    try {
      const outcomes = await this.#opened.act(batch.map(({ action }) => action))
      batch.forEach(({ resolve }, i) => resolve(outcomes[i]!))
    } catch (cause) {
      const error = new LocationError('unavailable', 'The room is temporarily unavailable: post again.', { cause })
      for (const { reject } of batch) reject(error)
    }
  }

  #wakeForFrame(): void {
    this.#fanOutIsDue = false
    this.broadcasts.carried()
    this.#fanOut.begin(this.subscribers)
  }

  /** Wakes readers whose compressed frame was not ready when the others were woken. */
  wakeLater(waiting: Iterable<Reader>): void {
    this.#fanOut.wakeLater(waiting)
  }
}
