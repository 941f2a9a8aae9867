/**
 * WebSockets beside Server-Sent Events, for apps whose people post many times a second. It needs `ws`, an optional peer
 * dependency.
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
