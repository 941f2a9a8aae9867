import { beforeEach, vi } from 'vitest'

/**
 * Fixes `Math.random` for each test of the calling file. The server spreads heartbeats over their interval at random: with
 * this, the first one of a stream always comes after half of the interval, and never in a test that is shorter.
 */
export function fixRandom(): void {
  beforeEach(() => {
    const spy = vi.spyOn(Math, 'random').mockReturnValue(0.5)
    return () => spy.mockRestore()
  })
}
