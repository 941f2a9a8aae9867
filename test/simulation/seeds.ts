import { expect, test } from 'vitest'
import { simulate } from './world.js'

/*
 * SEED=123 npx vitest run test/simulation/part   one run again
 * npm run soak:simulation                        5,000 seeds
 * SEEDS=200000 npm run soak:simulation           many more
 */

const seeds = Number(process.env['SEEDS'] ?? 100)
const only = process.env['SEED']
// Files run side by side, and tests of one file do not: each of as many files takes its share.
const parts = 4

/** One part of all seeds, as a test. */
export function simulatePart(part: number): void {
  const first = only === undefined ? part : Number(only)
  const last = only === undefined ? seeds : first
  test.skipIf(only !== undefined && part > 1)(
    'whatever goes wrong between store, nodes and people, locks and broadcasts keep their laws, and everyone comes to the truth',
    { timeout: 7_200_000 },
    async () => {
      const sums: Record<string, number> = {}
      for (let seed = first; seed <= last; seed += parts) {
        if (seeds >= 1_000 && seed % 500 < parts) console.log(`seed ${seed} of ${seeds}`)
        const { wrongs, counts } = await simulate(seed)
        expect(wrongs, `SEED=${seed}`).toEqual([])
        for (const [what, count] of Object.entries(counts)) sums[what] = (sums[what] ?? 0) + count
      }
      // Laws that are never tried hold always: locks, saves, claims, take-overs, broadcasts. A save with an old fence is rare.
      const expected = Object.entries(sums).filter(([what]) => what !== 'refusedSaves' || seeds >= 1_000)
      if (only === undefined && seeds >= 100) expect(expected.filter(([, sum]) => sum === 0)).toEqual([])
    },
  )
}
