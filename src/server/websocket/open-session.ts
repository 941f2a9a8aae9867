import type { IncomingMessage } from 'node:http'
import type { WebSocket } from 'ws'
import type { SocketEnvironment } from './socket-environment.js'
import type { SocketRegistry } from './socket-registry.js'
import { SocketSession } from './socket-session.js'
import { SocketWriter } from './socket-writer.js'

const ignore = (): void => {}

/**
 * Connects the events of a socket to a session.
 *
 * @param doesPong false when `ws` itself answers pings.
 */
export function openSession(
  environment: SocketEnvironment,
  registry: SocketRegistry,
  ws: WebSocket,
  req: IncomingMessage,
  doesPong: boolean,
) {
  const { clock, timing } = environment
  const writer = new SocketWriter(ws, req.socket, clock, timing)
  const admit = (session: SocketSession, ctx: unknown) => registry.admit(session, ctx)
  const session = new SocketSession({ environment, ws, req, writer, admit })
  registry.add(session)
  writer.onDrain = () => session.regulate()
  writer.onStall = () => session.terminate()
  const received = () => {
    session.receivedAt = clock.now()
  }
  ws.on('message', (data, isBinary) => {
    try {
      session.handle(data as Buffer, isBinary)
    } catch (cause) {
      session.fail(cause)
    }
  })
  ws.on('pong', received)
  ws.on('ping', (data) => {
    received()
    // A client that does not read gets no pong: RFC 6455 §5.5.3 requires an answer to the latest ping only.
    if (doesPong && !req.socket.writableNeedDrain && ws.readyState === ws.OPEN) ws.pong(data)
    session.regulate()
  })
  // Ignored: when the client violates the WebSocket protocol or the connection breaks, `close` follows.
  ws.on('error', ignore)
  ws.once('close', () => {
    registry.delete(session)
    session.close()
  })
  return session
}
