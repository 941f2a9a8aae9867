/** The ways in which Redis can be unusable. */
export type FaultKind =
  | 'unreachable'
  | 'deaf'
  | 'replica'
  | 'replicas'
  | 'disk'
  | 'full'
  | 'rights'
  | 'password'
  | 'starting'
  | 'busy'
  | 'slots'
  | 'old'
  | 'refused'

/** The reason why Redis cannot be used. The message says what an operator can do. */
export class RedisFault extends Error {
  override readonly name = 'RedisFault'
  readonly kind: FaultKind

  constructor(kind: FaultKind, message: string, cause?: unknown) {
    super(message, { cause })
    this.kind = kind
  }
}

/** The error replies that Redis gives to every write, with what an operator can do. */
const refusals: [kind: FaultKind, reply: RegExp, advice: string][] = [
  [
    'replica',
    /^(READONLY|MASTERDOWN)\b|\bREADONLY You can't write/,
    'It is a replica: connect to the master, with a client that follows a failover.',
  ],
  [
    'replicas',
    /^NOREPLICAS\b/,
    'Fewer replicas are connected than min-replicas-to-write requires: start them, or lower it.',
  ],
  [
    'disk',
    /^MISCONF\b/,
    'It cannot save to its disk: see the log of Redis, or set stop-writes-on-bgsave-error no, since rooms need no persistence.',
  ],
  ['full', /^OOM\b/, 'It is full: raise maxmemory, or move other data elsewhere.'],
  [
    'rights',
    /NOPERM|ACL failure|can't run this command|No permissions/i,
    'Its user lacks a right: docs/deploying.md lists them.',
  ],
  ['password', /^(NOAUTH|WRONGPASS)\b/, 'It does not accept the user or the password of the client.'],
  ['starting', /^LOADING\b/, 'It is starting and still reads its data: wait.'],
  ['busy', /^BUSY\b/, 'A script or a function of somebody blocks it: end that with SCRIPT KILL.'],
  ['slots', /^(CLUSTERDOWN|MOVED|ASK|TRYAGAIN)\b/, 'A part of its cluster is down or on the move: see CLUSTER INFO.'],
  ['old', /unknown (redis )?command|compiling script/i, 'It is too old: rooms need Redis 7 or later, or Valkey.'],
]

/**
 * Matches an error reply of Redis, which begins with a code in capitals. Connection errors do not begin with such a
 * code.
 */
const errorReply = /^[A-Z]{2,}( |$)/

/** Returns true if Redis answered with an error, instead of not answering. */
export const isErrorReply = (error: unknown) => error instanceof Error && errorReply.test(error.message)

/** Returns true if the error says that the user of Redis lacks a permission. */
export const lacksRight = (error: unknown) => error instanceof Error && kindOf(error.message)?.[0] === 'rights'

const kindOf = (message: string) => refusals.find(([, reply]) => reply.test(message))

/** Returns the fault that an error of a health check shows. */
export function faultOf(error: unknown): RedisFault {
  if (error instanceof RedisFault) return error
  const message = error instanceof Error ? error.message : String(error)
  const [kind, , advice] = kindOf(message) ?? []
  if (kind) return new RedisFault(kind, `Redis refuses writes (${message}). ${advice}`, error)
  if (isErrorReply(error)) return new RedisFault('refused', `Redis refuses writes (${message}).`, error)
  const advised = 'Check that it runs and that this process can connect to it.'
  return new RedisFault('unreachable', `Redis is unreachable (${message}). ${advised}`, error)
}

/** Returns the fault of a Redis that takes writes while its announcements do not arrive. */
export const deafness = (cause?: unknown) =>
  new RedisFault(
    'deaf',
    `Redis answers, but announcements do not arrive${cause instanceof Error ? ` (${cause.message})` : ''}. The subscribing connection is being replaced; check what lies between this process and Redis, such as a proxy or a firewall.`,
    cause,
  )
