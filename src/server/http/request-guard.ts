import {
  corsHeaders,
  originRulesOf,
  refusalOf,
  refusalResponse,
  type IncomingRequest,
  type OriginOptions,
  type OriginRules,
  type Refusal,
} from './origin-check.js'
import { isDeeperThan } from '../validation/parse-input.js'
import { defaultLimits, type Limits } from '../options/limits.js'
import { keepVaryField } from './vary.js'

/** The parts of a request that the request guard reads: those of `node:http` and Express have them. */
export type GuardRequest = IncomingRequest & { url?: string | undefined; body?: unknown }
/** The parts of a response that the request guard uses. */
export type GuardResponse = {
  setHeader(name: string, value: string | string[]): unknown
  writeHead(status: number): unknown
  end(body?: string): unknown
}

export type RequestGuardOptions = OriginOptions & {
  /** Where the location procedures are in the app's router: `locations` for `router({ locations: ... })`, '' at the top. Default: `locations`. */
  path?: string
  /** Limits of a request that calls only location procedures: bytes of its body, calls of a batch, depth of its input. Each has a default. */
  limits?: Partial<Pick<Limits, 'bodyBytes' | 'batch' | 'depth'>>
}

/** The default names of the five location procedures. */
export const procedureNames = ['postLocation', 'onLocation', 'getLocations', 'countMembers', 'leaveRoom']

/**
 * Returns the request guard of `createLocationServer` as a connect-style middleware, for location procedures that are
 * merged into an app's own router and served by a tRPC adapter. `createLocationMiddleware` has the guard built in. Mount
 * it in front of the adapter, before or after `express.json()`, or pass it as the adapter's own `middleware` option:
 *
 * ```ts
 * app.use('/trpc', createRequestGuard({ origins: ['https://app.example'] }), createExpressMiddleware({ router, createContext }))
 * ```
 *
 * Requests that call only the app's own procedures pass unchanged, and so do all other requests.
 *
 * @throws LocationError `misconfigured` when `origins` or `allowedHosts` has a wrong entry.
 */
export function createRequestGuard({ path = 'locations', limits, ...options }: RequestGuardOptions = {}) {
  const guarded = new Set(procedureNames.map((name) => (path === '' ? name : `${path}.${name}`)))
  const requestLimits = { ...defaultLimits, ...limits }
  const guard = guardProcedures((call) => (guarded.has(call) ? requestLimits : null), options)
  return (request: GuardRequest, response: GuardResponse, next: (error?: unknown) => void): void => {
    if (guard(request, response) !== null) next()
  }
}

/** The limits of a request that calls only location procedures. */
export type RequestLimits = Pick<Limits, 'bodyBytes' | 'batch' | 'depth'>

/**
 * Returns a guard for requests that call location procedures.
 *
 * @param limitsOf returns the limits of a call by its path; null when it is not a location procedure.
 * @returns a function that returns how many bytes the body may have (`Infinity` for requests that it does not guard), or
 * answers the request and returns null.
 * @throws LocationError `misconfigured` when `origins` or `allowedHosts` has a wrong entry.
 */
export function guardProcedures(limitsOf: (call: string) => RequestLimits | null, options: OriginOptions) {
  const rules = originRulesOf(options)
  return (request: GuardRequest, response: GuardResponse): number | null => {
    const calls = calledPaths(request.url)
    const limits = calls.map(limitsOf)
    const own = limits.find((each) => each !== null)
    if (!own) return Infinity
    // In a batch with the app's own calls, the size limits are the app's; the origin check still applies.
    const isOnlyOurs = limits.every((each) => each !== null)
    const bodyBytes = isOnlyOurs ? own.bodyBytes : Infinity
    const checkSize = () => (isOnlyOurs ? sizeRefusalOf(request, calls.length, own) : null)
    return guardRequest(request, response, rules, { bodyBytes, checkSize }) ? bodyBytes : null
  }
}

type SizeChecks = { bodyBytes?: number; checkSize?: () => Refusal | null }

/** Returns true when a request may continue; otherwise answers it (a refusal, or a CORS preflight) and returns false. */
export function guardRequest(
  request: GuardRequest,
  response: GuardResponse,
  rules: OriginRules,
  { bodyBytes = Infinity, checkSize = () => null }: SizeChecks = {},
): boolean {
  response.setHeader('cache-control', 'no-store')
  response.setHeader('x-content-type-options', 'nosniff')
  const { vary, ...headers } = corsHeaders(request, rules)
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value)
  if (vary !== undefined) keepVaryField(response, vary)
  const refusal = refusalOf(request, { ...rules, bodyBytes }) ?? checkSize()
  if (refusal) {
    const { httpStatus, body } = refusalResponse(refusal)
    // The rest of a body that is not read must not be parsed as the next request.
    if (refusal.code === 'PAYLOAD_TOO_LARGE' && !isHttp2(request)) response.setHeader('connection', 'close')
    response.setHeader('content-type', 'application/json')
    response.writeHead(httpStatus)
    response.end(body)
    return false
  }
  if (request.method !== 'OPTIONS') return true
  response.writeHead(204)
  response.end()
  return false
}

// HTTP/2 multiplexes streams, so it has no `connection` header.
const isHttp2 = ({ headers }: GuardRequest) => headers[':authority'] !== undefined

/** Returns why a request that calls only location procedures is too large, as far as is known before its body is read. */
function sizeRefusalOf(
  { body }: GuardRequest,
  calls: number,
  { batch, depth }: Pick<Limits, 'batch' | 'depth'>,
): Refusal | null {
  if (calls > batch)
    return { code: 'BAD_REQUEST', message: `bad-input: A batch may have at most ${batch} calls: send several batches.` }
  // A body that express.json() parsed is serialized and parsed again by tRPC, and neither limits its depth.
  if (isDeeperThan(body, depth + envelopeLevels))
    return { code: 'BAD_REQUEST', message: 'bad-input: The input is nested too deeply.' }
  return null
}

/** The levels that a batch and the input's envelope add to the depth of a location. */
const envelopeLevels = 4

/** Returns the paths of the procedures that a request calls: `/trpc/locations.postLocation,locations.leaveRoom?batch=1`. */
function calledPaths(url = ''): string[] {
  const pathname = url.split('?', 1)[0]!
  const last = pathname.slice(pathname.lastIndexOf('/') + 1)
  try {
    return decodeURIComponent(last).split(',')
  } catch {
    return [last]
  }
}
