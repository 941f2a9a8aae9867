import fc from 'fast-check'
import { expect, test } from 'vitest'
import { detectSplitRoom, type ToldEpoch } from '../../../src/client/room/split-room.js'

const beatMs = 10_000

/** Tells the detector about epochs, like a room whose view takes the epoch of each snapshot. */
function viewOf(first: string) {
  const isSplit = detectSplitRoom(() => beatMs)
  let shown = first
  let now = 0
  return {
    pass: (ms: number) => void (now += ms),
    tell(from: ToldEpoch['from'], epoch = shown) {
      const split = isSplit({ from, epoch, shown, now })
      if (from === 'snapshot') shown = epoch
      return split
    },
  }
}

/** New epochs of a room: how long the previous epoch and its stream last, and which of its messages arrive late. */
const beginnings = fc.record({
  epochMs: fc.integer({ min: 2 * beatMs, max: 5 * beatMs }),
  posts: fc.nat(4),
  goneMs: fc.nat(5 * beatMs),
  failover: fc.boolean(),
  behindMs: fc.nat(beatMs - 2),
  oldBeat: fc.boolean(),
  lateReplyMs: fc.option(fc.nat(2 * beatMs - 1)),
})

test('restarts and failovers do not count as a split room, whichever messages of the previous epoch arrive late', () => {
  fc.assert(
    fc.property(fc.array(beginnings, { maxLength: 20 }), (history) => {
      const view = viewOf('epoch0')
      const told: boolean[] = []
      const tell = (...what: Parameters<typeof view.tell>) => void told.push(view.tell(...what))
      history.forEach(({ epochMs, posts, goneMs, failover, behindMs, oldBeat, lateReplyMs }, version) => {
        const [before, next] = [`epoch${version}`, `epoch${version + 1}`]
        for (let ms = beatMs; ms <= epochMs; ms += beatMs) {
          view.pass(beatMs)
          tell('beat')
          tell('post', before)
        }
        // The next process already answers posts while the stream is gone or, after a failover, while the process of
        // the stream is behind.
        const [atFirst, later] = failover ? [behindMs / 2, behindMs / 2] : [Math.min(goneMs, 900), goneMs]
        for (let i = 0; i < posts; i++) tell('post', next)
        view.pass(atFirst)
        if (oldBeat) tell('beat', before)
        view.pass(later)
        for (let i = 0; i < posts; i++) if (failover || !oldBeat) tell('post', next)
        tell('snapshot', next)
        if (lateReplyMs === null) return
        view.pass(lateReplyMs)
        tell('post', before)
      })
      expect(told).not.toContain(true)
    }),
  )
})

test('a split room is detected within two heartbeats after another process than that of the stream applied a post', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(beatMs - 1), { maxLength: 5 }), fc.nat(beatMs), (posts, at) => {
      const view = viewOf('ours')
      // These earlier posts were applied by the process of our stream.
      for (const ms of posts) {
        view.pass(ms)
        expect(view.tell('post')).toBe(false)
      }
      view.pass(at)
      expect(view.tell('post', 'theirs')).toBe(false)
      view.pass(beatMs)
      expect(view.tell('beat')).toBe(false)
      view.pass(beatMs)
      expect(view.tell('beat')).toBe(true)
    }),
  )
})

test('a split room is detected by a second post to the other process, a heartbeat interval after the first one', () => {
  const view = viewOf('ours')
  expect(view.tell('post', 'theirs')).toBe(false)
  view.pass(beatMs - 50)
  expect(view.tell('beat')).toBe(false)
  // A balancer sends every other post to the process of the stream.
  expect([view.tell('post'), view.tell('post', 'theirs'), view.tell('post')]).toEqual([false, false, false])
  view.pass(50)
  expect(view.tell('post', 'theirs')).toBe(true)
})

test('a split room is detected when two epochs alternate in snapshots and a superseded epoch comes back twice', () => {
  const view = viewOf('ours')
  const told = ['theirs', 'ours', 'theirs'].map((epoch) => (view.pass(beatMs), view.tell('snapshot', epoch)))
  expect(told).toEqual([false, false, true])
})
