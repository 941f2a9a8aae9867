import { LocationError } from '../../../shared/errors.js'
import { checkedElsewhere, type OptionChecks } from '../../options/option-checks.js'

/** The parts of a request that the origin check reads; `node:http`'s `IncomingMessage` has them. */
export type IncomingRequest = {
  method?: string | undefined
  headers: { [name: string]: string | string[] | undefined; host?: string | undefined; origin?: string | undefined }
  /** `server` is the server that accepted the connection, if Node provides it. */
  socket: { localAddress?: string | undefined; server?: unknown }
}

/** The pages and host names from which a server may be called. */
export type OriginOptions = {
  /**
   * Origins of pages, other than this server's own, that may call it: `https://app.example`. Case, a default port and a
   * trailing slash do not matter. Wildcards are not supported. `'null'` allows every sandboxed frame and local file,
   * whoever wrote it; such pages may call only without cookies. Default: none.
   */
  origins?: readonly string[]
  /**
   * Host names, without scheme and port, under which this server may be called. Case does not matter. Default: any name,
   * but only loopback names while it listens on loopback.
   */
  allowedHosts?: readonly string[]
}

/** The names of the options. `originRulesOf` checks their values. */
export const originOptionChecks: OptionChecks<OriginOptions> = {
  origins: checkedElsewhere,
  allowedHosts: checkedElsewhere,
}

/** The checked and normalized form of `OriginOptions`. */
export type OriginRules = {
  origins?: ReadonlySet<string>
  /** Host names in lower case, without a port. */
  allowedHosts?: ReadonlySet<string>
}

/**
 * Checks and normalizes origin options.
 *
 * @throws LocationError `misconfigured` when an entry could never match a request; the message names the entry.
 */
export function originRulesOf({ origins, allowedHosts }: OriginOptions): OriginRules {
  return {
    ...(origins !== undefined && {
      origins: entriesOf(
        'origins',
        origins,
        normalOrigin,
        'write an origin such as "https://app.example", with no path and no wildcard',
      ),
    }),
    ...(allowedHosts !== undefined && {
      allowedHosts: entriesOf(
        'allowedHosts',
        allowedHosts,
        normalHostName,
        'write a host name such as "app.example", with no scheme, port, path or wildcard',
      ),
    }),
  }
}

function entriesOf(
  option: string,
  entries: unknown,
  normalize: (entry: string) => string | null,
  advice: string,
): ReadonlySet<string> {
  // A string is refused too: it also has `includes`, which would match any part of the string.
  if (!Array.isArray(entries))
    throw new LocationError('misconfigured', `${option} is "${String(entries)}": pass a list.`)
  return new Set(
    entries.map((entry: unknown) => {
      const normal = typeof entry === 'string' ? normalize(entry) : null
      if (normal === null)
        throw new LocationError('misconfigured', `${option} has the entry "${String(entry)}": ${advice}.`)
      return normal
    }),
  )
}

/** The Origin header of sandboxed frames and local files, whoever wrote them. */
const sandboxed = 'null'

