// @vitest-environment jsdom
import { expect, onTestFinished, test } from 'vitest'
import { trackActivity } from '../../../src/client/browser/activity-tracker.js'
import { manualClock } from '../../../src/testing/manual-clock.js'

test('the first input in a window after another window was used is posted as a use, once for each use of the other window', () => {
  const uses: string[] = []
  let speaker = { connectionId: 'mine' }
  const stop = trackActivity({
    clock: manualClock(),
    idleMs: 60_000,
    awayMs: 0,
    presence: { update: () => {}, use: () => uses.push(speaker.connectionId) },
    store: {
      get snapshot() {
        return { self: { connections: [speaker] } }
      },
      own: () => ({ connectionId: 'mine' }),
    },
  })
  onTestFinished(stop)
  const input = () => dispatchEvent(new Event('pointermove'))
  input()
  expect(uses).toEqual([])
  speaker = { connectionId: 'other' }
  input()
  input()
  expect(uses).toEqual(['other'])
  speaker = { connectionId: 'mine' }
  input()
  speaker = { connectionId: 'other' }
  input()
  expect(uses).toEqual(['other', 'other'])
})
