/*
 * The size of a fuzz run; `npm run fuzz` sets these variables. A run consists of parts with separate seeds, so that a
 * stopped run can be continued and a failed part can be repeated.
 */

const { FUZZ_RUNS, FUZZ_SEED, FUZZ_FROM = '0', FUZZ_MINUTES = 'Infinity' } = process.env

/** Returns the number of runs: FUZZ_RUNS, or the given default. */
export const runsOf = (usual: number) => Number(FUZZ_RUNS ?? usual)
export const fuzzSeed = Number(FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 31))
/** True for `npm run fuzz`, which prints its progress. */
export const isFuzzing = FUZZ_RUNS !== undefined

/** Does `runs` runs in parts of `size`, until all are done or FUZZ_MINUTES are over. Returns the number of runs done. */
export async function inParts(
  runs: number,
  size: number,
  part: (about: { seed: number; numRuns: number }) => Promise<void>,
): Promise<number> {
  const endsAt = performance.now() + Number(FUZZ_MINUTES) * 60_000
  const from = Number(FUZZ_FROM)
  let done = from
  for (; done < runs && performance.now() < endsAt; done += size) {
    const seed = (fuzzSeed + done) % 2 ** 31
    await part({ seed, numRuns: Math.min(size, runs - done) }).catch((error: unknown) => {
      throw new Error(`Repeat with: npm run fuzz -- --seed ${fuzzSeed} --from ${done} --runs ${runs}`, { cause: error })
    })
  }
  done = Math.min(done, runs)
  if (isFuzzing)
    console.log(
      `${from} to ${done} of ${runs}, seed ${fuzzSeed}: no failure${done < runs ? `; continue with: npm run fuzz -- --seed ${fuzzSeed} --from ${done} --runs ${runs}` : ''}`,
    )
  return done - from
}
