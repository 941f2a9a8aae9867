import { bodyOf, corsHeaders, refusalOf, type DoorOptions, type IncomingRequest, type Refusal } from './doors.js'
import { isDeeperThan } from './inputs.js'
import { defaultLimits, type Limits } from './limits.js'

/** A request as far as doors look at it: `node:http`'s and Express's are both like this. */
export type DoorRequest = IncomingRequest & { url?: string | undefined; body?: unknown }
/** As much of a response as doors use. */
export type DoorResponse = {
  setHeader(name: string, value: string): unknown
  writeHead(status: number): unknown
  end(body?: string): unknown
}

export type LocationDoorsOptions = DoorOptions & {
  /** Where the procedures are in the app's router: `locations` for `router({ locations: ... })`, '' at the top. Default `locations`. */
  path?: string
  /** Bytes of a body and calls of a batch that calls nothing but our procedures; each has a default. */
  limits?: Partial<Pick<Limits, 'bodyBytes' | 'batch' | 'depth'>>
}

const procedures = ['postLocation', 'onLocation', 'getLocations', 'countMembers', 'leaveRoom']

/**
 * The doors of `createLocationServer` for procedures that are merged into an app of your own, as a connect-style
 * middleware. It stands in front of the tRPC adapter, before or after `express.json()`, or in the adapter's own option:
 *
 * ```ts
 * app.use('/trpc', createLocationDoors({ origins: ['https://app.example'] }), createExpressMiddleware({ router, createContext }))
 * ```
 *
 * Requests that call only procedures of the app's own pass untouched, and so does all else.
 */
export function createLocationDoors({ path = 'locations', limits, ...options }: LocationDoorsOptions = {}) {
  const ours = new Set(procedures.map((name) => (path === '' ? name : `${path}.${name}`)))
  const bounds = { ...defaultLimits, ...limits }
  const { bodyBytes } = bounds
  return (request: DoorRequest, response: DoorResponse, next: (error?: unknown) => void): void => {
    const calls = callsOf(request.url)
    const own = calls.filter((call) => ours.has(call)).length
    // How much a request may hold is the app's to say as soon as one call is its own; where it may come from is not.
    const bounded = own === calls.length
    const excess = () => (bounded ? excessOf(request, own, bounds) : null)
    if (own === 0 || letIn(request, response, bounded ? { ...options, bodyBytes } : options, excess)) next()
  }
}

/** Lets a request in, or answers it. */
export function letIn(
  request: DoorRequest,
  response: DoorResponse,
  options: DoorOptions & { bodyBytes?: number },
  refusalOfMore: () => Refusal | null = () => null,
): boolean {
  response.setHeader('cache-control', 'no-store')
  response.setHeader('x-content-type-options', 'nosniff')
  for (const [name, value] of Object.entries(corsHeaders(request, options))) response.setHeader(name, value)
  const refusal = refusalOf(request, options) ?? refusalOfMore()
  if (refusal) {
    const { httpStatus, body } = bodyOf(refusal)
    // What is still to come of a body that nobody will read must not be taken for the next request.
    if (refusal.code === 'PAYLOAD_TOO_LARGE') response.setHeader('connection', 'close')
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

/** What is too much of a request that calls only us, as far as can be seen before it is read. */
function excessOf(
  { body }: DoorRequest,
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
