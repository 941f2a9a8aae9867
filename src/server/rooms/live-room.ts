import type { Clock } from '../../shared/clock.js'
import { LocationError } from '../../shared/errors.js'
import type { Action, Backend, Commit, BackendRoom, Outcome, RoomRules, RoomState } from '../rules/backend.js'
import { Frames } from './frames.js'
import type { Subscriber } from './subscriber.js'
import type { Metrics, Traffic } from '../options/metrics.js'
import { Timeline } from '../rules/timeline.js'
import type { Timing } from '../options/timing.js'

export type LiveRoomOptions = {
  backend: Backend
  clock: Clock
  rules: RoomRules
  timing: Timing
  metrics: Metrics
  /** Shared by all rooms of a hub. */
  traffic: Traffic
}

/** How many subscribers are written to before everything else has its turn: some ten milliseconds' work. */
const sliceSize = 2_000

/** Whoever is woken when there is something for them. */
type Woken = { wake(): void; readonly isPumped?: boolean }
type Pending = { action: Action; resolve: (outcome: Outcome) => void; reject: (error: LocationError) => void }

/**
 * A room that this process serves. Gathers what is posted into one batch a tick, hands it to the backend, and wakes the
 * subscribers at most once a tick, however many posts came in.
 */
export class LiveRoom {
  readonly id: string
  readonly subscribers = new Set<Subscriber>()
  /** The backend is out of reach. */
  degraded = false
  /** This room is, whatever else the backend can do. */
  #isLost = false
  /** How many calls are at work in this room; it stays open for them. */
  users = 0
  readonly traffic: Traffic
  readonly #metrics: Metrics
  readonly #opened: BackendRoom
  #timeline: Timeline
  #frames: Frames
  readonly clock: Clock
  readonly timing: Timing
  #pending: Pending[] = []
  #isCommitting = false
  #isOwed = false
  #nextTickAt = 0
  #tickIsDue = false
  /** How many are under way: one, and those for whom a frame was in the making when it came by. */
  #fanOuts = 0
  #keepUntil = 0
  /** Somebody was in it, as far as this process knows: what is remembered of them is worth keeping. */
  wasShown: boolean

  static async open(id: string, options: LiveRoomOptions): Promise<LiveRoom> {
    const { backend, clock, rules, timing } = options
    const early: ((room: LiveRoom) => void)[] = []
    let hear = (heard: (room: LiveRoom) => void): void => void early.push(heard)
    const onCommit = (commit: Commit) => hear((room) => room.#committed(commit))
    const onReset = (state: RoomState) => hear((room) => room.#reset(state))
    const onHealth = (health: 'up' | 'down') => hear((room) => room.#setHealth(health))
    const { sweepMs } = timing
    const opened = await backend.open(id, { clock, rules, sweepMs, onCommit, onReset, onHealth })
    const room = new LiveRoom(id, opened, options)
    hear = (heard) => heard(room)
    early.forEach(hear)
    return room
  }

  private constructor(id: string, opened: BackendRoom, { clock, timing, metrics, traffic }: LiveRoomOptions) {
    this.id = id
    this.traffic = traffic
    this.#metrics = metrics
    this.#opened = opened
    this.clock = clock
    this.timing = timing
    this.#timeline = new Timeline(opened.state)
    this.wasShown = opened.state.connections.length + opened.state.left.length > 0
    this.#frames = new Frames(this.#timeline)
  }

  /** The room as this process knows it; another one when the backend had to read the room again. */
  get timeline(): Timeline {
    return this.#timeline
  }

  get frames(): Frames {
    return this.#frames
  }

  /** Beats would promise too much. */
  get isOutOfReach(): boolean {
    return this.degraded || this.#isLost
  }

  /** Nobody was ever shown in it, and nobody uses it: it is kept only for those who left before they came. */
  get isUnused(): boolean {
    return !this.wasShown && !this.#isUsed
  }

  get #isUsed(): boolean {
    return this.users > 0 || this.subscribers.size > 0 || this.#pending.length > 0 || this.#isCommitting
  }

  /** Nobody is here, nobody looks, nothing is under way, and no late post can still come. */
  get isIdle(): boolean {
    return !this.#isUsed && this.timeline.size === 0 && this.clock.now() >= this.#keepUntil
  }

  /** Carries out an action with the next batch. @throws LocationError `unavailable` when the backend did not take it. */
  act(action: Action): Promise<Outcome> {
    if (action.type === 'post' || action.type === 'leave') this.#keep()
    return new Promise((resolve, reject) => {
      this.#pending.push({ action, resolve, reject })
      this.#schedule()
    })
  }

  /** What happened now leaves a tombstone, perhaps: the room stays, and is swept, until that is gone. */
  #keep(): void {
    const { tombstoneMs, sweepMs } = this.timing
    this.#keepUntil = this.clock.now() + tombstoneMs + 2 * sweepMs
  }

  /** Lets go of lapsed leases, and of what no viewer can be behind of any more. */
  sweep(): void {
    // Also while nothing is left but tombstones: the backend takes a room that is not swept for one that stalled.
    if (this.timeline.size > 0 || this.clock.now() < this.#keepUntil) this.act({ type: 'sweep' }).catch(() => {})
    this.timeline.forgetLeavers((this.clock.now() - this.timing.tombstoneMs) * 1_000)
  }

  /** Makes sure that a viewer who was elsewhere finds no older room here than they have seen. */
  async catchUpWith(lastEventId: string | null | undefined): Promise<void> {
    // Out of reach, what we have is the best there is.
    if (this.timeline.isBehind(lastEventId)) await this.#opened.refresh().catch(() => {})
  }

  close(): Promise<void> {
    return this.#opened.close()
  }

  #committed(commit: Commit): void {
    if (!this.timeline.apply(commit)) return
    this.wasShown = true
    this.#keep()
    this.frames.committed(commit)
    this.#isOwed = true
    this.#schedule()
  }

  /** The backend read the room again. Whoever can be led there from where they stand is; the others begin anew. */
  #reset(state: RoomState): void {
    const { epoch } = this.#timeline
    this.traffic.rereads += 1
    this.#timeline = new Timeline(state)
    this.#frames = new Frames(this.#timeline)
    for (const subscriber of this.subscribers) subscriber.goOnFrom(epoch)
    this.#isOwed = true
    this.#schedule()
  }

