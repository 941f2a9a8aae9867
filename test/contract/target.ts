import type { ContractTarget } from 'hereabouts/testing'

/** Twenty times as fast as usual: a beat is half a second. What a case has to act within is longer. */
export const fastTiming = { scale: 1 / 20, leaseMinMs: 500, graceMaxMs: 1_000, requestMs: 20_000 }

/** The same, as the contract is told. */
export const targetTiming = {
  leaseMinMs: 500,
  leaseMaxMs: 15_000,
  closedMs: 750,
  graceMaxMs: 1_000,
  patienceMs: 10_000,
}

/** Cells of a sheet, the locations of a server that is told nothing else. */
export const cells = {
  location: (n: number) => ({ sheet: 'Q3', row: n, col: 2 }),
  badLocation: { sheet: 'Q3', row: -1, col: 2 },
  profile: (n: number) => ({ name: `Ada ${n}`, color: '#2563eb' }),
} satisfies Partial<ContractTarget>
