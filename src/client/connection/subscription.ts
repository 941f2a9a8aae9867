import { httpSubscriptionLink } from '@trpc/client'
import type { LocationEvent, Tracked } from '../../shared/events.js'
import type { RoomTypes } from '../../shared/room-types.js'
import type { FirstLoad } from '../first-load.js'
import type { Failure } from './failure.js'
import { OneShotEventSource, type Headers } from './sse-connection.js'
import type { OpenSubscription } from './stream-types.js'

/** The address of the procedures and how to reach them. */
export type Endpoint = {
  url: string
  /** The prefix of a procedure's name: `locations.`, or nothing. */
  prefix: string
  headers: Headers
  fetch: typeof fetch
  transformer: unknown
}

export function subscriptionOpener<T extends RoomTypes>(endpoint: Endpoint, firstLoad: FirstLoad): OpenSubscription<T> {
  const { url, prefix, transformer } = endpoint
  const { cut, failureOf, operation } = firstLoad
  const link = httpSubscriptionLink({
    url,
    transformer: transformer as undefined,
    // tRPC's type requires `onopen` and the like, which it does not use when they are absent.
    EventSource: OneShotEventSource as never,
    eventSourceOptions: ({ op }) => ({ ...firstLoad, ...endpoint, ...op.context }) as never,
  })({})

  return (input, listener) => {
    let over = false
    const unlessOver = (run: () => void) => () => over || run()
    const end = (failure: Failure) => {
      if (over) return
      close()
      // The polls that follow an obstructed stream will show whether our server can be reached at all.
      listener.ended(failure.obstructed ? cut('another server answered', true) : failure)
    }
    const context = { opened: unlessOver(listener.opened), heard: unlessOver(listener.heard) }
    const subscription = link(operation('subscription', `${prefix}onLocation`, input, context)).subscribe({
      next({ result }) {
        // The stream ends here instead of reconnecting, as tRPC would do after a 5xx error or its inactivity timeout.
        if (result.type === 'state') {
          if (result.state === 'connecting' && result.error) end(failureOf(result.error, url))
        } else if (!over && 'data' in result) {
          const { id, data } = result.data as Tracked<LocationEvent<T>>
          listener.event(id, data)
        }
      },
      error: (thrown) => end(failureOf(thrown, url)),
      // Retried: a `return` event would end the subscription of a stock client for good.
      complete: () => end(cut('ended by the server')),
    })
    const close = () => {
      over = true
      subscription.unsubscribe()
    }
    return close
  }
}
