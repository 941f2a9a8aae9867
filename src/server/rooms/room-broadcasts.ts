import type { Clock } from '../../shared/clock.js'
import type { Traffic } from '../options/metrics.js'
import type { Timing } from '../options/timing.js'
import { BroadcastRing, ringSize, type RoomBroadcast } from './broadcast-ring.js'

/** How long a broadcast waits for the version of the room that its sender's server showed, in milliseconds. */
const patienceMs = 100

export type RoomBroadcastsOptions = {
  clock: Clock
  timing: Timing
  traffic: Traffic
  /** The maximum size of one event of broadcasts, in bytes. */
  eventBytes: number
  /** Returns whether the room in this process has reached the version that the sender's server had. */
  isShown(broadcast: RoomBroadcast): boolean
  /** Returns the time from which the next frame of the room may go out. Broadcasts keep the same pace. */
  nextTickAt(): number
  /** Wakes all subscribers, then calls `done` with the milliseconds that this took. */
  wakeAll(done: (fanOutMs: number) => void): void
}

/**
 * The broadcasts that arrive in one room of this process. They keep their order: a broadcast that waits for its version
 * holds back the broadcasts behind it, each for at most 100 ms. A fan-out of broadcasts waits for the pace of the
 * room's frames, but no frame waits for a broadcast.
 */
export class RoomBroadcasts {
  readonly ring: BroadcastRing
  readonly #options: RoomBroadcastsOptions
  /**
   * The ids of the newest broadcasts: a backend may deliver a broadcast twice, for example while it replaces a
   * connection.
   */
  readonly #known = new Set<string>()
  readonly #waiting: (RoomBroadcast & { until: number })[] = []
  #isTimed = false
  /** True when broadcasts arrived and the subscribers have not been woken for them yet. */
  #isDue = false
  #nextAt = 0

  constructor(options: RoomBroadcastsOptions) {
    this.#options = options
    this.ring = new BroadcastRing(options.eventBytes)
  }

  /** Takes a broadcast from the backend, as `encodeBroadcast` wrote it. Any other text is ignored. */
  receive(text: string): void {
    const broadcast = decodeBroadcast(text)
    if (!broadcast || this.#known.has(broadcast.id)) return
    this.#known.add(broadcast.id)
    if (this.#known.size > 2 * ringSize) this.#known.delete(this.#known.values().next().value!)
    this.#options.traffic.broadcasts += 1
    this.#waiting.push({ ...broadcast, until: this.#options.clock.now() + patienceMs })
    if (this.#waiting.length > ringSize) this.#release()
    this.advance()
  }

  /** Releases the broadcasts whose version the room has reached, or that waited long enough. */
  advance(): void {
    const { clock, isShown } = this.#options
    for (let next = this.#waiting[0]; next; next = this.#waiting[0]) {
      if (!isShown(next) && clock.now() < next.until) break
      this.#release()
    }
    const [next] = this.#waiting
    if (!next || this.#isTimed) return
    this.#isTimed = true
    clock.after(next.until - clock.now(), () => {
      this.#isTimed = false
      this.advance()
    })
  }

  /**
   * Called when a frame of the room wakes all subscribers: they take their broadcasts after that frame, without a
   * fan-out for broadcasts.
   */
  carried(): void {
    this.#isDue = false
  }

  #release(): void {
    const { until: _, ...broadcast } = this.#waiting.shift()!
    this.ring.push(broadcast)
    if (this.#isDue) return
    this.#isDue = true
    const { clock, nextTickAt } = this.#options
    const waitMs = Math.max(this.#nextAt, nextTickAt()) - clock.now()
    if (waitMs > 0) clock.after(waitMs, () => this.#fanOut())
    else queueMicrotask(() => this.#fanOut())
  }

  #fanOut(): void {
    if (!this.#isDue) return
    this.#isDue = false
    const { clock, timing, wakeAll } = this.#options
    const startedAt = clock.now()
    this.#nextAt = startedAt + timing.frameMinMs
    wakeAll((fanOutMs) => {
      this.#nextAt = Math.max(this.#nextAt, startedAt + Math.min(4 * fanOutMs, timing.frameMaxMs))
    })
  }
}

/** Writes a broadcast as text for a backend. */
export const encodeBroadcast = (broadcast: RoomBroadcast): string => JSON.stringify(broadcast)

function decodeBroadcast(text: string): RoomBroadcast | null {
  try {
    const { id, item, to, epoch } = JSON.parse(text) as RoomBroadcast
    return item === undefined ? null : { id, item, to, epoch }
  } catch {
    return null
  }
}
