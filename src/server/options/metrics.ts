import type { ByeReason } from '../../shared/protocol.js'

/** How a call ended: what a post came to, `ok`, or the code it was refused with. */
export type CallOutcome = string

/** What may be counted of a hub. Nothing here names a room, a member or an address. */
export interface Metrics {
  /** A procedure answered, after `tookMs`. A stream counts when it is open. */
  called(procedure: string, outcome: CallOutcome, tookMs: number): void
  /** A room woke its subscribers for one frame; `tookMs` until the process came to its next timer. */
  fannedOut(subscribers: number, tookMs: number): void
  /** `closed`: by its reader. */
  streamEnded(why: ByeReason | 'closed'): void
  /** Called once by a hub: what to read whenever somebody looks. */
  watch(read: () => Readings): void
}

/** What a process has at the moment, and what it has sent since it began. */
export type Readings = Readonly<Traffic> & { rooms: number; connections: number; streams: number; isReady: boolean }

/** What went out. Plain numbers, added to on the way of every frame and read when somebody looks. */
export type Traffic = {
  /** Events written to readers, beats and all. */
  frames: number
  /** Their bytes, as far as they were written by us and not by an adapter. */
  bytes: number
  /** Times that a reader was behind and got several frames in one. */
  merged: number
  /** Times that a room was read again, because what this process had of it had diverged, or might have. */
  rereads: number
}

export const newTraffic = (): Traffic => ({ frames: 0, bytes: 0, merged: 0, rereads: 0 })

export const noMetrics: Metrics = { called() {}, fannedOut() {}, streamEnded() {}, watch() {} }
