import type { OnLocationInput } from '../../shared/call-types.js'
import type { Clock } from '../../shared/clock.js'
import type { LocationEvent, Tracked } from '../../shared/events.js'
import type { RoomTypes } from '../../shared/room-types.js'
import { cut, type Failure } from '../connection/failure.js'
import type { StreamListener } from '../connection/stream-types.js'
import type { ProcedureWire } from './procedure-wire.js'
import { beginMs, type SharedSocket } from './shared-socket.js'
import { refusalOf, type SocketConnection } from './socket-connection.js'
import type { SseFallback } from './sse-fallback.js'

export type SocketStreamParts = { shared: SharedSocket; wire: ProcedureWire; fallback: SseFallback; clock: Clock }

/** One stream of a room on the client's socket. */
export class SocketStream<T extends RoomTypes> {
  readonly #parts: SocketStreamParts
  readonly #listener: StreamListener<T>
  #socket: SocketConnection | null = null
  #id = 0
  #isOver = false
  /** True when anything has arrived on the socket since the stream was requested. */
  #hasHeard = false
  #stopTimer: () => void

  constructor(parts: SocketStreamParts, input: OnLocationInput, listener: StreamListener<T>) {
    this.#parts = parts
    this.#listener = listener
    // Begins a moment later, so that the listener is not called before its owner has the function that closes the
    // stream.
    this.#stopTimer = parts.clock.after(0, () => this.#begin(input))
  }

  /** Closes the stream without telling its listener. */
  close(): void {
    if (this.#isOver) return
    this.#finish()
    this.#socket?.stop(this.#id)
  }

  #begin(input: OnLocationInput): void {
    const { shared, wire, clock } = this.#parts
    try {
      // The app's transformer may throw, too.
      const params = wire.params('onLocation', input)
      this.#socket = shared.use()
      this.#id = this.#socket.request('subscription', params, {
        message: (result) => this.#isOver || this.#take(result),
        refused: (error) => this.#end(refusalOf(error)),
        closed: (failure) => this.#end(failure),
      })
    } catch (thrown) {
      return this.#end(cut(String(thrown)))
    }
    shared.hearing.add(this.#heard)
    this.#stopTimer = clock.after(beginMs, () => this.#giveUp(cut('no hello')))
  }

  readonly #heard = () => {
    this.#hasHeard = true
    this.#listener.heard()
  }

  /**
   * Ends a stream without a hello: only this stream while the socket works and the server lets it wait; all streams of
   * a dead socket.
   */
  #giveUp(failure: Failure): void {
    if (!this.#hasHeard) return this.#socket!.end(failure)
    this.#socket!.stop(this.#id)
    this.#end(failure)
  }

  #take({ type, data }: { type?: string; data?: unknown }): void {
    if (type === 'started') return this.#listener.opened()
    if (type !== 'data') {
      this.#socket?.forget(this.#id)
      return this.#end(cut('stopped by the server'))
    }
    const { id, data: event } = this.#parts.wire.output(data) as Tracked<LocationEvent<T>>
    if (event?.type === 'hello') {
      this.#stopTimer()
      this.#socket?.hello()
      this.#parts.fallback.worked()
    }
    this.#listener.event(id, event)
  }

  #end(failure: Failure): void {
    if (this.#isOver) return
    this.#finish()
    this.#listener.ended(failure)
  }

  #finish(): void {
    this.#isOver = true
    this.#stopTimer()
    this.#parts.shared.hearing.delete(this.#heard)
    this.#parts.shared.closeWhenIdle()
  }
}
