/** What is looked at of a request; `node:http`'s `IncomingMessage` is one. */
export type IncomingRequest = {
  method?: string | undefined
  headers: { [name: string]: string | string[] | undefined; host?: string | undefined; origin?: string | undefined }
  socket: { localAddress?: string | undefined }
}

export type OriginOptions = {
  /** Origins of pages, other than this server's own, that may call it: `https://app.example`. Default none. */
  origins?: readonly string[]
  /** Names under which this server may be called. Default: any, but loopback names only while it listens on loopback. */
  allowedHosts?: readonly string[]
}

/** Why a request is not let in: a tRPC code and a sentence that says what to do. */
export type Refusal = { code: keyof typeof answers; message: string }

/** As tRPC numbers them: the HTTP status, and the code of JSON-RPC (docs/PROTOCOL.md has both). */
export const answers = {
  BAD_REQUEST: [400, -32600],
  FORBIDDEN: [403, -32003],
  METHOD_NOT_SUPPORTED: [405, -32005],
  PAYLOAD_TOO_LARGE: [413, -32013],
  UNSUPPORTED_MEDIA_TYPE: [415, -32015],
} as const

const methods = ['GET', 'HEAD', 'POST', 'OPTIONS']
const loopback = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/

/**
 * Whether a request may come in at all, before anything is made of it: pages of other origins may not act in the name of
 * someone who is signed in here (CSRF), and names that merely resolve to this machine are not its name (DNS rebinding).
 */
export function refusalOf(request: IncomingRequest, options: OriginOptions & { bodyBytes?: number }): Refusal | null {
  const { origin, 'sec-fetch-site': site } = request.headers
  // RFC 9113 §8.3.1: HTTP/2 says it in a field of its own.
  const host = String(request.headers.host ?? request.headers[':authority'] ?? '')
  if (!methods.includes(request.method ?? ''))
    return { code: 'METHOD_NOT_SUPPORTED', message: `bad-input: Use ${methods.join(', ')}.` }
  const name = host.replace(/:\d+$/, '').toLowerCase()
  if (!isOwnName(name, request, options.allowedHosts))
    return {
      code: 'FORBIDDEN',
      message: `forbidden: This server is not called "${name.slice(0, 64)}": list the name in allowedHosts.`,
    }
  const isListed = origin !== undefined && (options.origins ?? []).includes(origin)
  if (origin !== undefined && !isListed && !isSameHost(origin, host))
    return {
      code: 'FORBIDDEN',
      message:
        'forbidden: Pages of this origin may not call this server: list the origin in origins, or let the proxy keep Host.',
    }
  // A cross-site GET may come without an Origin, but not without this (Fetch Metadata).
  if (site === 'cross-site' && !isListed)
    return { code: 'FORBIDDEN', message: 'forbidden: Cross-site requests are not let in: list the origin in origins.' }
  // What a plain HTML form can send is not JSON.
  if (request.method === 'POST' && !/^application\/json\s*(;|$)/i.test(String(request.headers['content-type'])))
    return { code: 'UNSUPPORTED_MEDIA_TYPE', message: 'bad-input: Send JSON: content-type: application/json.' }
  const { bodyBytes = Infinity } = options
  if (Number(request.headers['content-length']) > bodyBytes)
    return { code: 'PAYLOAD_TOO_LARGE', message: `too-large: The body has more than ${bodyBytes} bytes: send less.` }
  return null
}

/** As tRPC would say it, so that every client understands. */
export function bodyOf({ code, message }: Refusal): { httpStatus: number; body: string } {
  const [httpStatus, rpcCode] = answers[code]
  return { httpStatus, body: JSON.stringify({ error: { message, code: rpcCode, data: { code, httpStatus } } }) }
}

/** The CORS headers for a page that may call; one of this server's own needs none. */
export function corsHeaders(request: IncomingRequest, { origins = [] }: OriginOptions): Record<string, string> {
  const { origin } = request.headers
  // A cache that keeps what one origin was told must not tell it to another (Fetch §3.3.7).
  if (origin === undefined || !origins.includes(origin)) return origins.length > 0 ? { vary: 'origin' } : {}
  return {
    'access-control-allow-origin': origin,
    'access-control-allow-credentials': 'true',
    'access-control-allow-headers': 'content-type, authorization, last-event-id, trpc-accept',
    'access-control-allow-methods': 'GET, POST',
    'access-control-max-age': '600',
    vary: 'origin',
  }
}

function isOwnName(name: string, request: IncomingRequest, allowedHosts: readonly string[] | undefined): boolean {
  if (allowedHosts?.includes(name)) return true
  if (loopback.test(name)) return true
  return allowedHosts === undefined && !isLoopbackAddress(request.socket.localAddress)
}

export const isLoopbackAddress = (address = '') => /^(::ffff:)?127\.|^::1$/.test(address)

function isSameHost(origin: string, host: string): boolean {
  try {
    return new URL(origin).host === host.toLowerCase()
  } catch {
    return false
  }
}
