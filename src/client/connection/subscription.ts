import { httpSubscriptionLink } from '@trpc/client'
import type { OnLocationInput } from '../../shared/call-types.js'
import type { LocationEvent, Tracked } from '../../shared/events.js'
import { OneShotEventSource, type Headers } from './sse-connection.js'
import { cut, failureOf, type Failure } from './failure.js'
import { operation } from './trpc-operation.js'

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
  /** A stream was begun, and may now be expected to say hello. */
  opened(): void
  event(id: string, event: LocationEvent<L, P>): void
  /** Bytes came in, of whatever kind. */
  heard(): void
  /** Once, whatever the cause: nothing more comes of this stream. */
  ended(failure: Failure): void
}
/** Opens one `onLocation` subscription that never reconnects by itself; returns what closes it without another word. */
export type OpenSubscription<L, P> = (input: OnLocationInput, listener: StreamListener<L, P>) => () => void

export function subscriptionOpener<L, P>({
  url,
  prefix,
  headers,
  fetch,
  transformer,
}: Endpoint): OpenSubscription<L, P> {
  const link = httpSubscriptionLink({
    url,
    transformer: transformer as undefined,
    // tRPC's type wants `onopen` and the like too; it uses what is there.
    EventSource: OneShotEventSource as never,
    eventSourceOptions: ({ op }) => ({ fetch, headers, ...op.context }) as never,
  })({})

  return (input, listener) => {
    let over = false
    const unlessOver = (run: () => void) => () => over || run()
    const end = (failure: Failure) => {
      if (over) return
      close()
      // Whether anything of ours is there at all, polls will tell.
      listener.ended(failure.obstructed ? cut('something else answered', true) : failure)
    }
    const context = { opened: unlessOver(listener.opened), heard: unlessOver(listener.heard) }
    const subscription = link(operation('subscription', `${prefix}onLocation`, input, context)).subscribe({
      next({ result }) {
        // tRPC would wait here and come back on its own: after a 5xx error, or its inactivity timeout.
        if (result.type === 'state') {
          if (result.state === 'connecting' && result.error) end(failureOf(result.error, url))
        } else if (!over && 'data' in result) {
          const { id, data } = result.data as Tracked<LocationEvent<L, P>>
          listener.event(id, data)
        }
      },
      error: (thrown) => end(failureOf(thrown, url)),
      // A `return` event ends a subscription for good in a stock client.
      complete: () => end(cut('return')),
    })
    const close = () => {
      over = true
      subscription.unsubscribe()
    }
    return close
  }
}
