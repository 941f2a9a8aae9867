import type { LocationError } from '../../shared/errors.js'
import type { ByeReason, Hello } from '../../shared/events.js'
import { Frame } from './frames.js'
import type { LiveRoom, RoomSubscriber } from './live-room.js'

/** The way in which the server ends a stream: with a bye, and then with an error if the end is final. */
type Ending = { bye: ByeReason; error: LocationError | null }

/** One function that all streams share: there are thousands of streams, and a function for each would take 64 bytes. */
const nothing = (): void => {}

/**
 * One open `onLocation` stream. It stores the version that its reader has, and is owed the frame that leads from there
 * to the room's present version. Its writer takes one frame at a time, when the reader has room for it, so there is no
 * queue.
 */
export class Subscriber implements RoomSubscriber {
  readonly room: LiveRoom
  /** The connection that opened this stream; `null` when the stream only watches. */
  readonly connectionId: string | null
  readonly memberId: string | null
  /** Called when there may be a frame to take. Set by the writer of the stream. */
  onOwed: () => void = nothing
  /** Called once, when either side ends the stream. */
  onEnded: () => void = nothing
  /** True when the writer pulls frames asynchronously, rather than writing them when it is woken. */
  isPumped = false
  readonly #onClosed: (subscriber: Subscriber, by: 'peer' | 'server') => void
  /** The version that the reader has; 0 when it has nothing yet and is due a snapshot. */
  #version: number
  #hello: Hello | null
  #beatDue = false
  /**
   * The reader's cursor in the room's ring of broadcasts. Broadcasts from before the stream was opened are not sent.
   */
  #cursor: number
  #ending: Ending | null = null
  #isClosed = false

  constructor(options: {
    room: LiveRoom
    connectionId: string | null
    memberId: string | null
    hello: Hello
    version: number | null
    onClosed: (subscriber: Subscriber, by: 'peer' | 'server') => void
  }) {
    this.room = options.room
    this.connectionId = options.connectionId
    this.memberId = options.memberId
    this.#hello = options.hello
    this.#version = options.version ?? 0
    this.#cursor = options.room.broadcasts.ring.end
    this.#onClosed = options.onClosed
  }

  /** Returns the next frame, or `null` when the reader is up to date. */
  take(): Frame | null {
    const { frames, timeline, traffic, isOutOfReach } = this.room
    if (this.#hello) {
      const hello = this.#hello
      this.#hello = null
      return this.#ownFrame(hello)
    }
    if (this.#ending && !this.#isClosed) {
      this.#isClosed = true
      return this.#ownFrame({ type: 'bye', reason: this.#ending.bye })
    }
    if (this.#isClosed) return null
    if (this.#version !== timeline.version) {
      if (this.#version !== 0 && this.#version !== timeline.previous) traffic.merged += 1
      const frame = this.#version === 0 ? frames.snapshot() : frames.since(this.#version)
      this.#version = frame.version
      return frame
    }
    if (!this.#beatDue) return this.#takeBroadcasts()
    this.#beatDue = false
    return isOutOfReach ? this.#ownFrame({ type: 'degraded', reason: 'backend' }) : frames.beat()
  }

  /**
   * Returns the next broadcasts. Broadcasts come last, so that frames of the room do not wait for them, and neither do
   * heartbeats, by which clients renew their leases.
   */
  #takeBroadcasts(): Frame | null {
    const { broadcasts, timeline, traffic } = this.room
    if (this.#cursor === broadcasts.ring.end) return null
    const isFor = (memberId: string) => this.reader === memberId && timeline.hasMember(memberId)
    const reader = { id: timeline.id(this.#version), version: this.#version, isFor }
    const { frame, cursor, lost } = broadcasts.ring.take(this.#cursor, reader)
    this.#cursor = cursor
    traffic.broadcastsLost += lost
    return frame
  }

  /** The member who reads this stream. For an anonymous stream, this is the member to whom its connection belongs. */
  get reader(): string | null {
    const { memberId, connectionId, room } = this
    if (memberId !== null || connectionId === null) return memberId
    return room.timeline.connection(connectionId)?.memberId ?? null
  }

  /** True once the first frame was taken. */
  get hasBegun(): boolean {
    return this.#hello === null
  }

  /** True when no more frames follow. `endedWith` then holds the error for the reader, if there is one. */
  get isClosed(): boolean {
    return this.#isClosed
  }

  /** True until either side ends the stream. */
  get isOpen(): boolean {
    return !this.#isClosed && !this.#ending
  }

  /** The reason for which the server ended the stream; `null` when it did not. */
  get endedBy(): ByeReason | null {
    return this.#ending?.bye ?? null
  }

  /** The error that ends the stream for good; `null` when the client may reconnect. */
  get endedWith(): LocationError | null {
    return this.#ending?.error ?? null
  }

  /** Tells the writer that the room has a new version. */
  wake(): void {
    this.onOwed()
  }

  /** Schedules a heartbeat, which is sent once the reader is up to date. */
  beat(): void {
    this.#beatDue = true
    this.onOwed()
  }

  /**
   * Continues after the room was read again from the backend. When no changes lead from this stream's version to the
   * new state, the stream restarts with a snapshot.
   *
   * @param epoch the epoch of the version that the reader has.
   */
  goOnFrom(epoch: string): void {
    if (!this.room.timeline.leadsFrom({ epoch, version: this.#version })) this.restart()
  }

  /** Makes the next frame a snapshot. */
  restart(): void {
    this.#version = 0
    this.onOwed()
  }

  /** Ends the stream from the server's side: a bye is sent, then the stream is closed. */
  end(bye: ByeReason, error: LocationError | null = null): void {
    if (this.#ending || this.#isClosed) return
    this.#ending = { bye, error }
    this.#onClosed(this, 'server')
    this.onEnded()
    this.onOwed()
  }

  /** Closes the stream after the reader disconnected. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    if (!this.#ending) {
      this.#onClosed(this, 'peer')
      this.onEnded()
    }
    this.onOwed()
  }

  /** Makes a frame for this stream alone. It does not change the version that the reader has. */
  #ownFrame(event: Frame['event']): Frame {
    return new Frame(this.room.timeline.id(this.#version), event, this.#version)
  }
}
