import { expect, test, vi } from 'vitest'
import { roomId } from './sim-node.js'
import { simulate } from './world.js'

// A run takes a tenth of a second, but several seconds on a busy machine.
vi.setConfig({ testTimeout: 60_000 })

/* Tests of the simulation itself: it detects a fault and is repeatable. The runs are in part-*.test.ts. */

test('the simulation reports a node whose version differs from the store at the end of a run', async () => {
  const { wrongs } = await simulate(1, ([node]) => {
    void node!.hub.use(roomId, ({ timeline }) => {
      const { epoch, version } = timeline
      timeline.apply({ epoch, prev: version, version: version + 1, entered: [], changed: [], left: [] })
    })
  })
  expect(wrongs).toEqual([expect.stringContaining('a node is at ')])
  expect((await simulate(1)).wrongs).toEqual([])
})

test('two runs of the simulation with the same seed have the same report', async () => {
  expect(await simulate(2)).toEqual(await simulate(2))
})
