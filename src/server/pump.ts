import type { Frame } from './frame.js'
import type { Subscriber } from './subscriber.js'

/**
 * What `onLocation` resolves to: an async iterable that any tRPC adapter can pump, and that bears the subscriber, so that
 * a writer which knows it can take its frames directly.
 */
export class Pump<T> implements AsyncIterable<T, void> {
  readonly subscriber: Subscriber
  readonly #envelope: (frame: Frame) => T
  readonly toError: (error: Error) => Error

  /**
   * @param envelope makes of a frame what the adapter sends.
   * @param toError makes of an error what the adapter understands.
   */
  constructor(subscriber: Subscriber, envelope: (frame: Frame) => T, toError: (error: Error) => Error) {
    this.subscriber = subscriber
    this.#envelope = envelope
    this.toError = toError
  }

  [Symbol.asyncIterator](): AsyncIterator<T, void> {
    const { subscriber } = this
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
