import type { ByeReason } from '../../shared/events.js'

/** The result of a call: the outcome of a post, `ok`, or the code of the error. */
export type CallOutcome = string

/** Receives the measurements of a hub. None of them names a room, a member or an address. */
export interface Metrics {
  /** Called when a procedure has answered, after `tookMs` milliseconds. A stream has answered when it is open. */
  called(procedure: string, outcome: CallOutcome, tookMs: number): void
  /**
   * Called when one frame was sent to the subscribers of a room. `tookMs` is how long the sending kept the process
   * busy.
   */
  fannedOut(subscribers: number, tookMs: number): void
  /** Called when a stream has ended. `closed`: the client closed it. */
  streamEnded(why: ByeReason | 'closed'): void
  /** Called once by each hub, with the function that returns its current readings. */
  watch(read: () => Readings): void
}

/** The current state of a hub, and its traffic since it was created. */
export type Readings = Readonly<Traffic> & { rooms: number; connections: number; streams: number; isReady: boolean }

/**
 * Counters of the fan-out. Plain numbers: they are incremented for every frame and read only when metrics are
 * collected.
 */
export type Traffic = {
  /** The number of events written to subscribers, heartbeats included. */
  frames: number
  /**
   * The number of bytes of the events written to subscribers. Events that tRPC's own adapter writes are not counted.
   */
  bytes: number
  /** The number of times a slow consumer received several frames merged into one. */
  merged: number
  /** The number of times a room was read again from the backend because the copy in this process was or may have been stale. */
  rereads: number
  /** The number of broadcasts that arrived in the rooms of this process. */
  broadcasts: number
  /**
   * The number of broadcasts that a slow consumer did not receive, because newer broadcasts took their place; counted
   * for each consumer.
   */
  broadcastsLost: number
}

export const newTraffic = (): Traffic => ({
  frames: 0,
  bytes: 0,
  merged: 0,
  rereads: 0,
  broadcasts: 0,
  broadcastsLost: 0,
})

export const noMetrics: Metrics = { called() {}, fannedOut() {}, streamEnded() {}, watch() {} }
