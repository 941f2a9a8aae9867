import type { FirstLoad } from '../first-load.js'
import { eventStream } from './sse-parser.js'

export type Headers = () => Record<string, string> | Promise<Record<string, string>>

export interface OneShotInit extends Pick<FirstLoad, 'checkLength' | 'foreignAnswer'> {
  fetch: typeof fetch
  /** Returns the headers of the request. Called once for each stream. */
  headers: Headers
  /** The server answered with a stream. */
  opened(): void
  /** Bytes of any kind arrived on the stream. */
  heard(): void
}

/** The reason why a stream could not be opened or ended. */
class StreamError extends Event {
  readonly message: string
  readonly code: number | undefined
  readonly foreign: boolean | undefined

  constructor({ message, code, foreign }: { message: string; code?: number; foreign?: boolean }) {
    super('error')
    this.message = message
    this.code = code
    this.foreign = foreign
  }
}

/**
 * An EventSource for one connection: HTML §9.2 (https://html.spec.whatwg.org/multipage/server-sent-events.html) without
 * reconnection. The standard reconnects to the same URL with the same id every three seconds, at the same time as every
 * other client; connection-state.ts uses backoff and jitter instead. So this EventSource ends at its first error.
 */
export class OneShotEventSource extends EventTarget {
  readonly CLOSED = 2
  /** §9.2.2: 0 is CONNECTING, 1 is OPEN. */
  readyState = 0
  readonly #controller = new AbortController()

  constructor(url: string | URL, init: OneShotInit) {
    super()
    this.#connect(url, init).catch((thrown: Error) => this.#fail(thrown))
  }

  /** §9.2.2: "must abort any instances of the fetch algorithm started for this EventSource object". */
  close(): void {
    this.readyState = this.CLOSED
    this.#controller.abort()
  }

  async #connect(url: string | URL, init: OneShotInit): Promise<void> {
    const { fetch, headers, opened, heard, checkLength, foreignAnswer } = init
    const { signal } = this.#controller
    const response = await fetch(url, {
      // §9.2.2: "Set (`Accept`, `text/event-stream`) in request's header list. Set request's cache mode to "no-store"."
      headers: { ...(await headers()), accept: 'text/event-stream' },
      cache: 'no-store',
      signal,
    })
    const { body, status } = response
    const isStream = /^text\/event-stream\s*(;|$)/i.test(response.headers.get('content-type') ?? '')
    // §9.2.2: "if res's status is not 200, or if res's `Content-Type` is not `text/event-stream`, then fail the connection".
    if (status !== 200 || !isStream || !body) {
      await body?.cancel()
      throw foreignAnswer(status)
    }
    if (signal.aborted) return
    this.readyState = 1
    opened()
    const feed = eventStream(({ type, ...message }) => {
      // §9.2.6: "if the readyState attribute is set to a value other than CLOSED, dispatches the newly created event".
      if (this.readyState !== this.CLOSED) this.dispatchEvent(new MessageEvent(type, message))
    }, checkLength)
    // §9.2.6: "Streams must be decoded using the UTF-8 decode algorithm", which drops a byte order mark.
    const text = body.pipeThrough(new TextDecoderStream()).getReader()
    for (;;) {
      const { done, value } = await text.read()
      if (done) break
      heard()
      feed(value)
    }
    // §9.2.6: "Once the end of the file is reached, any pending data must be discarded."
    this.#fail({ message: 'The stream ended.' })
  }

  #fail(why: ConstructorParameters<typeof StreamError>[0]): void {
    if (this.readyState === this.CLOSED) return
    this.close()
    this.dispatchEvent(new StreamError(why))
  }
}
