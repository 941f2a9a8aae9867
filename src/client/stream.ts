import { httpSubscriptionLink } from '@trpc/client'
import type { LocationEvent, OnLocationInput, Tracked } from '../shared/protocol.js'
import { OneShotEventSource, streamFetch, type Headers } from './event-source.js'
import { operation } from './operation.js'

/** Where the procedures are and how to get there. */
export type Endpoint = {
  url: string
  /** What stands before a procedure's name: `locations.`, or nothing. */
  prefix: string
  headers: Headers
  fetch: typeof fetch
  transformer: unknown
}

export interface StreamListener<L, P> {
  event(id: string, event: LocationEvent<L, P>): void
  /** Bytes came in, of whatever kind. */
  heard(): void
  /** Once, whatever the cause: nothing more comes of this stream. */
  ended(cause: unknown): void
}
/** Opens one `onLocation` subscription that never reconnects by itself; returns what closes it without another word. */
export type OpenStream<L, P> = (input: OnLocationInput, listener: StreamListener<L, P>) => () => void

export function streamOpener<L, P>({ url, prefix, headers, fetch, transformer }: Endpoint): OpenStream<L, P> {
  const link = httpSubscriptionLink({
    url,
    transformer: transformer as undefined,
    EventSource: OneShotEventSource,
    eventSourceOptions: ({ op }) => ({ fetch: streamFetch(fetch, headers, op.context['heard'] as () => void) }),
  })({})

  return (input, { event, heard, ended }) => {
    let over = false
    const end = (cause: unknown) => {
      if (over) return
      close()
      ended(cause)
    }
    const context = { heard: () => over || heard() }
    const subscription = link(operation('subscription', `${prefix}onLocation`, input, context)).subscribe({
      next({ result }) {
        // tRPC would wait here and come back on its own: after a 5xx error, or its inactivity timeout.
        if (result.type === 'state') {
          if (result.state === 'connecting' && result.error) end(result.error)
        } else if (!over && 'data' in result) {
          const { id, data } = result.data as Tracked<LocationEvent<L, P>>
          event(id, data)
        }
      },
      error: end,
      // A `return` event ends a subscription for good in a stock client.
      complete: () => end(null),
    })
    const close = () => {
      over = true
      subscription.unsubscribe()
    }
    return close
  }
}
