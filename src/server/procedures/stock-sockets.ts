import type { Logger } from '../options/logger.js'
import { isSocketSignal } from './socket-calls.js'

const warned = new WeakSet<object>()

/**
 * Warns once for each hub when a stream is sent by tRPC's own WebSocket adapter, which reports the end of a stream to
 * the client as a final error.
 *
 * @param signal the signal of the subscription, when the stream is asked for its first event. tRPC's WebSocket adapter
 * has set `onabort` by then, and no other adapter does.
 */
export function warnOfStockSockets(hub: { logger: Logger }, signal: AbortSignal | undefined): void {
  if (!signal?.onabort || isSocketSignal(signal) || warned.has(hub)) return
  warned.add(hub)
  hub.logger.warn(
    'Location streams are sent by the WebSocket adapter of tRPC (applyWSSHandler): after a deploy or an expired sign-in, wsLink gives them up for good. Use createLocationWebSocketHandler of hereabouts/server/websocket instead.',
  )
}
