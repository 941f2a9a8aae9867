import fc from 'fast-check'
import { expect, test } from 'vitest'
import { VersionHistory } from '../../../src/server/rooms/version-history.js'

const keepMs = 60_000

test('a version history never reports a version as old before keepMs, and does so at most keepMs / 30 and two notes later', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 5_000 }), { minLength: 1, maxLength: 400 }), (waits) => {
      const history = new VersionHistory(keepMs)
      const seen: { at: number; version: number }[] = []
      let [now, old] = [0, 0]
      for (const waitMs of waits) {
        now += waitMs
        const version = seen.length + 1
        seen.push({ at: now, version })
        old = history.note(version, now) ?? old
        for (const { at, version } of seen) {
          if (now - at < keepMs) expect(version).toBeGreaterThan(old)
          // A version gets its mark at a note, and is reported at a later note: each may be 5 s away.
          if (now - at > keepMs + keepMs / 30 + 10_000) expect(version).toBeLessThanOrEqual(old)
        }
      }
    }),
    { numRuns: 30 },
  )
})

test('a version history keeps fewer than 40 marks for 10,000 versions in a minute', () => {
  const history = new VersionHistory(keepMs)
  for (let i = 0; i < 100_000; i++) history.note(i, i * 6)
  expect(history.size).toBeLessThan(40)
})