  #setHealth(health: 'up' | 'down'): void {
    this.#isLost = health === 'down'
    if (this.#isLost) for (const subscriber of this.subscribers) subscriber.beat()
  }

  /** The first change after quiet goes out at once; further ones wait for the tick and go together. */
  #schedule(): void {
    if (this.#tickIsDue || this.#isCommitting || this.#fanOuts > 0) return
    if (!this.#isOwed && this.#pending.length === 0) return
    this.#tickIsDue = true
    const at = this.#nextTickAt
    const waitMs = at - this.clock.now()
    // A microtask, so that the calls of one batch request go together.
    if (waitMs <= 0) queueMicrotask(() => void this.#tick())
    else this.clock.after(waitMs, () => this.#tickUnlessPutOff(at))
  }

  /** What was written meanwhile may have put it off. */
  #tickUnlessPutOff(at: number): void {
    if (this.#nextTickAt === at) return void this.#tick()
    this.#tickIsDue = false
    this.#schedule()
  }

  async #tick(): Promise<void> {
    this.#tickIsDue = false
    this.#isCommitting = true
    await this.#commit()
    this.#isCommitting = false
    if (this.#isOwed) this.#fanOut()
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
      const error = new LocationError('unavailable', 'The room is out of reach for the moment: post again.', { cause })
      for (const { reject } of batch) reject(error)
    }
  }

  #fanOut(): void {
    this.#isOwed = false
    const startedAt = this.clock.now()
    this.#nextTickAt = startedAt + this.timing.frameMinMs
    if (this.subscribers.size > 0) this.#wakeAll(this.subscribers, startedAt)
  }

  /**
   * Wakes those whose frame was being made when the others were sent theirs: a fan-out too, which lets the other rooms have
   * their turn, and the next tick wait.
   */
  wakeLater(waiting: Iterable<Woken>): void {
    this.#wakeAll(waiting, this.clock.now())
  }

  #wakeAll(waiting: Iterable<Woken>, startedAt: number): void {
    this.#fanOuts += 1
    this.#wakeSlice(waiting[Symbol.iterator](), startedAt, 0)
  }

  /** Between two slices the other rooms have their turn. Whoever comes or goes meanwhile is what the set says then. */
  #wakeSlice(waiting: Iterator<Woken>, startedAt: number, spentBefore: number): void {
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
    // What goes straight to a socket is written now; what this process does next, such as answering posts, is no fan-out.
    const written = isPumped ? null : spentMs()
    if (next.done && written !== null) return this.#fannedOut(startedAt, written)
    // Pumped streams encode in the microtasks that follow, so their slice is over when this process comes to its next timer.
    this.clock.after(0, () => {
      if (next.done) this.#fannedOut(startedAt, written ?? spentMs())
      else this.#wakeSlice(waiting, startedAt, written ?? spentMs())
    })
  }

  #fannedOut(startedAt: number, fanOutMs: number): void {
    // No sooner than the tick said when it began.
    this.#nextTickAt = Math.max(this.#nextTickAt, startedAt + Math.min(4 * fanOutMs, this.timing.frameMaxMs))
    this.#metrics.fannedOut(this.subscribers.size, fanOutMs)
    this.#fanOuts -= 1
    this.#schedule()
  }
}
