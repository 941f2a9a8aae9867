import {
  bodyOf,
  corsHeaders,
  refusalOf,
  type OriginOptions,
  type IncomingRequest,
  type Refusal,
} from './origin-check.js'
import { isDeeperThan } from '../validation/parse-input.js'
import { defaultLimits, type Limits } from '../options/limits.js'

/** A request as far as doors look at it: `node:http`'s and Express's are both like this. */
export type GuardRequest = IncomingRequest & { url?: string | undefined; body?: unknown }
/** As much of a response as doors use. */
export type GuardResponse = {
  setHeader(name: string, value: string | string[]): unknown
  writeHead(status: number): unknown
  end(body?: string): unknown
}

export type RequestGuardOptions = OriginOptions & {
  /** Where the procedures are in the app's router: `locations` for `router({ locations: ... })`, '' at the top. Default `locations`. */
  path?: string
  /** Bytes of a body and calls of a batch that calls nothing but our procedures; each has a default. */
  limits?: Partial<Pick<Limits, 'bodyBytes' | 'batch' | 'depth'>>
}

/** What the five are called by whoever does not call them something else. */
export const procedureNames = ['postLocation', 'onLocation', 'getLocations', 'countMembers', 'leaveRoom']

/**
 * The doors of `createLocationServer` for procedures that are merged into an app of your own and served by an adapter of
 * tRPC's, as a connect-style middleware; `createLocationMiddleware` has them already. It stands in front of the adapter,
 * before or after `express.json()`, or in the adapter's own option:
 *
 * ```ts
 * app.use('/trpc', createRequestGuard({ origins: ['https://app.example'] }), createExpressMiddleware({ router, createContext }))
 * ```
 *
 * Requests that call only procedures of the app's own pass untouched, and so does all else.
 */
export function createRequestGuard({ path = 'locations', limits, ...options }: RequestGuardOptions = {}) {
  const ours = new Set(procedureNames.map((name) => (path === '' ? name : `${path}.${name}`)))
  const bounds = { ...defaultLimits, ...limits }
  const admit = doorsOf((call) => (ours.has(call) ? bounds : null), options)
  return (request: GuardRequest, response: GuardResponse, next: (error?: unknown) => void): void => {
    if (admit(request, response) !== null) next()
  }
}

/** What a request may hold that calls nothing but our procedures. */
export type GuardBounds = Pick<Limits, 'bodyBytes' | 'batch' | 'depth'>

/**
 * The doors in front of procedures of ours.
 *
 * @param boundsOf those of a call, by its path; `null`: the procedure is none of ours.
 * @returns what lets a request in, and says how many bytes its body may have, or answers it, and says `null`.
 */
export function doorsOf(boundsOf: (call: string) => GuardBounds | null, options: OriginOptions) {
  return (request: GuardRequest, response: GuardResponse): number | null => {
    const calls = callsOf(request.url)
    const bounds = calls.map(boundsOf)
    const own = bounds.find((each) => each !== null)
    if (!own) return Infinity
    // How much a request may hold is the app's to say as soon as one call is its own; where it may come from is not.
    const isOnlyOurs = bounds.every((each) => each !== null)
    const bodyBytes = isOnlyOurs ? own.bodyBytes : Infinity
    const excess = () => (isOnlyOurs ? excessOf(request, calls.length, own) : null)
    return letIn(request, response, options, { bodyBytes, refusalOfMore: excess }) ? bodyBytes : null
  }
}

type Refusing = { bodyBytes?: number; refusalOfMore?: () => Refusal | null }

/** Lets a request in, or answers it. */
export function letIn(
  request: GuardRequest,
  response: GuardResponse,
  options: OriginOptions,
  { bodyBytes = Infinity, refusalOfMore = () => null }: Refusing = {},
): boolean {
  response.setHeader('cache-control', 'no-store')
  response.setHeader('x-content-type-options', 'nosniff')
  const { vary, ...headers } = corsHeaders(request, options)
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value)
  if (vary !== undefined) keepVarying(response, vary)
  const refusal = refusalOf(request, { ...options, bodyBytes }) ?? refusalOfMore()
  if (refusal) {
    const { httpStatus, body } = bodyOf(refusal)
    // What is still to come of a body that nobody will read must not be taken for the next request.
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

/** Says that an answer is another one for another `origin`, say, also when whoever answers says what it varies by. */
function keepVarying(response: GuardResponse, by: string): void {
  const { setHeader } = response
  response.setHeader = function (this: GuardResponse, name: string, value: string | string[]) {
    if (name.toLowerCase() !== 'vary') return setHeader.call(this, name, value)
    const fields = String(value).split(/\s*,\s*/)
    return setHeader.call(this, name, fields.includes(by) ? value : [...fields, by].join(', '))
  }
  setHeader.call(response, 'vary', by)
}

// HTTP/2 has streams in place of connections, and no header for them.
const isHttp2 = ({ headers }: GuardRequest) => headers[':authority'] !== undefined

/** What is too much of a request that calls only us, as far as can be seen before it is read. */
function excessOf(
  { body }: GuardRequest,
  calls: number,
  { batch, depth }: Pick<Limits, 'batch' | 'depth'>,
): Refusal | null {
  if (calls > batch)
    return { code: 'BAD_REQUEST', message: `bad-input: At most ${batch} calls in a batch: send several.` }
  // What express.json() has parsed, tRPC writes out and parses again, and neither looks how deep it goes.
  if (isDeeperThan(body, depth + batchLevels))
    return { code: 'BAD_REQUEST', message: 'bad-input: The input is nested too deeply.' }
  return null
}

/** What a batch and our envelope add to the depth of a location. */
const batchLevels = 4

/** The procedures that a request calls: `/trpc/locations.postLocation,locations.leaveRoom?batch=1`. */
function callsOf(url = ''): string[] {
  const pathname = url.split('?', 1)[0]!
  const last = pathname.slice(pathname.lastIndexOf('/') + 1)
  try {
    return decodeURIComponent(last).split(',')
  } catch {
    return [last]
  }
}
