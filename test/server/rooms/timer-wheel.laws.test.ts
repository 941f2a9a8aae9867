import fc from 'fast-check'
import { expect, test } from 'vitest'
import { TimerWheel } from '../../../src/server/rooms/timer-wheel.js'

const round = <T>(wheel: TimerWheel<T>, slots: number) => Array.from({ length: slots }, () => [...wheel.turn()])

test('a timer wheel serves each item exactly once in a round, and serves no deleted item', () => {
  const step = fc.oneof(fc.constant('add' as const), fc.constant('turn' as const), fc.record({ delete: fc.nat(30) }))
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 40 }), fc.array(step, { maxLength: 60 }), (slots, steps) => {
      const wheel = new TimerWheel<number>(slots)
      const held = new Set<number>()
      steps.forEach((each, i) => {
        if (each === 'turn') wheel.turn()
        else if (each === 'add') {
          wheel.add(i)
          held.add(i)
        } else {
          wheel.delete(each.delete)
          held.delete(each.delete)
        }
      })
      expect(wheel.size).toBe(held.size)
      expect(new Set(wheel)).toEqual(held)
      const served = round(wheel, slots).flat()
      expect(served).toHaveLength(held.size)
      expect(new Set(served)).toEqual(held)
    }),
  )
})

test('a timer wheel spreads added items evenly over the coming round, in the same way on every run', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 100 }), fc.nat(300), fc.nat(50), (slots, items, turns) => {
      const wheels = [new TimerWheel<number>(slots), new TimerWheel<number>(slots)]
      for (const wheel of wheels) {
        for (let turn = 0; turn < turns; turn++) wheel.turn()
        for (let item = 0; item < items; item++) wheel.add(item)
      }
      const [served, again] = wheels.map((wheel) => round(wheel, slots))
      expect(again).toEqual(served)
      for (const { length } of served!) expect(Math.abs(length - items / slots)).toBeLessThan(3)
    }),
  )
})

test('the first item of a timer wheel with 100 slots is served at the 62nd turn after it was added', () => {
  const wheel = new TimerWheel<string>(100)
  for (let turn = 0; turn < 37; turn++) wheel.turn()
  wheel.add('the first')
  expect(round(wheel, 100).findIndex(({ length }) => length > 0)).toBe(61)
})
