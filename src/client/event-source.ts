import { EventSource, type EventSourceInit, type FetchLike } from 'eventsource'

/**
 * An EventSource for one connection. The standard's own reconnect asks for the same URL with the same id every three
 * seconds, together with everybody else's; ours (reconnect.ts) does better, so this one ends at its first error.
 */
export class OneShotEventSource extends EventSource {
  constructor(url: string | URL, init?: EventSourceInit) {
    super(url, init)
    this.addEventListener('error', () => {
      this.close()
      // The timer of its reconnect is set after this event: closing once more clears it.
      queueMicrotask(() => this.close())
    })
  }
}

export type Headers = () => Record<string, string> | Promise<Record<string, string>>

/** A fetch that sends headers made anew for each stream, and tells of every chunk of bytes that comes in. */
export function streamFetch(fetch: typeof globalThis.fetch, headers: Headers, heard: () => void): FetchLike {
  return async (url, init) => {
    const response = await fetch(url, { ...init, headers: { ...(await headers()), ...init.headers } })
    const { body, status } = response
    if (!body || status !== 200) {
      await body?.cancel()
      return response
    }
    const overheard = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
      transform(chunk, out) {
        heard()
        out.enqueue(chunk)
      },
    })
    return new Response(body.pipeThrough(overheard), response)
  }
}
