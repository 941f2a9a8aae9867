import type { FeatureInfo, LocationEvent } from '../../shared/events.js'
import type { Commit } from '../rules/backend.js'
import type { Timeline } from '../rules/timeline.js'
import { encodeEvent, type Encoded, type Serializer } from './sse-encoding.js'

/** One event to send. All subscribers at the same version get the same frame object, and therefore the same bytes. */
export class Frame {
  readonly id: string
  readonly event: LocationEvent
  /** The version that a subscriber has after this frame. */
  readonly version: number
  /**
   * True when every subscriber of the room may get this event. Other events are about one subscriber, or contain
   * nothing about the room.
   */
  readonly isShared: boolean
  #json: string | undefined
  #answer: Uint8Array | undefined
  #answeredBy: Serializer | undefined
  #encoded: Encoded | undefined
  #encodedBy: Serializer | undefined

  constructor(id: string, event: LocationEvent, version: number, isShared = isStateEvent(event)) {
    this.id = id
    this.event = event
    this.version = version
    this.isShared = isShared
  }

  /**
   * Returns the bytes of the event on the wire. Only the bytes of the last serializer are cached, because an app
   * usually has one.
   */
  encoded(serializer: Serializer): Encoded {
    if (this.#encoded && this.#encodedBy === serializer) return this.#encoded
    this.#encodedBy = serializer
    const data = this.jsonBy(serializer)
    return (this.#encoded = encodeEvent(`data: ${data}\nid: ${this.id}\n\n\n`, this.isShared))
  }

  /** The size of the event as JSON, in characters. */
  get size(): number {
    return (this.#json ??= JSON.stringify(this.event)).length
  }

  /**
   * Returns the bytes of tRPC's answer to a query that returns this frame. Cached like `encoded`.
   *
   * @param features the features of the hub, which must be the same object for every frame of a hub.
   */
  answered(serializer: Serializer, features: FeatureInfo): Uint8Array {
    if (this.#answer && this.#answeredBy === serializer) return this.#answer
    this.#answeredBy = serializer
    const { id, event } = this
    const data = { id, event, ...features }
    const serialized = serializer.serialize(data)
    const json =
      serialized === data
        ? `{"id":${JSON.stringify(id)},"event":${this.jsonBy(serializer)},${JSON.stringify(features).slice(1)}`
        : JSON.stringify(serialized)
    return (this.#answer = Buffer.from(`{"result":{"data":${json}}}`))
  }

  /** Returns the event as JSON, after the app's transformer. */
  jsonBy(serializer: Serializer): string {
    const serialized = serializer.serialize(this.event)
    return this.#json !== undefined && serialized === this.event ? this.#json : JSON.stringify(serialized)
  }
}

const isStateEvent = ({ type }: LocationEvent) => type === 'snapshot' || type === 'changes'

const maxCachedFrames = 32

/** The frames that lead to the room's present version. Each is made when it is first requested, and then cached. */
export class Frames {
  readonly #timeline: Timeline
  readonly #since = new Map<number, Frame>()
  #snapshot: Frame | undefined
  #beat: Frame | undefined

  constructor(timeline: Timeline) {
    this.#timeline = timeline
  }

  /** Drops the frames that lead to the version before this commit. */
  committed(commit: Commit): void {
    this.#since.clear()
    this.#snapshot = this.#beat = undefined
    this.#since.set(commit.prev, this.#frame(this.#timeline.changesIn(commit)))
  }

  /**
   * Returns the frame from a version to the present one: the changes, or the snapshot when more than half of the room
   * changed.
   */
  since(version: number): Frame {
    const cached = this.#since.get(version)
    if (cached) return cached
    // Below the floor of the timeline, changes could not report all connections that left: the timeline has forgotten
    // some.
    if (version < this.#timeline.floor) return this.snapshot()
    const changes = this.#timeline.since(version)
    const entries = (changes.entered?.length ?? 0) + (changes.changed?.length ?? 0) + (changes.left?.length ?? 0)
    const frame = entries * 2 > this.#timeline.size && entries > 1 ? this.snapshot() : this.#frame(changes)
    // The cache must be bounded: callers choose the version, and in a room without posts no commit clears the cache for
    // hours.
    if (this.#since.size >= maxCachedFrames) this.#since.delete(this.#since.keys().next().value!)
    this.#since.set(version, frame)
    return frame
  }

  snapshot(): Frame {
    return (this.#snapshot ??= this.#frame(this.#timeline.snapshot()))
  }

  beat(): Frame {
    const { size: count, digest } = this.#timeline
    return (this.#beat ??= this.#frame({ type: 'beat', count, digest }))
  }

  #frame(event: LocationEvent): Frame {
    return new Frame(this.#timeline.id(), event, this.#timeline.version)
  }
}
