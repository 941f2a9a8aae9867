/*
 * The parts of the procedures that only WebSockets need. Without this file, streams on sockets would be treated like
 * streams of HTTP, and the identity of an open socket would not be checked again.
 */

/** The rate limits that a subscription was charged to. */
export type Charges = Set<'address' | 'member'>

const socketSignals = new WeakMap<AbortSignal, Charges>()

/**
 * Marks the signal of a subscription whose stream is sent over a WebSocket.
 *
 * @param charges the same set for each attempt of one subscription: when the server itself retries, the caller is not
 * charged again.
 */
export const markSocketSignal = (signal: AbortSignal, charges: Charges): void => void socketSignals.set(signal, charges)

/**
 * Runs `charge`, unless an earlier attempt of the same subscription was charged. @throws the error that `charge` throws
 */
export function chargeOnce(signal: AbortSignal | undefined, kind: 'address' | 'member', charge: () => void): void {
  const charges = signal && socketSignals.get(signal)
  if (charges?.has(kind)) return
  charge()
  charges?.add(kind)
}

/** Returns whether a subscription is sent over a WebSocket. */
export const isSocketSignal = (signal: AbortSignal | undefined): boolean =>
  signal !== undefined && socketSignals.has(signal)

/** Identifies the caller of a context with the callbacks that the procedures use. */
export interface CallerAccess {
  /** Returns the member; `null` when callers are anonymous. @throws LocationError as a call does. */
  memberIdOf(ctx: unknown): Promise<string | null>
  /**
   * Returns the key of the address; `null` when no per-address limits apply to it. @throws LocationError `unavailable`
   */
  addressOf(ctx: unknown): string | null
}

const accesses = new WeakMap<object, CallerAccess>()

/** Stores the functions that identify the callers of a location procedure, and returns the procedure. */
export function setCallerAccess(procedure: object, access: CallerAccess): object {
  accesses.set(procedure, access)
  return procedure
}

/**
 * Returns the functions that `setCallerAccess` stored for a procedure; `undefined` for a procedure of the app's own.
 */
export const callerAccessOf = (procedure: object): CallerAccess | undefined => accesses.get(procedure)
