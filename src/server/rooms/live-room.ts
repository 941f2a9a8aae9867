import type { Clock } from '../../shared/clock.js'
import { LocationError } from '../../shared/errors.js'
import type { ByeReason } from '../../shared/events.js'
import type { Metrics, Traffic } from '../options/metrics.js'
import type { Timing } from '../options/timing.js'
import type { Action, Backend, Commit, BackendRoom, Outcome, RoomRules, RoomState } from '../rules/backend.js'
import { Timeline } from '../rules/timeline.js'
import type { RoomBroadcast } from './broadcast-ring.js'
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
  /** The largest event of broadcasts, in bytes. */
  broadcastEventBytes: number
}

/** The number of subscribers that are woken before the event loop serves other work: about ten milliseconds of it. */
const sliceSize = 2_000

/** A reader that a fan-out wakes. `isPumped`: it writes later, in a microtask, rather than inside `wake`. */
type Reader = { wake(): void; readonly isPumped?: boolean }

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
  /** The number of calls that use this room now. It stays open for them. */
  users = 0
  readonly traffic: Traffic
  readonly broadcasts: RoomBroadcasts
  readonly #metrics: Metrics
  readonly #opened: BackendRoom
  /** The versions of the present timeline. */
  #history: VersionHistory
  #timeline: Timeline
  #frames: Frames
  readonly clock: Clock
  readonly timing: Timing
  #pending: Pending[] = []
  #isCommitting = false
  /** True when a commit was applied that the subscribers were not woken for yet. */
  #fanOutIsDue = false
  #nextTickAt = 0
  /** The time between the last two frames, at most `frameMaxMs`. */
  #frameMs = 0
  #tickIsDue = false
  /** Fan-outs in progress: the current one, plus readers that waited for a compressed frame. */
  #fanOuts = 0
  /** The time until which the room stays open although it is empty. */
  #keepUntil = 0
  /** True once this process saw a connection in the room, present or left: its state is worth keeping. */
  wasShown: boolean

  static async open(id: string, options: LiveRoomOptions): Promise<LiveRoom> {
    const { backend, clock, rules, startedAt, timing } = options
    // The backend may report before its `open` resolves: those reports wait for the room.
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
    this.#metrics = metrics
    this.#opened = opened
    this.clock = clock
    this.timing = timing
    this.#timeline = new Timeline(opened.state)
    this.#history = new VersionHistory(timing.tombstoneMs)
    this.wasShown = opened.state.connections.length + opened.state.left.length > 0
    this.#frames = new Frames(this.#timeline)
    this.broadcasts = new RoomBroadcasts({
      clock,
      timing,
      traffic,
      eventBytes: options.broadcastEventBytes,
      isShown: ({ item, epoch }) => epoch === this.timeline.epoch && item.after <= this.timeline.version,
      nextTickAt: () => this.#nextTickAt,
      wakeAll: (done) => this.#wakeSlice(this.subscribers[Symbol.iterator](), 0, (ms) => this.#reported(ms, done)),
    })
  }

  /** The room's state as this process knows it. Replaced when the backend had to read the room again. */
  get timeline(): Timeline {
    return this.#timeline
  }

  get frames(): Frames {
    return this.#frames
  }

  /** The time to leave between two posts, when frames of this room are further apart than posts; otherwise `undefined`. */
  get postMs(): number | undefined {
    const frameMs = Math.ceil(Math.max(this.#frameMs, this.timing.frameMinMs))
    return frameMs > this.timing.postMs ? frameMs : undefined
  }

  /** True when the state here may be out of date: subscribers get `degraded` in place of heartbeats. */
  get isOutOfReach(): boolean {
    return this.degraded || this.#isLost
  }

  /** True when nobody was ever in the room and nothing uses it: it is open only because a leave named it. */
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

  /** Expires lapsed leases, and forgets who left so long ago that no viewer needs to be told. */
  sweep(): void {
    // Also while only tombstones are left: the backend treats a room that is not swept as stalled.
    if (this.timeline.size > 0 || this.clock.now() < this.#keepUntil) this.act({ type: 'sweep' }).catch(() => {})
    const old = this.#history.note(this.timeline.version, this.clock.now())
    if (old !== null) this.timeline.forgetLeavers(old)
  }

  /**
   * Refreshes the room when a viewer, coming from another process, has already seen a newer version than it has here.
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

  /** Brings the room up to date with the backend, if that is reachable. */
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

  /** Schedules the next tick: at once after a quiet time, otherwise at the end of the frame interval. */
  #schedule(): void {
    if (this.#tickIsDue || this.#isCommitting || this.#fanOuts > 0) return
    if (!this.#fanOutIsDue && this.#pending.length === 0) return
    this.#tickIsDue = true
    const at = this.#nextTickAt
    const waitMs = at - this.clock.now()
    // A microtask, so that the calls of one batch request share a tick.
    if (waitMs <= 0) queueMicrotask(() => void this.#tick())
    else this.clock.after(waitMs, () => this.#tickUnlessPostponed(at))
  }

  /** Runs the tick, or schedules it again if a fan-out has postponed it meanwhile. */
  #tickUnlessPostponed(at: number): void {
    if (this.#nextTickAt === at) return void this.#tick()
    this.#tickIsDue = false
    this.#schedule()
  }

  async #tick(): Promise<void> {
    this.#tickIsDue = false
    this.#isCommitting = true
    await this.#commit()
    this.#isCommitting = false
    if (this.#fanOutIsDue) this.#fanOut()
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

  #fanOut(): void {
    this.#fanOutIsDue = false
    this.broadcasts.carried()
    const startedAt = this.clock.now()
    this.#nextTickAt = startedAt + this.timing.frameMinMs
    if (this.subscribers.size > 0) this.#wakeAll(this.subscribers, startedAt)
  }

  /**
   * Wakes the readers whose compressed frame was not ready when the others were woken. This is a fan-out too: it runs
   * in slices, and the next tick waits for it.
   */
  wakeLater(waiting: Iterable<Reader>): void {
    this.#wakeAll(waiting, this.clock.now())
  }

  #wakeAll(waiting: Iterable<Reader>, startedAt: number): void {
    this.#fanOuts += 1
    this.#wakeSlice(waiting[Symbol.iterator](), 0, (fanOutMs) =>
      this.#reported(fanOutMs, () => this.#fannedOut(startedAt, fanOutMs)),
    )
  }

  /**
   * Wakes one slice of the readers, then lets the event loop serve other rooms. A set's iterator is live: it includes
   * readers that are added meanwhile, and skips those that are removed.
   *
   * @param done called with the milliseconds that it took.
   */
  #wakeSlice(waiting: Iterator<Reader>, spentBefore: number, done: (fanOutMs: number) => void): void {
    const beganAt = this.clock.now()
    let isPumped = false
    let next = waiting.next()
    for (let woken = 1; !next.done; woken++) {
      next.value.wake()
      isPumped ||= next.value.isPumped === true
      if (woken === sliceSize) break
      next = waiting.next()
    }
    const spentMs = () => spentBefore + this.clock.now() - beganAt
    // Readers that write inside `wake` are done by now. The work that follows, such as answering posts, is not fan-out
    // time.
    const written = isPumped ? null : spentMs()
    if (next.done && written !== null) return done(written)
    // Pumped readers encode in the microtasks that follow: their slice is over when the next timer runs.
    this.clock.after(0, () => {
      if (next.done) done(written ?? spentMs())
      else this.#wakeSlice(waiting, written ?? spentMs(), done)
    })
  }

  #reported(fanOutMs: number, then: (fanOutMs: number) => void): void {
    this.#metrics.fannedOut(this.subscribers.size, fanOutMs)
    then(fanOutMs)
  }

  #fannedOut(startedAt: number, fanOutMs: number): void {
    // Never earlier than the tick itself has set it.
    this.#frameMs = Math.min(4 * fanOutMs, this.timing.frameMaxMs)
    this.#nextTickAt = Math.max(this.#nextTickAt, startedAt + this.#frameMs)
    this.#fanOuts -= 1
    this.#schedule()
  }
}
