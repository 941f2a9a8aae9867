import {
  createTRPCClient,
  httpBatchLink,
  httpLink,
  httpSubscriptionLink,
  splitLink,
  type TRPCClientError,
} from '@trpc/client'
import { EventSource } from 'eventsource'
import { applyEvent, View, type CellLocation, type LocationEvent } from 'hereabouts'
import type { LocationRouter } from 'hereabouts/server/standalone'
import { Inbox } from '../until.js'
import type { CellTypes } from '../cell-types.js'

export type Cells = LocationRouter<CellTypes>
export type CellEvent = LocationEvent<CellTypes>

type StockOptions = { batching?: boolean; headers?: Record<string, string> }

/** Creates tRPC's own client, as its documentation sets it up. */
export function stockClient(url: string, { batching = false, headers }: StockOptions = {}) {
  return createTRPCClient<Cells>({
    links: [
      splitLink({
        condition: ({ type }) => type === 'subscription',
        true: httpSubscriptionLink({
          url,
          EventSource,
          eventSourceOptions: () => ({
            fetch: (input, init) => fetch(input, { ...init, headers: { ...init.headers, ...headers } }),
          }),
        }),
        false: (batching ? httpBatchLink : httpLink)({ url, ...(headers && { headers }) }),
      }),
    ],
  })
}
export type StockClient = ReturnType<typeof stockClient>

/** Opens a stock subscription, records its events, and applies them to a view. `diverged` has the events that fail. */
export function subscribed(client: StockClient, input: Parameters<StockClient['onLocation']['subscribe']>[0]) {
  const heard = new Inbox<{ id: string; event: CellEvent }>()
  const errors = new Inbox<TRPCClientError<Cells>>()
  const states = new Inbox<string>()
  const view = new View<CellTypes>()
  const diverged: unknown[] = []
  let completed = false
  const subscription = client.onLocation.subscribe(input, {
    onData({ id, data: event }) {
      const applied = applyEvent(view, id, event)
      if (applied.outcome === 'diverged') diverged.push({ id, event, because: applied.because })
      heard.put({ id, event })
    },
    onError: errors.put,
    onConnectionStateChange: ({ state }) => states.put(state),
    onComplete: () => (completed = true),
  })
  return {
    heard,
    errors,
    states,
    view,
    diverged,
    /** The received events that change the view: snapshots and changes. */
    get told() {
      return heard.all.filter(({ event }) => event.type === 'snapshot' || event.type === 'changes')
    },
    get completed() {
      return completed
    },
    unsubscribe: () => subscription.unsubscribe(),
    [Symbol.dispose]: () => subscription.unsubscribe(),
  }
}

let keys = 0
/** Returns a connectionKey that no other test uses. */
export const newKey = () => `test-${process.pid}-${(keys += 1)}-`.padEnd(22, 'k')

/** Returns the location of a cell in the sheet Q3. */
export const cell = (row: number, col = 2): CellLocation => ({ sheet: 'Q3', row, col })
