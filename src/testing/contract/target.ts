import type { DataTransformer } from '../../client/index.js'

/** A server to hold to the contract, and what it takes for a location. */
export type ContractTarget = {
  /** Where its procedures are: `http://127.0.0.1:3000/trpc`. */
  url: string
  /** Under which name the location router is merged: `locations`. Default: it is the whole router. */
  path?: string
  /** Sent with every request, to be let in. */
  headers?: Record<string, string>
  /** What the app puts around inputs and outputs, such as superjson. Default: nothing. */
  transformer?: DataTransformer
  /** A valid location for each number from 0 on, no two of them equal. */
  location(n: number): unknown
  /** What the schema of locations refuses. */
  badLocation: unknown
  /** A valid profile for each number, no two of them equal. Left out: profiles are not tried. */
  profile?(n: number): unknown
  /** What the server was told, if it is not PROTOCOL's. Beats and leases are as fast as its `hello` says. */
  timing?: Partial<ContractTiming>
}

export type ContractTiming = {
  /** The shortest and the longest lease that a post may ask for. Default 5,000 and 300,000. */
  leaseMinMs: number
  leaseMaxMs: number
  /** What remains of a lease when the peer closed its stream. Default 15,000. */
  closedMs: number
  /** The longest grace of a leave. Default 5,000. */
  graceMaxMs: number
  /** How long to wait for what ought to happen at once. Default 5,000. */
  patienceMs: number
}

export const defaultTiming: ContractTiming = {
  leaseMinMs: 5_000,
  leaseMaxMs: 300_000,
  closedMs: 15_000,
  graceMaxMs: 5_000,
  patienceMs: 5_000,
}
