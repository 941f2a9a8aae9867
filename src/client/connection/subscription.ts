import { TRPCClientError } from '@trpc/client'
import type { OnLocationInput } from '../../shared/call-types.js'
import type { LocationEvent } from '../../shared/events.js'
import { openSseConnection, type Headers } from './sse-connection.js'
import { cut, failureOf, type Failure } from './failure.js'
import type { RoomTypes } from '../../shared/room-types.js'

/** The address of the procedures and how to reach them. */
export type Endpoint = {
  url: string
  /** The prefix of a procedure's name: `locations.`, or nothing. */
  prefix: string
  headers: Headers
  fetch: typeof fetch
  transformer: unknown
}

export interface StreamListener<T extends RoomTypes> {
  /** The server answered with a stream; its hello is due. */
  opened(): void
  event(id: string, event: LocationEvent<T>): void
  /** Bytes of any kind arrived. */
  heard(): void
  /** Called once, when the stream has ended for any reason. */
  ended(failure: Failure): void
}
/** Opens one `onLocation` subscription that never reconnects by itself. Returns a function that closes it without `ended`. */
export type OpenSubscription<T extends RoomTypes> = (input: OnLocationInput, listener: StreamListener<T>) => () => void

export function subscriptionOpener<T extends RoomTypes>(endpoint: Endpoint): OpenSubscription<T> {
  const { url, prefix, fetch, headers } = endpoint
  const { input: inputs, output: outputs } = transformersOf(endpoint.transformer)
  const [base = '', query] = url.split('?')
  const urlOf = (input: OnLocationInput) =>
    `${base.replace(/\/$/, '')}/${prefix}onLocation?${query ? `${query}&` : ''}input=${encodeURIComponent(JSON.stringify(inputs.serialize(input)))}`

  return (input, listener) => {
    const end = (failure: Failure) => {
      close()
      // Polls will show whether our server is there at all.
      listener.ended(failure.obstructed ? cut('something else answered', true) : failure)
    }
    const failed = (thrown: unknown) => end(failureOf(TRPCClientError.from(thrown as Error), url))
    const close = openSseConnection({
      ...listener,
      url: urlOf(input),
      fetch,
      headers,
      failed,
      message({ type, data, lastEventId }) {
        const value = () => outputs.deserialize(JSON.parse(data))
        if (type === 'message') listener.event(lastEventId, value() as LocationEvent<T>)
        if (type === 'serialized-error') failed({ error: value() })
        // A `return` event ends a subscription for good in a stock client.
        if (type === 'return') end(cut('return'))
      },
    })
    return close
  }
}

type Transformer = { serialize(value: unknown): unknown; deserialize(value: unknown): unknown }
type Transformers = { input: Transformer; output: Transformer }

/** The transformers of our input and the server's output: tRPC takes one for both, or a pair. */
function transformersOf(given: unknown): Transformers {
  const transformer = (given ?? { serialize: same, deserialize: same }) as Transformer | Transformers
  return 'input' in transformer ? transformer : { input: transformer, output: transformer }
}
const same = (value: unknown) => value
