import type { LocationEvent } from '../../shared/events.js'
import type { Commit } from '../rules/backend.js'
import { encodeEvent, type Encoded, type Serializer } from './sse-encoding.js'
import type { Timeline } from '../rules/timeline.js'

/** What a subscriber is sent at once: the same object, and so the same bytes, for all who stand at the same version. */
export class Frame {
  readonly id: string
  readonly event: LocationEvent<unknown, unknown>
  /** The version a subscriber stands at after it. */
  readonly version: number
  #encoded: Encoded | undefined
  #by: Serializer | undefined

  constructor(id: string, event: LocationEvent<unknown, unknown>, version: number) {
    this.id = id
    this.event = event
    this.version = version
  }

  /** The bytes on the wire, made once for each transformer; an app has one. */
  encoded(serializer: Serializer): Encoded {
    if (this.#encoded && this.#by === serializer) return this.#encoded
    this.#by = serializer
    const data = JSON.stringify(serializer.serialize(this.event))
    // All else is about its one reader, or about nobody.
    const isShared = this.event.type === 'snapshot' || this.event.type === 'changes'
    return (this.#encoded = encodeEvent(`data: ${data}\nid: ${this.id}\n\n\n`, isShared))
  }
}

const maxRemembered = 32

/** The frames that lead to the room's present version. Each is made once, when first asked for. */
export class Frames {
  readonly #timeline: Timeline
  readonly #since = new Map<number, Frame>()
  #snapshot: Frame | undefined
  #beat: Frame | undefined

  constructor(timeline: Timeline) {
    this.#timeline = timeline
  }

  /** Drops what led to the version before. */
  committed(commit: Commit): void {
    this.#since.clear()
    this.#snapshot = this.#beat = undefined
    this.#since.set(commit.prev, this.#frame(this.#timeline.changesIn(commit)))
  }

  /** From a version to the present one: the changes, or, when they are over half the room, the snapshot. */
  since(version: number): Frame {
    const made = this.#since.get(version)
    if (made) return made
    // Whoever left before that version is forgotten: changes would not tell of it.
    if (version < this.#timeline.floor) return this.snapshot()
    const changes = this.#timeline.since(version)
    const entries = (changes.entered?.length ?? 0) + (changes.changed?.length ?? 0) + (changes.left?.length ?? 0)
    const frame = entries * 2 > this.#timeline.size && entries > 1 ? this.snapshot() : this.#frame(changes)
    // Anybody may ask from any version, in a room where nothing happens for hours.
    if (this.#since.size >= maxRemembered) this.#since.delete(this.#since.keys().next().value!)
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

  #frame(event: LocationEvent<unknown, unknown>): Frame {
    return new Frame(this.#timeline.id(), event, this.#timeline.version)
  }
}
