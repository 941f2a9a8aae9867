import type { NumberRange } from './number-options.js'

/**
 * The limits of one process. A rate limit has two numbers: the calls allowed each second or minute, and the burst, the
 * number of calls that may come at once. Each limit has a default. `Infinity` lifts a limit, except `depth`. 0 is refused as
 * `misconfigured`, since it could mean everything or nothing; only `depth` may be 0.
 */
export type Limits = {
  /** Maximum size of a request body, in bytes. Applies to the server of `createLocationServer`. Default 8,192. */
  bodyBytes: number
  /** Maximum size of a location as canonical JSON in UTF-8, in bytes. Default 2,048. */
  locationBytes: number
  /** Maximum size of a profile as canonical JSON in UTF-8, in bytes. Default 1,024. */
  profileBytes: number
  /** Maximum size of the payload of a broadcast as canonical JSON in UTF-8, in bytes. Default 1,024. */
  broadcastBytes: number
  /**
   * Maximum size of one event of broadcasts, with its framing, in bytes. Further broadcasts follow in the next event.
   * Default 65,536.
   */
  broadcastEventBytes: number
  /** Maximum size of a presence value as canonical JSON in UTF-8, in bytes. Default 2,048. */
  presenceBytes: number
  /** Maximum number of keys of a presence value. Default 32. */
  presenceKeys: number
  /**
   * Maximum nesting of a location, a profile, a presence value or a payload, in levels. 0: only texts, numbers, true, false and null.
   * Default 8, at most 100.
   */
  depth: number
  /**
   * Maximum number of calls in one HTTP batch. The rate limits count each of these calls. Applies to the server of
   * `createLocationServer`. Default 8.
   */
  batch: number
  /** Posts that one member may make each second. Default 30. */
  postsPerSecond: number
  /** Posts that one member may make at once (burst). Default 60. */
  postBurst: number
  /**
   * Queries that one member may make each second. `countMembers` counts as one query for every ten rooms. Default 10.
   */
  readsPerSecond: number
  /** Queries that one member may make at once (burst). Default 60. */
  readBurst: number
  /** Calls to `leaveRoom` that one member may make each minute. Default 10. */
  leavesPerMinute: number
  /** Calls to `leaveRoom` that one member may make at once (burst). Default 30. */
  leaveBurst: number
  /** New connections that one member may make in all rooms together, each minute. Default 10. */
  connectionsPerMinute: number
  /** New connections that one member may make in all rooms together, at once (burst). Default 30. */
  connectionBurst: number
  /** Streams that one member may open each minute. Default 10. */
  streamsPerMinute: number
  /** Streams that one member may open at once (burst). Default 30. */
  streamBurst: number
  /** Broadcasts that one member may send each second. Default 10. */
  broadcastsPerSecond: number
  /** Broadcasts that one member may send at once (burst). Default 20. */
  broadcastBurst: number
  /** Broadcasts that this process accepts for one room, each second, and at once. Default 200. */
  roomBroadcastsPerSecond: number
  /**
   * Factor by which the rate limits of an address exceed those of a member. An anonymous caller has only the limits of
   * the address. Default 20.
   */
  addressTimes: number
  /** Maximum number of connections in one room. Default 1,000. */
  roomConnections: number
  /**
   * Maximum number of connections (tabs and scripts) of one identified member in one room. Anonymous members cannot be
   * counted. Default 64.
   */
  memberConnections: number
  /** Maximum number of anonymous connections of one address in one room. Default 200. */
  addressConnections: number
  /**
   * Maximum number of rooms in which one member has connections or streams. The anonymous callers of one address may be
   * in `addressTimes` times as many rooms. Default 32.
   */
  memberRooms: number
  /** Maximum size of a location that is locked, as canonical JSON in UTF-8, in bytes. Default 512. */
  lockBytes: number
  /** Maximum number of locks of one connection. Default 8. */
  connectionLocks: number
  /** Maximum number of locks in one room. Default 1,000. */
  roomLocks: number
  /** Maximum number of open streams in this process. Default 20,000. */
  streams: number
  /**
   * Maximum number of open sockets of the server of `createLocationServer`. Further sockets are closed before a byte is
   * read. Default 25,000.
   */
  sockets: number
  /** Maximum number of open streams of one member. Default 64. */
  memberStreams: number
  /** Maximum number of open streams of one member in one room. One more stream ends the oldest. Default 64. */
  memberRoomStreams: number
  /** Maximum number of open streams of one address. Default 1,000. */
  addressStreams: number
}

export const defaultLimits: Limits = {
  bodyBytes: 8 * 1024,
  locationBytes: 2 * 1024,
  profileBytes: 1024,
  broadcastBytes: 1024,
  broadcastEventBytes: 65_536,
  presenceBytes: 2 * 1024,
  presenceKeys: 32,
  depth: 8,
  batch: 8,
  postsPerSecond: 30,
  postBurst: 60,
  readsPerSecond: 10,
  readBurst: 60,
  leavesPerMinute: 10,
  leaveBurst: 30,
  connectionsPerMinute: 10,
  connectionBurst: 30,
  streamsPerMinute: 10,
  streamBurst: 30,
  broadcastsPerSecond: 10,
  broadcastBurst: 20,
  roomBroadcastsPerSecond: 200,
  addressTimes: 20,
  roomConnections: 1_000,
  memberConnections: 64,
  addressConnections: 200,
  memberRooms: 32,
  lockBytes: 512,
  connectionLocks: 8,
  roomLocks: 1_000,
  streams: 20_000,
  sockets: 25_000,
  memberStreams: 64,
  memberRoomStreams: 64,
  addressStreams: 1_000,
}

const ofOneOrMore: NumberRange = { least: 1 }
const aboveZero: NumberRange = { above: 0 }

/** The values that each limit may have. A rate may be a fraction: less than one call a second. */
export const limitRanges: Readonly<Record<keyof Limits, NumberRange>> = {
  ...(Object.fromEntries(Object.keys(defaultLimits).map((name) => [name, ofOneOrMore])) as Record<
    keyof Limits,
    NumberRange
  >),
  postsPerSecond: aboveZero,
  readsPerSecond: aboveZero,
  leavesPerMinute: aboveZero,
  connectionsPerMinute: aboveZero,
  streamsPerMinute: aboveZero,
  broadcastsPerSecond: aboveZero,
  roomBroadcastsPerSecond: aboveZero,
  // A value nested deeper than 100 levels would overflow the stack of recursive functions.
  depth: { most: 100 },
}
