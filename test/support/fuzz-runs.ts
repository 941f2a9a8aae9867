/*
 * How much is tried: `npm run fuzz` says it by these. A run is made of parts, each with a seed of its own, so that one that
 * was stopped can be gone on with, and one that failed can be repeated from where it did.
 */

const { FUZZ_RUNS, FUZZ_SEED, FUZZ_FROM = '0', FUZZ_MINUTES = 'Infinity' } = process.env

/** How many in CI, unless told. */
export const runsOf = (usual: number) => Number(FUZZ_RUNS ?? usual)
export const fuzzSeed = Number(FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 31))
/** A person waits for it, and wants to hear of it. */
export const isFuzzing = FUZZ_RUNS !== undefined

/** Goes through `runs` in parts of `size`, until there are none left or the time is over. Says how many there were. */
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
      throw new Error(`Again: npm run fuzz -- --seed ${fuzzSeed} --from ${done} --runs ${runs}`, { cause: error })
    })
  }
  done = Math.min(done, runs)
  if (isFuzzing)
    console.log(
      `${from} to ${done} of ${runs}, seed ${fuzzSeed}: no failure${done < runs ? `; go on with: npm run fuzz -- --seed ${fuzzSeed} --from ${done} --runs ${runs}` : ''}`,
    )
  return done - from
}
