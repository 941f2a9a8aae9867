/**
 * Serves WebSockets in addition to Server-Sent Events, for apps whose users post many times a second. The package `ws`,
 * an optional peer dependency, must be installed.
 *
 * @module hereabouts/server/websocket
 */
export {
  createLocationWebSocketHandler,
  type LocationWebSocketHandler,
  type LocationWebSocketOptions,
  type UpgradableServer,
  type WsServer,
  type WsSocket,
} from './handler.js'
