import type { ContractTarget } from 'hereabouts/testing'
import * as z from 'zod'

/** All timings are divided by 20: the heartbeat interval is 0.5 s. The time limits in which a case must act are longer. */
export const fastTiming = { scale: 1 / 20, leaseMinMs: 500, graceMaxMs: 1_000, requestMs: 20_000, lockMs: 5_000 }

/** The same timings, in the form that the contract takes. */
export const targetTiming = {
  leaseMinMs: 500,
  leaseMaxMs: 15_000,
  closedMs: 750,
  graceMaxMs: 1_000,
  patienceMs: 10_000,
}

/**
 * The presence schema of the servers under test. It is loose, so that only the limits of presence values refuse a
 * value.
 */
export const presence = z.looseObject({ typing: z.boolean(), pointer: z.object({ x: z.number() }) }).partial()

/** The broadcasts of the servers under test. */
export const broadcasts = { reaction: z.strictObject({ emoji: z.string().max(16) }) }

/** All features of the servers under test. The limit for broadcasts is so low that a slow machine reaches it, too. */
export const features = {
  presence,
  broadcasts,
  locks: true,
  limits: { broadcastsPerSecond: 1, broadcastBurst: 10 },
} as const

/** Cells of a sheet: the default locations of a server. */
export const cells = {
  location: (n: number) => ({ sheet: 'Q3', row: n, col: 2 }),
  badLocation: { sheet: 'Q3', row: -1, col: 2 },
  profile: (n: number) => ({ name: `Ada ${n}`, color: '#2563eb' }),
  presence: (n: number) => ({ pointer: { x: n }, ...(n % 2 === 0 && { typing: true }) }),
  broadcasts: { name: 'reaction', payload: (n: number) => ({ emoji: `${n}` }), badPayload: { emoji: 7 }, burst: 10 },
  locks: {},
} satisfies Partial<ContractTarget>

const { burst: _burst, ...withoutBurst } = cells.broadcasts
/** The broadcasts of several servers, without `burst`: each server counts the broadcasts of a member by itself. */
export const sharedBroadcasts = withoutBurst
