import type { Frame } from './frames.js'
import type { Subscriber } from './subscriber.js'

export type SubscriberIterableOptions<T> = {
  /** Makes of a frame what the adapter sends. */
  envelope: (frame: Frame) => T
  /** Makes of an error what the adapter understands. */
  toError: (error: Error) => Error
  /** Aborted when the reader went away. */
  signal: AbortSignal | undefined
}

const pumps = new WeakMap<AbortSignal, SubscriberIterable<unknown>>()

/** The stream that was opened for a call, if one was: for a caller who was never given it. */
export const iterableFor = (signal: AbortSignal): SubscriberIterable<unknown> | undefined => pumps.get(signal)

/**
 * What `onLocation` resolves to: an async iterable that any tRPC adapter can pump, and that bears the subscriber, so that
 * a writer which knows it can take its frames directly.
 */
export class SubscriberIterable<T> implements AsyncIterable<T, void> {
  readonly subscriber: Subscriber
  readonly toError: (error: Error) => Error
  readonly #envelope: (frame: Frame) => T

  constructor(subscriber: Subscriber, { envelope, toError, signal }: SubscriberIterableOptions<T>) {
    this.subscriber = subscriber
    this.toError = toError
    this.#envelope = envelope
    if (!signal) return
    pumps.set(signal, this)
    if (signal.aborted) subscriber.close()
    signal.addEventListener('abort', () => subscriber.close(), { once: true })
  }

  [Symbol.asyncIterator](): AsyncIterator<T, void> {
    const { subscriber } = this
    subscriber.isPumped = true
    return {
      next: async () => {
        for (;;) {
          const frame = subscriber.take()
          if (frame) {
            subscriber.room.traffic.frames += 1
            return { done: false, value: this.#envelope(frame) }
          }
          // Never a return: tRPC tells its clients of one, and they stop for good. An AbortError ends the body, no more.
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

const aborted = () => new DOMException('The stream was cut.', 'AbortError')
