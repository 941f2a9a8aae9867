import { expect, test } from 'vitest'
import { simulate } from './world.js'

/*
 * SEED=123 npx vitest run test/simulation/part   repeats the run of one seed
 * npm run soak:simulation                        runs 5,000 seeds
 * SEEDS=200000 npm run soak:simulation           runs 200,000 seeds
 */

const seeds = Number(process.env['SEEDS'] ?? 100)
const only = process.env['SEED']
// Vitest runs files in parallel, but not the tests of one file. So each of four files runs a quarter of the seeds.
const parts = 4

/** Defines a test that runs one part of all seeds. */
export function simulatePart(part: number): void {
  const first = only === undefined ? part : Number(only)
  const last = only === undefined ? seeds : first
  test.skipIf(only !== undefined && part > 1)(
    'locks and broadcasts keep their laws and all clients converge, whatever faults each seed injects',
    { timeout: 7_200_000 },
    async () => {
      const sums: Record<string, number> = {}
      for (let seed = first; seed <= last; seed += parts) {
        if (seeds >= 1_000 && seed % 500 < parts) console.log(`seed ${seed} of ${seeds}`)
        const { wrongs, counts } = await simulate(seed)
        expect(wrongs, `SEED=${seed}`).toEqual([])
        for (const [what, count] of Object.entries(counts)) sums[what] = (sums[what] ?? 0) + count
      }
      // Every kind of event must have happened, or its law was not tested. A refused save with an old fence is rare.
      const expected = Object.entries(sums).filter(([what]) => what !== 'refusedSaves' || seeds >= 1_000)
      if (only === undefined && seeds >= 100) expect(expected.filter(([, sum]) => sum === 0)).toEqual([])
    },
  )
}
