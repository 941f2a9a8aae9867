import type { Clock } from '../../shared/clock.js'
import { LocationError } from '../../shared/errors.js'
import type { Backend, RoomRules } from '../rules/backend.js'
import { LiveRoom } from './live-room.js'
import type { Logger } from '../options/logger.js'
import { newTraffic, type Metrics, type Readings } from '../options/metrics.js'
import type { Timing } from '../options/timing.js'
import { maxSlots, TimerWheel } from './timer-wheel.js'

export type RoomRegistryOptions = {
  backend: Backend
  rules: RoomRules
  /** When the hub was created, by `clock.now()`. */
  startedAt: number
  clock: Clock
  timing: Timing
  metrics: Metrics
  logger: Logger
  /** The maximum size of one event of broadcasts, in bytes. */
  broadcastEventBytes: number
  /** The time between two turns of the timer wheel, in milliseconds. */
  turnMs: number
  /** Called with every turn of the timer wheel, for other work at the same interval. */
  onTurn: () => void
}

/** The largest number of open rooms in which nobody ever was. */
const maxUnused = 1_000

/**
 * The open rooms of this process. A room is opened when it is first used, swept at regular intervals, and closed when
 * it is idle.
 */
export class RoomRegistry {
  readonly #options: RoomRegistryOptions
  readonly #traffic = newTraffic()
  readonly #rooms = new Map<string, Promise<LiveRoom>>()
  /** The timer-wheel slot in which each room is swept. */
  readonly #sweeps: TimerWheel<LiveRoom>
  /** The rooms in which nobody ever was, the longest unused first. */
  readonly #unused = new Set<LiveRoom>()
  #isDegraded = false
  #turnedAt = 0
  #isTurning = false
  #isClosed = false

  constructor(options: RoomRegistryOptions) {
    this.#options = options
    const { timing, turnMs } = options
    this.#sweeps = new TimerWheel(Math.min(maxSlots, Math.max(1, Math.round(timing.sweepMs / turnMs))))
  }

  /** True while the backend is unreachable. */
  get isDegraded(): boolean {
    return this.#isDegraded
  }

  /** Returns the present readings of the rooms, for metrics. */
  readings(): Omit<Readings, 'streams' | 'isReady'> {
    let connections = 0
    for (const { timeline } of this.#sweeps) connections += timeline.size
    return { ...this.#traffic, rooms: this.#rooms.size, connections }
  }

  /** Runs `work` with a room, which stays open until `work` settles. @throws LocationError `unavailable`, `closed` */
  async use<T>(id: string, work: (room: LiveRoom) => T | Promise<T>): Promise<T> {
    const room = await this.#enter(id)
    try {
      return await work(room)
    } finally {
      room.users -= 1
      if (!room.wasShown) this.#unused.add(room)
    }
  }

  /** Returns a room if this process has it open. */
  async openRoom(id: string): Promise<LiveRoom | undefined> {
    return this.#rooms.get(id)?.catch(() => undefined)
  }

  /** Tells every room that the backend became unreachable, or is back. */
  async degrade(isDegraded: boolean): Promise<void> {
    this.#isDegraded = isDegraded
    for (const room of await Promise.allSettled(this.#rooms.values()))
      if (room.status === 'fulfilled') room.value.degraded = this.#isDegraded
  }

  async close(): Promise<void> {
    this.#isClosed = true
    const rooms = [...this.#rooms.values()]
    this.#rooms.clear()
    await Promise.allSettled(rooms.map(async (room) => (await room).close()))
  }

  async #enter(id: string): Promise<LiveRoom> {
    this.#assertOpen()
    const known = this.#rooms.get(id)
    const opening = known ?? this.#open(id)
    if (!known) this.#rooms.set(id, opening)
    const room = await opening
    this.#assertOpen()
    room.users += 1
    return room
  }

  #assertOpen(): void {
    if (this.#isClosed) throw new LocationError('closed', 'This hub is closed: make a new one.')
  }

  async #open(id: string): Promise<LiveRoom> {
    try {
      const room = await LiveRoom.open(id, { ...this.#options, traffic: this.#traffic })
      room.degraded = this.#isDegraded
      this.#sweeps.add(room)
      this.#turn()
      return room
    } catch (cause) {
      this.#rooms.delete(id)
      throw new LocationError('unavailable', 'The room is temporarily unavailable: try again.', { cause })
    }
  }

  /**
   * Starts the one timer that drives every heartbeat and every sweep. Turns that the timer missed are made up for, at
   * most 100 of them.
   */
  #turn(): void {
    if (this.#isTurning || this.#isClosed || this.#sweeps.size === 0) return
    const { clock, turnMs, onTurn } = this.#options
    this.#isTurning = true
    this.#turnedAt = clock.now()
    const again = () => clock.after(turnMs, run)
    const run = () => {
      if (this.#isClosed) return
      const due = Math.min(100, Math.floor((clock.now() - this.#turnedAt) / turnMs + 0.5))
      this.#turnedAt = due === 100 ? clock.now() : this.#turnedAt + due * turnMs
      for (let turn = 0; turn < due; turn++) {
        onTurn()
        for (const room of this.#sweeps.turn()) this.#sweep(room)
      }
      this.#closeUnused()
      if (this.#sweeps.size > 0) again()
      else this.#isTurning = false
    }
    again()
  }

  #sweep(room: LiveRoom): void {
    if (room.isIdle) this.#drop(room)
    else room.sweep()
  }

  /**
   * Closes the oldest unused rooms above the limit: a call to leave may name any room, and opens it only so that a late
   * post can be refused.
   */
  #closeUnused(): void {
    for (const room of this.#unused) {
      if (this.#unused.size <= maxUnused) return
      if (room.wasShown) this.#unused.delete(room)
      else if (room.isUnused) this.#drop(room)
    }
  }

  #drop(room: LiveRoom): void {
    this.#rooms.delete(room.id)
    this.#unused.delete(room)
    this.#sweeps.delete(room)
    room.close().catch((error: unknown) => this.#options.logger.warn('a room could not be closed', { error }))
  }
}
