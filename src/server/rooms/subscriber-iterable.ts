import type { Frame } from './frames.js'
import type { Subscriber } from './subscriber.js'

export type SubscriberIterableOptions<T> = {
  /** Converts a frame to the value that the tRPC adapter sends. */
  envelope: (frame: Frame) => T
  /** Converts an error to one that the tRPC adapter understands. */
  toError: (error: Error) => Error
  /** The signal that is aborted when the reader disconnects. */
  signal: AbortSignal | undefined
  /** Called with the signal when the first event is requested. */
  onFirstPull?: (signal: AbortSignal | undefined) => void
}

const iterables = new WeakMap<AbortSignal, SubscriberIterable<unknown>>()

/**
 * Returns the stream that was opened under a call's signal, for a caller that did not receive it because the call
 * failed.
 */
export const iterableFor = (signal: AbortSignal): SubscriberIterable<unknown> | undefined => iterables.get(signal)

/**
 * The result of `onLocation`: an async iterable that any tRPC adapter can pull from. It exposes the subscriber, so that
 * our own HTTP middleware can take frames directly.
 */
export class SubscriberIterable<T> implements AsyncIterable<T, void> {
  readonly subscriber: Subscriber
  readonly toError: (error: Error) => Error
  readonly #envelope: (frame: Frame) => T
  readonly #signal: AbortSignal | undefined
  readonly #onFirstPull: (signal: AbortSignal | undefined) => void

  constructor(subscriber: Subscriber, options: SubscriberIterableOptions<T>) {
    const { envelope, toError, signal, onFirstPull = () => {} } = options
    this.subscriber = subscriber
    this.toError = toError
    this.#envelope = envelope
    this.#signal = signal
    this.#onFirstPull = onFirstPull
    if (!signal) return
    iterables.set(signal, this)
    if (signal.aborted) {
      subscriber.close()
      return
    }
    const close = () => subscriber.close()
    signal.addEventListener('abort', close, { once: true })
    // The listener is removed, because a caller may open any number of streams under one signal that outlives them all.
    subscriber.onEnded = () => signal.removeEventListener('abort', close)
  }

  [Symbol.asyncIterator](): AsyncIterator<T, void> {
    const { subscriber } = this
    subscriber.isPumped = true
    return {
      next: async () => {
        if (!subscriber.hasBegun) this.#onFirstPull(this.#signal)
        for (;;) {
          const frame = subscriber.take()
          if (frame) {
            subscriber.room.traffic.frames += 1
            return { done: false, value: this.#envelope(frame) }
          }
          // The iterator throws instead of returning: tRPC reports a return to its clients, which then stop for good.
          // An AbortError only ends the response body.
          if (subscriber.isClosed) throw subscriber.endedWith ? this.toError(subscriber.endedWith) : aborted()
          await new Promise<void>((resolve) => (subscriber.onOwed = resolve))
        }
      },
      return: async () => {
        subscriber.close()
        return { done: true, value: undefined }
      },
    }
  }
}

const aborted = () => new DOMException('The stream was closed.', 'AbortError')
