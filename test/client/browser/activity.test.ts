import fc from 'fast-check'
import { expect, test } from 'vitest'
import { activityOf, changesAt } from '../../../src/client/browser/activity.js'

const ms = fc.nat(100_000)
const attention = fc.record({ inputAt: ms, hiddenAt: fc.option(ms) })
const thresholds = fc.record({ idleMs: ms, awayMs: fc.oneof(ms, fc.constant(Infinity)) })

test('the activity does not change before `changesAt`, which is later than now', () => {
  fc.assert(
    fc.property(
      attention,
      thresholds,
      ms,
      fc.double({ min: 0, max: 1, noNaN: true }),
      (attention, thresholds, now, part) => {
        const next = changesAt(attention, thresholds, now)
        expect(next).toBeGreaterThan(now)
        const meanwhile = next === Infinity ? now + 1e9 * part : now + Math.ceil((next - now - 1) * part)
        expect(activityOf(attention, thresholds, meanwhile)).toBe(activityOf(attention, thresholds, now))
      },
    ),
  )
})

test('a page is away exactly when it has been hidden for `awayMs`, whenever its last input was', () => {
  fc.assert(
    fc.property(attention, thresholds, ms, (attention, thresholds, now) => {
      const gone = attention.hiddenAt !== null && now - attention.hiddenAt >= thresholds.awayMs
      expect(activityOf(attention, thresholds, now) === 'away').toBe(gone)
    }),
  )
})
