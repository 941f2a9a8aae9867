import { eventStream, type Message } from './sse-parser.js'
import { ForeignAnswer } from './failure.js'

export type Headers = () => Record<string, string> | Promise<Record<string, string>>

export interface SseConnectionOptions {
  url: string
  fetch: typeof fetch
  /** Called once for each connection. */
  headers: Headers
  /** The server answered with a stream. */
  opened(): void
  /** Bytes of any kind arrived. */
  heard(): void
  message(message: Message): void
  /** Called once, when the connection failed or the body ended, unless it was closed. */
  failed(thrown: unknown): void
}

/**
 * Opens one connection of an EventSource: HTML §9.2 (https://html.spec.whatwg.org/multipage/server-sent-events.html) without
 * reconnection. The standard reconnects to the same URL with the same id every three seconds, at the same time as every
 * other client; connection-state.ts uses backoff and jitter instead. Returns a function that closes the connection.
 */
export function openSseConnection(options: SseConnectionOptions): () => void {
  const controller = new AbortController()
  const { signal } = controller
  connect(options, signal).catch((thrown: unknown) => signal.aborted || options.failed(thrown))
  // §9.2.2: "must abort any instances of the fetch algorithm started for this EventSource object".
  return () => controller.abort()
}

async function connect({ url, fetch, headers, ...listener }: SseConnectionOptions, signal: AbortSignal): Promise<void> {
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
    throw new ForeignAnswer(status)
  }
  if (signal.aborted) return
  listener.opened()
  // A listener may have closed the connection at an earlier message of the same piece.
  const feed = eventStream((message) => signal.aborted || listener.message(message))
  // §9.2.6: "Streams must be decoded using the UTF-8 decode algorithm", which drops a byte order mark.
  const text = body.pipeThrough(new TextDecoderStream()).getReader()
  for (;;) {
    const { done, value } = await text.read()
    // §9.2.6: "Once the end of the file is reached, any pending data must be discarded."
    if (done) throw new Error('The stream ended.')
    if (signal.aborted) return
    listener.heard()
    feed(value)
  }
}
