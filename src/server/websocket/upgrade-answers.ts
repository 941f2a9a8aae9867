import type { Duplex } from 'node:stream'
import type { IncomingMessage } from 'node:http'
import type { WebSocket } from 'ws'
import { refusalOf, refusalResponse, type OriginRules, type Refusal } from '../http/guard/origin-check.js'
import { closeCodes } from './socket-environment.js'

/** Returns the reason for which a WebSocket upgrade is refused; null when the upgrade may continue. */
export function upgradeRefusal(request: IncomingMessage, rules: OriginRules | null): Refusal | null {
  return rules && refusalOf(request, rules)
}

/** Returns false when the URL of a request, with its Host header, cannot be parsed: tRPC and apps would throw. */
export const hasReadableUrl = ({ url = '', headers }: IncomingMessage): boolean =>
  URL.canParse(url, `http://${headers.host ?? 'localhost'}`)

const phrases: Record<number, string> = {
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  503: 'Service Unavailable',
}

/** Answers an upgrade with an HTTP error and closes the connection. */
export function answerUpgrade(socket: Duplex, httpStatus: number, body: string): void {
  // The client may have disconnected already, and an error without a listener would end the process.
  socket.on('error', () => socket.destroy())
  socket.end(
    `HTTP/1.1 ${httpStatus} ${phrases[httpStatus] ?? 'Bad Request'}\r\nconnection: close\r\ncontent-type: application/json\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    () => socket.destroy(),
  )
}

export function refuseUpgrade(socket: Duplex, refusal: Refusal): void {
  const { httpStatus, body } = refusalResponse(refusal)
  answerUpgrade(socket, httpStatus, body)
}

const unavailable = {
  message: 'unavailable: This server takes no new connections: connect again.',
  code: -32_603,
  data: { code: 'SERVICE_UNAVAILABLE', httpStatus: 503 },
}

const unreadable = 'The URL or the Host header is not valid.'

/** Answers 400 when `hasReadableUrl` is false. */
export const refuseUnreadable = (socket: Duplex): void =>
  answerUpgrade(socket, 400, JSON.stringify({ error: unreadable }))

/** Closes an open socket for which `hasReadableUrl` is false. */
export function closeUnreadable(ws: WebSocket): void {
  ws.on('error', () => {})
  ws.close(closeCodes.policyViolation, unreadable)
}

/** Answers 503, so that a load balancer or the client chooses another process. */
export const refuseForNow = (socket: Duplex): void => answerUpgrade(socket, 503, JSON.stringify({ error: unavailable }))
