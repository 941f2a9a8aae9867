import {
  corsHeaders,
  refusalOf,
  refusalResponse,
  type IncomingRequest,
  type OriginRules,
  type Refusal,
} from './origin-check.js'
import { keepHeaderFields } from './kept-headers.js'

/** The parts of a request that the request guard reads: a request of `node:http` or Express. */
export type GuardRequest = IncomingRequest & {
  url?: string | undefined
  /** The whole URL, set by frameworks that remove the path of a mounted handler from `url`. */
  originalUrl?: string | undefined
  body?: unknown
}
/** The parts of a response that the request guard uses. */
export type GuardResponse = {
  /** Sets a header of the answer. */
  setHeader(name: string, value: string | string[]): unknown
  /** Sends the status and the headers. */
  writeHead(status: number): unknown
  /** Ends the answer, with a body if there is one. */
  end(body?: string): unknown
}

type Checks = { bodyBytes?: number; check?: () => Refusal | null }

/** Returns true when a request may continue; otherwise answers it (a refusal, or a CORS preflight) and returns false. */
export function guardRequest(
  request: GuardRequest,
  response: GuardResponse,
  rules: OriginRules,
  { bodyBytes = Infinity, check = () => null }: Checks = {},
): boolean {
  response.setHeader('x-content-type-options', 'nosniff')
  response.setHeader('cache-control', 'no-store')
  const { vary, ...headers } = corsHeaders(request, rules)
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value)
  // tRPC overwrites `Cache-Control` when it answers with a stream, so the header is kept there. Posts, thousands a
  // second, are never streams and skip this.
  const isPost = request.method === 'POST'
  if (!isPost || vary !== undefined)
    keepHeaderFields(response, { ...(!isPost && { 'cache-control': 'no-store' }), ...(vary !== undefined && { vary }) })
  const refusal = refusalOf(request, { ...rules, bodyBytes }) ?? check()
  if (refusal) {
    refuse(refusal, request, response)
    return false
  }
  if (request.method !== 'OPTIONS') return true
  response.writeHead(204)
  response.end()
  return false
}

/** Answers a request that is refused. */
export function refuse(refusal: Refusal, request: GuardRequest, response: GuardResponse): void {
  const { httpStatus, body } = refusalResponse(refusal)
  // Closes the connection: the unread rest of the body must not be parsed as the next request.
  if (refusal.code === 'PAYLOAD_TOO_LARGE' && !isHttp2(request)) response.setHeader('connection', 'close')
  response.setHeader('content-type', 'application/json')
  response.writeHead(httpStatus)
  response.end(body)
}

// HTTP/2 multiplexes streams, so it has no `connection` header.
const isHttp2 = ({ headers }: GuardRequest) => headers[':authority'] !== undefined
