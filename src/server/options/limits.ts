/** What anyone may use of this process. A rate is so many each second or minute, and a burst of so many at once. */
export type Limits = {
  /** The body of a request to the server that we make, in bytes. Default 8,192. */
  bodyBytes: number
  /** A location, as canonical JSON in UTF-8. Default 2,048. */
  locationBytes: number
  /** A profile, likewise. Default 1,024. */
  profileBytes: number
  /** How deeply a location or a profile may be nested. Default 8. */
  depth: number
  /** Calls in one HTTP batch, on the server that we make; each is charged. Default 8. */
  batch: number
  /** Posts of one member. Default 30 and 60. */
  postsPerSecond: number
  postBurst: number
  /** Queries of one member; `countMembers` counts as one for every ten rooms. Default 10 and 60. */
  readsPerSecond: number
  readBurst: number
  /** Leaves of one member. Default 10 and 30. */
  leavesPerMinute: number
  leaveBurst: number
  /** New connections of one member, in all rooms. Default 10 and 30. */
  connectionsPerMinute: number
  connectionBurst: number
  /** Streams that one member opens. Default 10 and 30. */
  streamsPerMinute: number
  streamBurst: number
  /** An address may do all of these so many times as often: all that binds an anonymous caller. Default 20. */
  addressTimes: number
  /** Connections in one room. Default 1,000. */
  roomConnections: number
  /** Connections of one member in one room. Default 10. Nobody can be counted who has no name: an anonymous member is not. */
  memberConnections: number
  /** Anonymous connections of one address in one room. Default 200. */
  addressConnections: number
  /** Rooms that one member is in, with connections or streams; an anonymous address, `addressTimes` as many. Default 32. */
  memberRooms: number
  /** Open streams in this process. Default 20,000. */
  streams: number
  /** Open sockets of the server that we make; more are closed before a byte is read. Default 25,000. */
  sockets: number
  /** Open streams of one member. Default 64. */
  memberStreams: number
  /** Open streams of one member in one room; one more, and the oldest is cut. Default 10. */
  memberRoomStreams: number
  /** Open streams of one address. Default 1,000. */
  addressStreams: number
}

export const defaultLimits: Limits = {
  bodyBytes: 8 * 1024,
  locationBytes: 2 * 1024,
  profileBytes: 1024,
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
  addressTimes: 20,
  roomConnections: 1_000,
  memberConnections: 10,
  addressConnections: 200,
  memberRooms: 32,
  streams: 20_000,
  sockets: 25_000,
  memberStreams: 64,
  memberRoomStreams: 10,
  addressStreams: 1_000,
}

/** Whom a call is counted against. `null`: nobody signed in; an address that is not counted. */
export type LimitedCaller = { readonly memberId: string | null; readonly address: string | null }