/** Returns an origin as browsers send it; null when no browser sends it. */
function normalOrigin(entry: string): string | null {
  if (entry === sandboxed) return sandboxed
  // The URL standard accepts `*` in a host, and backslashes and spaces in some places: this pattern does not.
  const authority = /^[a-z][a-z\d+.-]*:\/\/([^\s/\\?#@*]+)\/?$/i.exec(entry)?.[1]
  if (authority === undefined || !URL.canParse(entry)) return null
  const { protocol, host } = new URL(entry)
  return `${protocol}//${host.toLowerCase()}`
}

/** Returns a host name in lower case; null when it is not a plain name or address. */
function normalHostName(entry: string): string | null {
  if (!/^(\[[\da-f:.]+\]|[^\s/\\?#@*:]+)$/i.test(entry) || !URL.canParse(`http://${entry}`)) return null
  return withoutRootDot(new URL(`http://${entry}`).hostname)
}

/** Removes the dot of the DNS root: `app.example.` and `app.example` name the same host. */
const withoutRootDot = (name: string) => (name.length > 1 && name.endsWith('.') ? name.slice(0, -1) : name)

/** The reason for which a request is refused: a tRPC error code, and a message that says what to do. */
export type Refusal = { code: keyof typeof refusalCodes; message: string }

/** The HTTP status and the JSON-RPC code of each tRPC error code that a refusal uses (docs/PROTOCOL.md lists both). */
export const refusalCodes = {
  BAD_REQUEST: [400, -32600],
  FORBIDDEN: [403, -32003],
  METHOD_NOT_SUPPORTED: [405, -32005],
  PAYLOAD_TOO_LARGE: [413, -32013],
  UNSUPPORTED_MEDIA_TYPE: [415, -32015],
} as const

const methods = ['GET', 'HEAD', 'POST', 'OPTIONS']
const loopbackName = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/

/**
 * Returns the reason for which a request must be refused, or null when it may continue. The check runs before the
 * request is parsed: pages of other origins must not act for a user who is signed in here (CSRF), and a foreign host
 * name that merely resolves to this machine must not be accepted (DNS rebinding).
 */
export function refusalOf(request: IncomingRequest, rules: OriginRules & { bodyBytes?: number }): Refusal | null {
  const { origin, 'sec-fetch-site': site } = request.headers
  // RFC 9113 §8.3.1: HTTP/2 sends the host as `:authority`.
  const host = String(request.headers.host ?? request.headers[':authority'] ?? '')
  if (!methods.includes(request.method ?? ''))
    return { code: 'METHOD_NOT_SUPPORTED', message: `bad-input: Use ${methods.join(', ')}.` }
  const name = withoutRootDot(host.replace(/:\d+$/, '').toLowerCase())
  if (!isOwnName(name, request, rules.allowedHosts))
    return {
      code: 'FORBIDDEN',
      message: `forbidden: This server is not called "${name.slice(0, 64)}": list the name in allowedHosts.`,
    }
  // Anybody can put a page into a sandboxed frame. So such a page counts as listed only when its request has no cookie:
  // it must never act for a user who is signed in here.
  const isListed =
    origin !== undefined &&
    rules.origins?.has(origin) === true &&
    (origin !== sandboxed || request.headers['cookie'] === undefined)
  if (origin !== undefined && !isListed && !isSameHost(origin, host))
    return {
      code: 'FORBIDDEN',
      message:
        'forbidden: Pages of this origin may not call this server: list the origin in origins, or let the proxy keep Host.',
    }
  // A browser may send a GET to another origin without `Origin`, but not without `Sec-Fetch-Site` (Fetch Metadata). A
  // page on another port or subdomain is same-site, but of another origin.
  if (site !== undefined && site !== 'same-origin' && site !== 'none' && !isListed)
    return {
      code: 'FORBIDDEN',
      message: `forbidden: ${site === 'same-site' ? 'Requests from other origins of the same site' : 'Cross-site requests'} are refused: list the origin in origins.`,
    }
  // A plain HTML form can send a cross-site POST, but not with a JSON content type.
  if (request.method === 'POST' && !/^application\/json\s*(;|$)/i.test(String(request.headers['content-type'])))
    return { code: 'UNSUPPORTED_MEDIA_TYPE', message: 'bad-input: Send JSON: content-type: application/json.' }
  const { bodyBytes = Infinity } = rules
  if (Number(request.headers['content-length']) > bodyBytes)
    return { code: 'PAYLOAD_TOO_LARGE', message: `too-large: The body has more than ${bodyBytes} bytes: send less.` }
  return null
}

/** Returns the response to a refused request, in tRPC's error format, so that every tRPC client understands it. */
export function refusalResponse({ code, message }: Refusal): { httpStatus: number; body: string } {
  const [httpStatus, rpcCode] = refusalCodes[code]
  return { httpStatus, body: JSON.stringify({ error: { message, code: rpcCode, data: { code, httpStatus } } }) }
}

/** Returns the CORS headers of a response. A page of this server's own origin needs none. */
export function corsHeaders(request: IncomingRequest, { origins }: OriginRules): Record<string, string> {
  const { origin } = request.headers
  // A cache must not give one origin's response to another origin (Fetch §3.3.7).
  if (!origins?.size) return {}
  if (origin === undefined || !origins.has(origin)) return { vary: 'origin' }
  return {
    'access-control-allow-origin': origin,
    ...(origin !== sandboxed && { 'access-control-allow-credentials': 'true' }),
    'access-control-allow-headers': allowedHeaders(request.headers['access-control-request-headers']),
    'access-control-allow-methods': 'GET, POST',
    'access-control-max-age': '600',
    vary: 'origin',
  }
}

const usualHeaders = 'content-type, authorization, last-event-id, trpc-accept'
/** The longest list of requested headers that is allowed, in characters. */
const maxRequestedHeaders = 2_048

/**
 * Returns the headers that a page of a listed origin may send: the usual ones, and those that its preflight asks for.
 * The client's `headers` option takes any header, for example of a tracing library.
 */
function allowedHeaders(requested: string | string[] | undefined): string {
  const names = String(requested ?? '')
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== '')
  // RFC 9110 §5.6.2: a header name is a token. Anything else is never echoed.
  const areTokens = names.every((name) => /^[!#$%&'*+\-.^_`|~\da-z]+$/.test(name))
  if (!areTokens || String(requested ?? '').length > maxRequestedHeaders) return usualHeaders
  return [...new Set([...usualHeaders.split(', '), ...names])].join(', ')
}

function isOwnName(name: string, request: IncomingRequest, allowedHosts: OriginRules['allowedHosts']): boolean {
  if (allowedHosts?.has(name)) return true
  if (loopbackName.test(name)) return true
  return allowedHosts === undefined && !listensOnLoopback(request.socket)
}

/**
 * True when the server of a connection listens on a loopback address only. The local address of the connection does not
 * show this: behind a proxy on the same machine, it is always a loopback address.
 */
function listensOnLoopback({ server, localAddress }: IncomingRequest['socket']): boolean {
  if (typeof server !== 'object' || server === null) return isLoopbackAddress(localAddress)
  let isLoopback = loopbackServers.get(server)
  if (isLoopback === undefined) {
    const listening = 'address' in server && typeof server.address === 'function' ? (server.address() as unknown) : null
    const address = typeof listening === 'object' && listening !== null && 'address' in listening && listening.address
    isLoopback = isLoopbackAddress(typeof address === 'string' ? address : localAddress)
    loopbackServers.set(server, isLoopback)
  }
  return isLoopback
}

/**
 * Caches for each server whether it listens on a loopback address only: this never changes, and asking Node is a system
 * call.
 */
const loopbackServers = new WeakMap<object, boolean>()

export const isLoopbackAddress = (address = '') => /^(::ffff:)?127\.|^::1$/.test(address)

/** True if a Host header names the origin's host; some proxies add the default port of the scheme. */
function isSameHost(origin: string, host: string): boolean {
  if (!URL.canParse(origin)) return false
  const { protocol, host: originHost } = new URL(origin)
  const defaultPort = { 'http:': ':80', 'https:': ':443' }[protocol]
  const given = host.toLowerCase()
  return originHost === given || (defaultPort !== undefined && `${originHost}${defaultPort}` === given)
}
