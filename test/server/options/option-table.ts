/** An option, a value that is refused, and a part of the error message. */
export type Row = [option: string, value: unknown, message: string]

const origins: Row[] = [
  ['origins', 'https://app.example', 'pass a list'],
  ['origins', ['*'], 'write an origin such as'],
]
const allowedHosts: Row[] = [
  ['allowedHosts', 'app.example', 'pass a list'],
  ['allowedHosts', ['https://app.example'], 'write a host name such as'],
]
const access: Row[] = [
  ['identify', 'ada', 'must be a function'],
  ['authorize', true, 'must be a function'],
  ['anonymous', 'false', 'must be true or false'],
  ['anonymous', 1, 'must be true or false'],
]
const clientIp: Row[] = [
  ['clientIp', '127.0.0.1', 'must be a function that returns its result'],
  ['clientIp', async () => '192.0.2.1', 'and not a promise'],
]
const compress: Row[] = [
  ['compress', 'gzip', 'must be true or false'],
  ['compress', null, 'must be true or false'],
]
const router: Row[] = [
  ['router', {}, 'must be a tRPC router'],
  ['router', null, 'must be a tRPC router'],
]
const hub: Row[] = [
  ['location', { type: 'string' }, 'must be a zod 4 schema'],
  ['location', null, 'must be a zod 4 schema'],
  ['profile', true, 'or false for members without a profile'],
  ['profile', null, 'or false for members without a profile'],
  ['profile', {}, 'must be a zod 4 schema'],
  ['broadcasts', [], 'must be an object of zod 4 schemas'],
  ['broadcasts', null, 'must be an object of zod 4 schemas'],
  ['broadcasts', {}, 'names no broadcast'],
  ['broadcasts', { note: 'string' }, 'must be a zod 4 schema'],
  ['locks', 'yes', 'true, false or { idleMs }'],
  ['locks', { idleMs: 0 }, 'true, false or { idleMs }'],
  // JSON has no such number: clients would be told none.
  ['locks', { idleMs: Infinity }, 'true, false or { idleMs }'],
  ['locks', { idle: 5 }, 'true, false or { idleMs }'],
  ['locks', new Date(0), 'true, false or { idleMs }'],
  ['locks', [], 'true, false or { idleMs }'],
  ['presence', true, 'or false for members without a presence value'],
  ['presence', {}, 'must be a zod 4 schema'],
  ['backend', 'redis://localhost', 'must be a Backend'],
  ['backend', { open() {} }, 'must be a Backend'],
  ['backend', null, 'must be a Backend'],
  ['limits', 5, 'must be an object of numbers'],
  ['limits', null, 'must be an object of numbers'],
  ['limits', [], 'must be an object of numbers'],
  // Its entries are no properties: it would change nothing.
  ['limits', new Map([['streams', 5]]), 'must be an object of numbers'],
  ['timing', 5, 'must be an object of durations'],
  ['timing', null, 'must be an object of durations'],
  ['clock', { now: () => 0 }, 'must be a Clock'],
  ['clock', Date, 'must be a Clock'],
  ['clock', null, 'must be a Clock'],
  ['logger', true, 'must be a Logger'],
  ['logger', { log() {} }, 'must be a Logger'],
  ['logger', { info() {}, warn() {}, error() {}, bindings() {} }, 'pass pinoLogger(pino)'],
  ['metrics', true, 'must be Metrics'],
  ['metrics', { called() {} }, 'must be Metrics'],
]

/** For each public function of the server, values of its options that it refuses. */
export const tables = {
  createLocationHub: hub,
  createLocationServer: [
    ...hub,
    ...access,
    ...origins,
    ...allowedHosts,
    ...compress,
    ...clientIp,
    ['static', '', 'must be the path of a folder'],
    ['static', '/', 'and not the root'],
    ['static', true, 'must be the path of a folder'],
    ['webSocket', 'yes', 'must be true or false'],
    ['webSocket', null, 'must be true or false'],
    ['procedures', {}, 'must be a function that returns its result'],
    ['procedures', async () => ({}), 'and not a promise'],
    ['keepAliveMs', 0, 'above 0 and at most'],
    ['keepAliveMs', '70000', 'above 0 and at most'],
    ['keepAliveMs', Infinity, 'above 0 and at most'],
    ['keepAliveMs', null, 'above 0 and at most'],
  ],
  createLocationRouter: [
    ...access,
    ...clientIp,
    ['hub', {}, 'must be the object that createLocationHub() returned'],
    ['hub', null, 'must be the object that createLocationHub() returned'],
    ['procedure', {}, 'must be a base procedure of tRPC'],
    ['procedure', null, 'must be a base procedure of tRPC'],
  ],
  createLocationMiddleware: [
    ...router,
    ...origins,
    ...allowedHosts,
    ...compress,
    ['requestGuard', 'false', 'must be true or false'],
    ['requestGuard', 0, 'must be true or false'],
    ['requestGuard', null, 'must be true or false'],
    ['createContext', {}, 'must be a function'],
    ['maxBodySize', '1mb', 'must be a number of 1 or more'],
    ['maxBodySize', 0, 'must be a number of 1 or more'],
    ['maxBodySize', Number.NaN, 'must be a number of 1 or more'],
    ['middleware', [], 'must be a function'],
    ['onError', 'log', 'must be a function'],
    ['responseMeta', {}, 'must be a function'],
    ['batching', true, 'must be an object'],
    ['allowBatching', 'no', 'must be true or false'],
    ['allowMethodOverride', 1, 'must be true or false'],
    ['maxBatchSize', 0, 'must be a number of 1 or more'],
    ['maxBatchSize', '8', 'must be a number of 1 or more'],
  ],
  createLocationWebSocketHandler: [
    ...router,
    ...origins,
    ...allowedHosts,
    ['server', {}, 'must be an HTTP server of Node'],
    ['wss', {}, 'must be a WebSocketServer of ws'],
    ['path', 'trpc', 'must be the path of a URL'],
    ['path', 5, 'must be the path of a URL'],
    ['requestGuard', 'false', 'must be true or false'],
    ['createContext', {}, 'must be a function'],
    ['onError', 'log', 'must be a function'],
    ['maxBatchSize', 0, 'must be a number of 1 or more'],
    ['maxMessageBytes', '1mb', 'must be a number of 1 or more'],
  ],
  createRequestGuard: [
    ...router,
    ...origins,
    ...allowedHosts,
    ['path', '/trpc/locations', 'write the path of the location procedures'],
    ['path', 5, 'write the path of the location procedures'],
    ['path', null, 'write the path of the location procedures'],
    ['limits', 5, 'must be an object of numbers'],
    ['limits', null, 'must be an object of numbers'],
  ],
  prometheusMetrics: [
    ...allowedHosts,
    ['register', {}, 'must be a Registry of prom-client'],
    ['register', null, 'must be a Registry of prom-client'],
  ],
} satisfies Record<string, Row[]>
