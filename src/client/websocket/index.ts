/**
 * A WebSocket instead of SSE and requests, for pages that post many times a second.
 *
 * @module hereabouts/client/websocket
 */
export { webSocket, type WebSocketOptions } from './web-socket.js'
