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
  return async (input, init) => {
    const response = await fetch(input, { ...init, headers: { ...(await headers()), ...init.headers } })
    const { status, redirected, url } = response
    if (status !== 200) await response.body?.cancel()
    const reader = status === 200 && response.body?.getReader()
    const read = async () => {
      const chunk = await (reader as ReadableStreamDefaultReader<Uint8Array>).read()
      heard()
      return chunk
    }
    return {
      status,
      redirected,
      url,
      headers: response.headers,
      body: reader ? { getReader: () => ({ read, cancel: () => reader.cancel() }) } : null,
    }
  }
}
