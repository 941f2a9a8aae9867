import { ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import type { NodeRequest, NodeResponse } from './sink.js'

/*
 * HTTP/1.1 lets a client send further requests before it has read the first response (pipelining). Node parses all of
 * them at once, while their responses go out one after the other. Serving them all at once would keep every response in
 * memory until the client reads, and would open streams whose responses may never begin.
 */

/**
 * The maximum number of requests of one socket that wait for an earlier response. No client that follows the standards
 * sends as many.
 */
export const maxWaitingRequests = 100

const waiting = new WeakMap<Socket, number>()

/**
 * Calls `serve` when the earlier responses on the request's socket have been handed to the kernel: at once, unless the
 * client pipelines. A request whose socket closes before that is never served. A socket with more than
 * `maxWaitingRequests` waiting requests is destroyed.
 */
export function serveInOrder(request: NodeRequest, response: NodeResponse, serve: () => void): void {
  const socket: unknown = request.socket
  // In Node, a response has no socket (`null`) while it is queued behind another response. Test doubles have no socket
  // at all, and are served at once.
  if (response.socket !== null || !(response instanceof ServerResponse) || !(socket instanceof Socket)) return serve()
  if (socket.destroyed) return
  const count = waiting.get(socket) ?? 0
  if (count >= maxWaitingRequests) return void socket.destroy()
  waiting.set(socket, count + 1)
  response.once('socket', () => {
    waiting.set(socket, waiting.get(socket)! - 1)
    serve()
  })
}
