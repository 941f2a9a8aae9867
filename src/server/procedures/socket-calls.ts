/*
 * What a WebSocket needs of the procedures beyond calling them. Without this file, streams on sockets would be treated
 * like streams of HTTP, and the identity of an open socket would not be checked again.
 */

/** The rate limits that a subscription was charged to. */
export type Charges = Set<'address' | 'member'>

const socketSignals = new WeakMap<AbortSignal, Charges>()

/**
 * Marks the signal of a subscription whose stream is sent over a WebSocket.
 *
 * @param charges the same set for each try of one subscription: the server itself tries again, which its caller is not charged for.
 */
export const markSocketSignal = (signal: AbortSignal, charges: Charges): void => void socketSignals.set(signal, charges)

/** Runs `charge`, unless an earlier try of the same subscription was charged. @throws what `charge` throws */
export function chargeOnce(signal: AbortSignal | undefined, kind: 'address' | 'member', charge: () => void): void {
  const charges = signal && socketSignals.get(signal)
  if (charges?.has(kind)) return
  charge()
  charges?.add(kind)
}

/** Returns whether a subscription is sent over a WebSocket. */
export const isSocketSignal = (signal: AbortSignal | undefined): boolean =>
  signal !== undefined && socketSignals.has(signal)

/** Finds out who a context belongs to, with the callbacks that the procedures use. */
export interface CallerAccess {
  /** Returns the member; `null` when callers are anonymous. @throws LocationError as a call does. */
  memberIdOf(ctx: unknown): Promise<string | null>
  /** Returns the key of the address; `null` when it is not counted. @throws LocationError `unavailable` */
  addressOf(ctx: unknown): string | null
}

const accesses = new WeakMap<object, CallerAccess>()

/** Notes by which functions the callers of one of our procedures are known, and returns the procedure. */
export function setCallerAccess(procedure: object, access: CallerAccess): object {
  accesses.set(procedure, access)
  return procedure
}

/** Returns the functions that `setCallerAccess` noted for a procedure; `undefined` for a procedure of the app's own. */
export const callerAccessOf = (procedure: object): CallerAccess | undefined => accesses.get(procedure)
